"""Forgetting one person, on SQLite: search on a thread of its own, erase in one transaction of the writer.

Events have no index by person: it would cost every event as much as storing it. So the search reads the whole journal,
by ranges of ids and beside everybody else, and notes rows. The writer then looks only at these rows, at what belongs to
the person by `run_of`, and at rows that came meanwhile.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import apsw

from sinchflow.errors import JournalError
from sinchflow.journal import rows
from sinchflow.journal.explain import explain
from sinchflow.journal.journal import Forgotten
from sinchflow.journal.person import Person
from sinchflow.model import codec

#: Ids in one question, so that no read is so long that checkpoints wait for it.
_RANGE = 20_000
#: An id is given out shortly before its row is handed in: so many before the last one are looked at again.
_MARGIN = 1_000

_OWN_RUNS = (
    "SELECT run FROM run_of WHERE contact = :number UNION SELECT id FROM run "
    "WHERE id > (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'filed_to') AND contact = :number"
)
_OWN = "SELECT value FROM json_each(:own)"
_WHERE = {
    "event": "instr(data, :digits)",
    "run": "contact IS NOT :number AND instr(data, :digits)",
    "send": f"recipient = :number OR instr(data, :digits) OR instr(reason, :digits) OR run IN ({_OWN})",
    "quarantine": "instr(body, CAST(:digits AS BLOB))",
}
_OWN_EVENTS = f"SELECT data ->> '$.event_id' FROM run WHERE id IN ({_OWN})"  # noqa: S608
_KEPT = "SELECT run, address FROM kept WHERE run > :low AND run <= :high AND instr(items, :digits)"
_NEEDED = "SELECT data ->> '$.event_id' FROM run WHERE status = 'running' AND contact IS NOT :number AND id > :least"
_CONTACTS = "SELECT number FROM contact WHERE number <> :number AND instr(data, :digits)"


def own_runs(connection: apsw.Connection, person: Person) -> list[int]:
    """The ids of the person's runs."""
    return [run_id for (run_id,) in connection.execute(_OWN_RUNS, {"number": person.number})]


class Found:
    """Rows that are the person's or may name them. needed: those of the events that others' open runs began with."""

    def __init__(self) -> None:
        self.ids: dict[str, set[int]] = {table: set() for table in _WHERE}
        self.kept: set[tuple[int, str]] = set()
        self.contacts: set[str] = set()
        self.needed: set[int] = set()

    def search(
        self, connection: apsw.Connection, person: Person, low: int, high: int, is_stopped: Callable[[], bool]
    ) -> None:
        """Add what stands in rows with ids above `low` up to `high`, and in what is remembered of others."""
        own = own_runs(connection, person)
        values: dict[str, Any] = {
            "number": person.number,
            "digits": person.digits,
            "own": codec.encode_data(own).decode(),
        }
        for start in range(low, high, _RANGE):
            if is_stopped():
                return
            values |= {"low": start, "high": min(start + _RANGE, high)}
            for table, where in _WHERE.items():
                question = f"SELECT id FROM {table} WHERE id > :low AND id <= :high AND ({where})"  # noqa: S608
                self.ids[table].update(row_id for (row_id,) in connection.execute(question, values))
            self.kept.update(connection.execute(_KEPT, values))
        self.contacts.update(number for (number,) in connection.execute(_CONTACTS, values))
        events = self.ids["event"]
        events.update(event_id for (event_id,) in connection.execute(_OWN_EVENTS, values))
        if events:
            needed = connection.execute(_NEEDED, {**values, "least": min(events)})
            self.needed |= {event_id for (event_id,) in needed if event_id in events}


class Search(threading.Thread):
    """Looks through the journal at `path` up to the id `upto`; tells `told`, on this thread, what is to be done."""

    def __init__(self, path: Path, person: Person, upto: int, told: Callable[["Erasure | Exception"], None]) -> None:
        super().__init__(name="journal-search", daemon=True)
        self._path = path
        self._person = person
        self._upto = upto
        self._told = told
        self._stopped = threading.Event()

    def run(self) -> None:
        """The thread's work."""
        found = Found()
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                connection.set_busy_timeout(5_000)
                found.search(connection, self._person, 0, self._upto, self._stopped.is_set)
            finally:
                connection.close()
        except apsw.Error as error:
            self._told(explain(error, str(self._path)))
            return
        if self._stopped.is_set():
            self._told(JournalError("the journal was closed before all of it was searched: ask again"))
        else:
            self._told(Erasure(self._person, found, max(0, self._upto - _MARGIN)))

    def stop(self) -> None:
        """Give up and wait for the thread's end."""
        self._stopped.set()
        self.join()


