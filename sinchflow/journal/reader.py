"""Reading the journal: what a start needs, and what commands show. Read-only; never waits for the writer."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.errors import CannotStart, JournalError
from sinchflow.journal import rows
from sinchflow.journal.explain import explain
from sinchflow.journal.identity import refuse_empty, refuse_foreign
from sinchflow.journal.journal import CallAnswer, FlowSource, SendOrigin, Snapshot, Suspended, Tick
from sinchflow.model import codec
from sinchflow.model.contact import Contact, Suppression
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, SendSummary

#: Each with those that are suspended, or without them.
_OPEN_RUNS = "SELECT data FROM run WHERE status = 'running' AND id {} (SELECT id FROM suspended) ORDER BY id"
_OPEN_SENDS = f"SELECT {rows.SEND_COLUMNS} FROM send WHERE is_open AND run {{}} (SELECT id FROM suspended) ORDER BY id"  # noqa: S608
_UNROUTED = (
    "SELECT event.data FROM unrouted JOIN event ON event.id = unrouted.event WHERE unrouted.event > ? "
    "AND unrouted.event {} (SELECT id FROM suspended) ORDER BY unrouted.event LIMIT ?"
)


class Reader:
    """Questions to a journal over a read-only connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def load(self, since: datetime) -> Snapshot:
        """See `Journal.load`."""
        ask = self._rows
        first_run, first_send = (
            self.first_since("run", "started_at", since),
            self.first_since("send", "created_at", since),
        )
        return Snapshot(
            runs=tuple(codec.decode_run(data) for (data,) in ask(_OPEN_RUNS.format("NOT IN"))),
            sends=tuple(rows.send_from(row) for row in ask(_OPEN_SENDS.format("NOT IN"))),
            calls=tuple(
                Call(id=call_id, account=account, started_at=rows.from_ms(started_at))
                for call_id, account, started_at in ask(
                    "SELECT id, account, started_at FROM call WHERE id >= ? ORDER BY id",
                    self.first_since("call", "started_at", since),
                )
            ),
            run_starts=tuple(
                (flow, account, contact, rows.from_ms(started_at))
                for flow, account, contact, started_at in ask(
                    "SELECT flow, account, contact, started_at FROM run WHERE id >= ? AND contact IS NOT NULL "
                    "ORDER BY id",
                    first_run,
                )
            ),
            send_times=tuple(
                (recipient, flow, rows.from_ms(created_at))
                for recipient, flow, created_at in ask(
                    "SELECT recipient, run.flow, created_at FROM send JOIN run ON run.id = send.run "
                    "WHERE send.id >= ? AND state <> 'skipped' ORDER BY send.id",
                    first_send,
                )
            ),
            latest=max(
                (
                    rows.from_ms(time)
                    for table, column in (("event", "received_at"), ("run", "started_at"), ("call", "started_at"))
                    for (time,) in ask(f"SELECT {column} FROM {table} ORDER BY id DESC LIMIT 1")  # noqa: S608
                ),
                default=None,
            ),
        )

    def unrouted(self, after: int, limit: int) -> Sequence[Event]:
        """See `Journal.unrouted`."""
        asked = self._rows(_UNROUTED.format("NOT IN"), after, limit)
        return [codec.decode_event(data) for (data,) in asked]

    def suspended(self) -> Suspended:
        """See `Journal.suspended`."""
        ask = self._rows
        return Suspended(
            runs=tuple(codec.decode_run(data) for (data,) in ask(_OPEN_RUNS.format("IN"))),
            sends=tuple(rows.send_from(row) for row in ask(_OPEN_SENDS.format("IN"))),
            events=tuple(codec.decode_event(data) for (data,) in ask(_UNROUTED.format("IN"), 0, -1)),
        )

    def event(self, event_id: int) -> Event | None:
        """See `Journal.event`."""
        found = self._rows("SELECT data FROM event WHERE id = ?", event_id)
        return codec.decode_event(found[0][0]) if found else None

    def heard_of(self, values: Iterable[str], after: int) -> dict[str, dict[str, Any]]:
        """See `Journal.heard_of`."""
        found = self._rows(
            "SELECT data FROM event WHERE id > ? "
            "AND data ->> '$.fields.metadata.sinchflow_id' IN (SELECT value FROM json_each(?)) ORDER BY id",
            after,
            codec.encode_data(list(values)).decode(),
        )
        events = [codec.decode_event(data) for (data,) in found]
        return {event.fields["metadata"]["sinchflow_id"]: event.fields for event in events}

    def setting(self, name: str) -> str | None:
        """See `Journal.setting`."""
        found = self._rows("SELECT value FROM setting WHERE name = ?", name)
        return found[0][0] if found else None

    def note(self, event_id: int) -> dict[str, Any] | None:
        """See `Journal.note`."""
        found = self._rows("SELECT data FROM note WHERE event = ?", event_id)
        noted: dict[str, Any] | None = codec.decode_data(found[0][0]) if found else None
        return noted

    def answer(self, event: Event) -> CallAnswer | None:
        """See `Journal.answer`."""
        found = self._rows("SELECT run, reason FROM answer WHERE key = ?", rows.event_key(event))
        return CallAnswer(event=event, run=found[0][0], reason=found[0][1]) if found else None

    def source(self, digest: str) -> FlowSource | None:
        """See `Journal.source`."""
        found = self._rows(
            "SELECT digest, name, file, line, language, source FROM flow_source WHERE digest = ?", digest
        )
        if not found:
            return None
        digest, name, file, line, language, source = found[0]
        return FlowSource(digest=digest, name=name, file=file, line=line, language=language, source=source)

    def kept_items(self, run_id: int, address: str) -> Sequence[Any]:
        """See `Journal.kept_items`."""
        found = self._rows("SELECT items FROM kept WHERE run = ? AND address = ?", run_id, address)
        if not found:
            raise JournalError(f"the items of the loop at {address} of run {run_id} are not in the journal")
        items: list[Any] = msgspec.json.decode(found[0][0])
        return items

    def send_origin(self, send_id: int) -> SendOrigin | None:
        """See `Journal.send_origin`."""
        found = self._rows(
            "SELECT run.id, run.data ->> '$.flow', run.data ->> '$.digest', send.data ->> '$.id' "
            "FROM send JOIN run ON run.id = send.run WHERE send.id = ?",
            send_id,
        )
        if not found:
            return None
        run, flow, digest, command = found[0]
        return SendOrigin(run=run, flow=flow, digest=digest, command=command)

    def sends(self, states: Iterable[str], limit: int) -> Sequence[SendSummary]:
        """See `Journal.sends`."""
        wanted = sorted(states)
        where = f"WHERE state IN ({','.join('?' * len(wanted))})" if wanted else ""
        asked = self._rows(
            f"SELECT {rows.SUMMARY_COLUMNS} FROM send {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
            *wanted,
            limit,
        )
        return [rows.summary(row) for row in asked]

    def quarantined(self) -> int:
        """See `Journal.quarantined`."""
        return int(self._rows("SELECT count(*) FROM quarantine")[0][0])

    def send(self, send_id: int) -> SendSummary | None:
        """See `Journal.send`."""
        found = self._rows(f"SELECT {rows.SUMMARY_COLUMNS} FROM send WHERE id = ?", send_id)  # noqa: S608
        return rows.summary(found[0]) if found else None

    def contact(self, number: str) -> Contact | None:
        """See `Journal.contact`."""
        found = self._rows(f"SELECT {rows.CONTACT_COLUMNS} FROM contact WHERE number = ?", number)  # noqa: S608
        return rows.contact_from(found[0]) if found else None

    def contacts(self, limit: int, after: str = "") -> Sequence[Contact]:
        """See `Journal.contacts`."""
        asked = self._rows(
            f"SELECT {rows.CONTACT_COLUMNS} FROM contact WHERE number > ? ORDER BY number LIMIT ?",  # noqa: S608
            after,
            limit,
        )
        return [rows.contact_from(row) for row in asked]

    def suppressed(self) -> Sequence[Suppression]:
        """See `Journal.suppressed`."""
        asked = self._rows(f"SELECT {rows.SUPPRESSION_COLUMNS} FROM suppression ORDER BY number")  # noqa: S608
        return [rows.suppression_from(row) for row in asked]

    def ticks(self) -> Sequence[Tick]:
        """See `Journal.ticks`."""
        asked = self._rows('SELECT flow, "trigger", at FROM tick ORDER BY flow, "trigger"')
        return [Tick(flow=flow, trigger=trigger, at=rows.from_ms(at)) for flow, trigger, at in asked]

    def run(self, run_id: int) -> Run | None:
        """See `Journal.run`."""
        found = self._rows("SELECT data FROM run WHERE id = ?", run_id)
        return codec.decode_run(found[0][0]) if found else None

    def runs_of(self, contact: str, limit: int) -> Sequence[Run]:
        """See `Journal.runs_of`."""
        asked = self._rows(
            "SELECT data FROM run WHERE id IN (SELECT run FROM run_of WHERE contact = ?1 "
            "UNION SELECT id FROM run WHERE id > ?2 AND contact = ?1) ORDER BY id DESC LIMIT ?3",
            contact,
            int(self.meta("filed_to") or 0),
            limit,
        )
        return [codec.decode_run(data) for (data,) in asked]

    def last_id(self) -> int:
        """The highest id in any table, 0 when all are empty."""
        tables = ("event", "run", "send", "call", "quarantine", "act")
        return max(int(self._rows(f"SELECT coalesce(max(id), 0) FROM {table}")[0][0]) for table in tables)  # noqa: S608

    def keys_after(self, event_id: int) -> list[bytes]:
        """The keys of the events above this id."""
        return [key for (key,) in self._rows("SELECT key FROM event WHERE id > ?", event_id)]

    def meta(self, name: str) -> str | None:
        """One of the journal's own settings."""
        found = self._rows("SELECT value FROM meta WHERE name = ?", name)
        return str(found[0][0]) if found else None

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def _rows(self, question: str, *bindings: Any) -> list[Any]:
        try:
            return list(self._connection.execute(question, bindings))
        except apsw.Error as error:
            raise explain(error, self._connection.filename) from error

    def first_since(self, table: str, column: str, since: datetime) -> int:
        """The first id not older than `since`. Ids ascend with time, so bisecting them needs no index on time."""
        time = rows.to_ms(since)

        def is_older(row_id: int) -> bool:
            found = self._rows(
                f"SELECT {column} FROM {table} WHERE id >= ? ORDER BY id LIMIT 1",  # noqa: S608
                row_id,
            )
            return bool(found) and int(found[0][0]) < time

        low, high = self._rows(f"SELECT coalesce(min(id), 0), coalesce(max(id), -1) + 1 FROM {table}")[0]  # noqa: S608
        return _bisect(is_older, low, high)


def _bisect(is_older: Callable[[int], bool], low: int, high: int) -> int:
    """The lowest id in low..high for which `is_older` does not hold."""
    while low < high:
        middle = (low + high) // 2
        if is_older(middle):
            low = middle + 1
        else:
            high = middle
    return low


def open_reader(path: Path) -> Reader:
    """A reader of the journal at `path`, with or without a daemon at work on it. Raises CannotStart with the reason."""
    return Reader(connect(path))


def connect(path: Path) -> apsw.Connection:
    """A connection of one's own that only reads, for use in one thread. Raises CannotStart with the reason."""
    if not path.exists():
        raise CannotStart(f"no journal at {path}: start the daemon once, or name its folder with --data")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(2_000)
    except apsw.Error as error:
        raise CannotStart(str(explain(error, str(path)))) from error
    try:
        refuse_foreign(connection, path)
        refuse_empty(connection, path)
    except apsw.Error as error:
        connection.close()
        raise explain(error, str(path)) from error
    except CannotStart:
        connection.close()
        raise
    return connection
