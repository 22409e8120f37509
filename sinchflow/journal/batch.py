"""What a group of units comes to, as rows sorted by statement: each statement is executed for all its rows at once."""

import itertools
from collections.abc import Sequence
from typing import Any

import apsw
from msgspec.structs import replace

from sinchflow.journal import rows
from sinchflow.journal.journal import Changes
from sinchflow.model import codec
from sinchflow.model.contact import Contact, ContactChange, Lifted, Suppression, changed

#: Rows in one execution of a statement, largest first. SQLite binds up to 32,766 values.
_PORTIONS = (64, 16, 4, 1)


class Statement:
    """A statement over many rows at once.

    One execution gives up and takes back the interpreter's lock once, whatever it holds; row by row, the writer would
    queue for the lock behind the loop's thread for each. `text` has `{}` where the rows of values go.
    """

    def __init__(self, text: str, columns: int) -> None:
        row = f"({','.join('?' * columns)})"
        self._by_size = {size: text.format(",".join([row] * size)) for size in _PORTIONS}

    def execute(self, connection: apsw.Connection, rows_: Sequence[tuple[Any, ...]]) -> None:
        """Execute for all rows, in order."""
        start = 0
        while start < len(rows_):
            size = next(size for size in _PORTIONS if size <= len(rows_) - start)
            values = tuple(itertools.chain.from_iterable(rows_[start : start + size]))
            connection.execute(self._by_size[size], values)
            start += size


INSERT_EVENT = Statement("INSERT INTO event (id, received_at, key, data) VALUES {}", 4)
INSERT_UNROUTED = Statement("INSERT INTO unrouted (event) VALUES {}", 1)
_DELETE_UNROUTED = Statement("DELETE FROM unrouted WHERE event IN (VALUES {})", 1)
_UPSERT_RUN = Statement(
    "INSERT INTO run (id, flow, account, contact, started_at, status, data) VALUES {} "
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, data = excluded.data",
    7,
)
_FILE_RUN = Statement("INSERT OR IGNORE INTO run_of (contact, run) VALUES {}", 2)
_INSERT_SEND = Statement(
    "INSERT INTO send (id, run, recipient, account, created_at, state, is_open, attempt, due, call, message_id, "
    "reason, data) VALUES {}",
    13,
)
_UPDATE_SEND = Statement(
    "UPDATE send SET state = new.column2, is_open = new.column3, attempt = new.column4, due = new.column5, "
    "call = new.column6, message_id = new.column7, reason = new.column8 "
    "FROM (VALUES {}) AS new WHERE send.id = new.column1",
    8,
)
_INSERT_CALL = Statement("INSERT INTO call (id, account, started_at) VALUES {}", 3)
_INSERT_SOURCE = Statement(
    "INSERT INTO flow_source (digest, name, file, line, language, source) VALUES {} ON CONFLICT DO NOTHING", 6
)
_INSERT_KEPT = Statement("INSERT OR REPLACE INTO kept (run, address, items) VALUES {}", 3)
_INSERT_QUARANTINE = Statement("INSERT INTO quarantine (id, received_at, path, reason, body) VALUES {}", 5)
_DELETE_QUARANTINE = Statement("DELETE FROM quarantine WHERE id IN (VALUES {})", 1)
_UPDATE_QUARANTINE = Statement(
    "UPDATE quarantine SET reason = new.column2 FROM (VALUES {}) AS new WHERE quarantine.id = new.column1", 2
)
_INSERT_TICK = Statement(
    'INSERT INTO tick (flow, "trigger", at) VALUES {} ON CONFLICT (flow, "trigger") DO UPDATE SET at = excluded.at',
    3,
)
_INSERT_ANSWER = Statement("INSERT INTO answer (key, run, reason) VALUES {} ON CONFLICT DO NOTHING", 3)
#: One row by primary key, because every message that comes in brings one.
_TOUCH_CONTACT = Statement(
    "INSERT INTO contact (number, last_inbound_at, updated_at) VALUES {} ON CONFLICT (number) DO UPDATE SET "
    "last_inbound_at = max(coalesce(contact.last_inbound_at, 0), excluded.last_inbound_at), "
    "updated_at = max(contact.updated_at, excluded.updated_at)",
    3,
)
_PUT_CONTACT = Statement(f"INSERT OR REPLACE INTO contact ({rows.CONTACT_COLUMNS}) VALUES {{}}", 6)  # noqa: S608
_READ_CONTACTS = f"SELECT {rows.CONTACT_COLUMNS} FROM contact WHERE number IN (VALUES {{}})"  # noqa: S608
_INSERT_NOTE = Statement("INSERT INTO note (event, data) VALUES {} ON CONFLICT DO NOTHING", 2)
_INSERT_ACT = Statement("INSERT INTO act (id, at, what, subject, detail) VALUES {}", 5)
#: A setting whose value is NULL is forgotten.
_PUT_SETTING = Statement("INSERT OR REPLACE INTO setting (name, value) VALUES {}", 2)
_RELEASE = Statement("DELETE FROM suspended WHERE id IN (VALUES {})", 1)
_DELETE_SUPPRESSION = Statement("DELETE FROM suppression WHERE number IN (VALUES {})", 1)
_INSERT_SUPPRESSION = Statement(
    f"INSERT INTO suppression ({rows.SUPPRESSION_COLUMNS}) VALUES {{}} ON CONFLICT DO NOTHING",  # noqa: S608
    4,
)
#: The order of execution: what refers to a row comes after it.
_ORDER = (
    _INSERT_SOURCE, _UPSERT_RUN, _INSERT_KEPT, _INSERT_SEND, _UPDATE_SEND, _INSERT_CALL, _DELETE_UNROUTED,
    _INSERT_QUARANTINE, _UPDATE_QUARANTINE, _DELETE_QUARANTINE, _INSERT_TICK, _INSERT_ANSWER, _INSERT_NOTE,
    _INSERT_ACT, _PUT_SETTING, _RELEASE, _DELETE_SUPPRESSION, _INSERT_SUPPRESSION, _TOUCH_CONTACT,
)  # fmt: skip
#: Statements by id in which only the last of several rows counts.
_LAST_COUNTS = frozenset({_UPSERT_RUN, _UPDATE_SEND, _PUT_SETTING})