class Erasure:
    """What the writer does after a search. seen_to: rows above this id are looked at again."""

    def __init__(self, person: Person, found: Found, seen_to: int) -> None:
        self._person = person
        self._found = found
        self._seen_to = seen_to
        self._values = {"number": person.number}
        self._left: set[int] = set()

    def erase(self, connection: apsw.Connection, salt: bytes) -> Forgotten:
        """All of it, within the caller's transaction."""
        self._execute = connection.execute
        self._left.clear()
        last_id = max(self._execute(f"SELECT coalesce(max(id), 0) FROM {table}").get for table in _WHERE)  # noqa: S608
        self._found.search(connection, self._person, self._seen_to, last_id, lambda: False)
        self._own = set(own_runs(connection, self._person))
        self._values["own"] = codec.encode_data(sorted(self._own)).decode()
        events, sends = self._events(), self._sends()
        self._kept()
        runs = self._runs()
        quarantined = self._quarantine()
        self._contacts()
        self._pseudonymise(salt)
        left = tuple(sorted(self._left))
        return Forgotten(events=events, runs=runs, sends=sends, quarantined=quarantined, left=left)

    def _rows(self, table: str, columns: str, ids: Iterable[int]) -> Iterable[Any]:
        for row_id in sorted(ids):
            yield from self._execute(f"SELECT {columns} FROM {table} WHERE id = ?", (row_id,)).fetchall()  # noqa: S608

    def _events(self) -> int:
        """Before the runs: by them it is known what is the person's."""
        count = 0
        own = {event_id for (event_id,) in self._execute(_OWN_EVENTS, self._values)}
        for event_id, data in self._rows("event", "id, data", self._found.ids["event"] | own):
            after = self._person.event_after(
                codec.decode_event(data),
                began_own_run=event_id in own,
                is_needed=event_id in self._found.needed
                or self._has("SELECT 1 FROM unrouted WHERE event = ?", event_id),
            )
            if after == "left":
                self._left.add(event_id)
            elif after is not None:
                self._execute("UPDATE event SET data = ? WHERE id = ?", (codec.encode(after).decode(), event_id))
                count += 1
        return count

    def _sends(self) -> int:
        count = 0
        for row in self._rows("send", rows.SEND_COLUMNS, self._found.ids["send"]):
            send = rows.send_from(row)
            is_of_own_run = send.run in self._own
            is_needed = send.is_open and not is_of_own_run and self._is_open(send.run)
            after = self._person.send_after(send, is_of_own_run=is_of_own_run, is_needed=is_needed)
            if after == "left":
                self._left.add(send.id)
            elif after is not None:
                data = codec.encode(after.command).decode()
                changes = (after.command.to, after.state, after.is_open, None, after.message_id, after.reason, data)
                self._execute(
                    "UPDATE send SET recipient = ?, state = ?, is_open = ?, due = ?, message_id = ?, reason = ?, "
                    "data = ? WHERE id = ?",
                    (*changes, send.id),
                )
                count += 1
        return count

    def _kept(self) -> None:
        """Before the runs, which say whose items these are."""
        self._execute(f"DELETE FROM kept WHERE run IN ({_OWN})", self._values)  # noqa: S608
        for place in sorted(self._found.kept):
            for (items,) in self._execute("SELECT items FROM kept WHERE run = ? AND address = ?", place).fetchall():
                after = None if self._is_open(place[0]) else self._person.blotted_text(str(items))
                if after is not None:
                    self._execute("UPDATE kept SET items = ? WHERE run = ? AND address = ?", (after, *place))

    def _runs(self) -> int:
        count = 0
        for run_id, data in self._rows("run", "id, data", self._found.ids["run"] | self._own):
            after = self._person.run_after(codec.decode_run(data))
            if after == "left":
                self._left.add(run_id)
            elif after is not None:
                changes = (after.contact, after.status, codec.encode(after).decode())
                self._execute("UPDATE run SET contact = ?, status = ?, data = ? WHERE id = ?", (*changes, run_id))
                count += 1
        self._execute("UPDATE run_of SET contact = ? WHERE contact = ?", (self._person.marker, self._person.number))
        return count

    def _quarantine(self) -> int:
        named = [
            (row_id,)
            for row_id, body in self._rows("quarantine", "id, body", self._found.ids["quarantine"])
            if self._person.is_named_in(body)
        ]
        for row in named:
            self._execute("UPDATE quarantine SET body = x'', reason = 'forgotten' WHERE id = ?", row)
        return len(named)

    def _contacts(self) -> None:
        self._execute("DELETE FROM contact WHERE number = :number", self._values)
        for number in sorted(self._found.contacts):
            for (data,) in self._execute("SELECT data FROM contact WHERE number = ?", (number,)).fetchall():
                after = self._person.blotted_text(str(data))
                if after is not None:
                    self._execute("UPDATE contact SET data = ? WHERE number = ?", (after, number))

    def _pseudonymise(self, salt: bytes) -> None:
        """Who wants no messages gets none."""
        number = self._person.number
        self._execute(
            f"INSERT INTO suppression ({rows.SUPPRESSION_COLUMNS}) "  # noqa: S608
            "SELECT ?, since, source, '' FROM suppression WHERE number = ? ON CONFLICT DO NOTHING",
            (rows.pseudonym(number, salt), number),
        )
        self._execute("DELETE FROM suppression WHERE number = ?", (number,))

    def _is_open(self, run_id: int) -> bool:
        return self._has("SELECT 1 FROM run WHERE id = ? AND status = 'running'", run_id)

    def _has(self, question: str, row_id: int) -> bool:
        return self._execute(question, (row_id,)).fetchone() is not None