#: Newest bodies kept in quarantine.
_QUARANTINE_LIMIT = 1_000
_TRIM_QUARANTINE = "DELETE FROM quarantine WHERE id <= (SELECT id FROM quarantine ORDER BY id DESC LIMIT 1 OFFSET ?)"


class Batch:
    """The rows of one transaction. salt: for the pseudonyms of those who were forgotten."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._rows: dict[Statement, list[tuple[Any, ...]]] = {}
        self._contacts: list[ContactChange] = []

    def add(self, changes: Changes) -> None:
        """One unit, whole or not at all: raises what encoding raises before anything of it is added."""
        made: tuple[tuple[Statement, Sequence[tuple[Any, ...]]], ...] = (
            (_DELETE_UNROUTED, [(event_id,) for event_id in changes.routed]),
            (
                _INSERT_SOURCE,
                [(it.digest, it.name, it.file, it.line, it.language, it.source) for it in changes.sources],
            ),
            (_UPSERT_RUN, [rows.run_row(run) for run in changes.runs]),
            (_INSERT_SEND, [rows.send_row(send) for send in changes.new_sends]),
            (_UPDATE_SEND, [rows.send_update(send) for send in changes.sends]),
            (_INSERT_CALL, [rows.call_row(call) for call in changes.calls]),
            (
                _INSERT_QUARANTINE,
                [(it.id, rows.to_ms(it.received_at), it.path, it.reason, it.body) for it in changes.quarantined],
            ),
            (
                _TOUCH_CONTACT,
                [
                    (it.number, rows.to_ms(it.last_inbound_at), rows.to_ms(it.at))
                    for it in changes.contacts
                    if it.is_touch and it.last_inbound_at is not None
                ],
            ),
            (_INSERT_TICK, [(it.flow, it.trigger, rows.to_ms(it.at)) for it in changes.ticks]),
            (_INSERT_ANSWER, [(rows.event_key(it.event), it.run, it.reason) for it in changes.answers]),
            (_DELETE_QUARANTINE, [(each,) for each in changes.dequarantined]),
            (_UPDATE_QUARANTINE, list(changes.requarantined)),
            (_INSERT_NOTE, [(event_id, codec.encode_data(said).decode()) for event_id, said in changes.notes]),
            (_INSERT_ACT, [(it.id, rows.to_ms(it.at), it.what, it.subject, it.detail) for it in changes.acts]),
            (_PUT_SETTING, list(changes.settings)),
            (_RELEASE, [(each,) for each in changes.released]),
            (
                _INSERT_KEPT,
                [(run, address, codec.encode_data(items).decode()) for run, address, items in changes.kept],
            ),
        )
        contacts = [_plain(change) for change in changes.contacts if not change.is_touch]
        suppressed = [rows.suppression_row(it) for it in changes.suppressions if isinstance(it, Suppression)]
        codec.encode_data(suppressed)  # what SQLite would not take is found now
        for statement, bindings in made:
            if bindings:
                self._rows.setdefault(statement, []).extend(bindings)
        self._contacts += contacts
        if changes.suppressions:
            self._suppress(changes)

    def _suppress(self, changes: Changes) -> None:
        """Deletions come before insertions, so what a number goes through in one batch is put together here."""
        inserted = {row[0]: row for row in self._rows.get(_INSERT_SUPPRESSION, ())}
        deleted = self._rows.setdefault(_DELETE_SUPPRESSION, [])
        for it in changes.suppressions:
            if isinstance(it, Lifted):
                deleted += [(it.number,), (rows.pseudonym(it.number, self._salt),)]
                inserted.pop(it.number, None)
            else:
                inserted.setdefault(it.number, rows.suppression_row(it))
        self._rows[_INSERT_SUPPRESSION] = list(inserted.values())

    @property
    def runs(self) -> int:
        """How many rows of runs there are, new and changed."""
        return len(self._rows.get(_UPSERT_RUN, ()))

    @property
    def digests(self) -> list[str]:
        """Of the documents that are stored."""
        return [row[0] for row in self._rows.get(_INSERT_SOURCE, ())]

    def execute(self, connection: apsw.Connection, filed_to: int) -> None:
        """All of it, within the caller's transaction. filed_to: see the table `run_of`."""
        if self._contacts:
            self._change_contacts(connection)
        for statement in _ORDER:
            if statement in self._rows:
                rows_ = self._rows[statement]
                if statement in _LAST_COUNTS:
                    rows_ = list({row[0]: row for row in rows_}.values())
                statement.execute(connection, rows_)
        late = [(row[3], row[0]) for row in self._rows.get(_UPSERT_RUN, ()) if row[0] <= filed_to and row[3]]
        _FILE_RUN.execute(connection, late)  # those that are filed already cost a look-up
        if _INSERT_QUARANTINE in self._rows:
            connection.execute(_TRIM_QUARANTINE, (_QUARANTINE_LIMIT,))

    def _change_contacts(self, connection: apsw.Connection) -> None:
        """Read, merge and write the people of whom more is new than that they wrote."""
        numbers = sorted({change.number for change in self._contacts})
        known: dict[str, Contact] = {}
        for portion in (numbers[start : start + 1_000] for start in range(0, len(numbers), 1_000)):
            question = _READ_CONTACTS.format(",".join(["(?)"] * len(portion)))
            known |= {row[0]: rows.contact_from(row) for row in connection.execute(question, portion)}
        for change in self._contacts:
            known[change.number] = changed(known.get(change.number), change)
        _PUT_CONTACT.execute(connection, [rows.contact_row(contact) for contact in known.values()])


def _plain(change: ContactChange) -> ContactChange:
    """The change with its values as JSON gives them. Raises what encoding raises."""
    for text in (change.number, change.language, change.timezone):
        if isinstance(text, str):
            text.encode()
    return replace(change, values=codec.decode_data(codec.encode_data(change.values)))
