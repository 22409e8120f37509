"""The one writer: a thread that owns the writing connection, groups what waits into one commit, and checkpoints.

A unit is an event to accept or a set of `Changes`. The thread takes all units that wait, writes them in one
transaction with one fsync, and reports to each on the event loop's thread. While it is at work the next group
gathers, so the group grows with the load by itself.

Repeats are told apart by key. An index over random keys costs as much as all else of an event together (each key
dirties a page of its own), so the keys of recent events are kept in memory (`recent.Recent`, on the loop's side) and
moved to the indexed table `seen` in sorted portions when there is time. Here an event is only looked up in `seen`.
"""

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import apsw
import msgspec

from sinchflow.errors import JournalError, Unstorable
from sinchflow.journal import rows
from sinchflow.journal.journal import Changes

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


_INSERT_EVENT = Statement("INSERT INTO event (id, received_at, key, data) VALUES {}", 4)
_INSERT_UNROUTED = Statement("INSERT INTO unrouted (event) VALUES {}", 1)
_DELETE_UNROUTED = Statement("DELETE FROM unrouted WHERE event IN (VALUES {})", 1)
_UPSERT_RUN = Statement(
    "INSERT INTO run (id, flow, account, contact, started_at, status, data) VALUES {} "
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, data = excluded.data",
    7,
)
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
#: The order of execution: what refers to a row comes after it.
_ORDER = (
    _INSERT_SOURCE, _UPSERT_RUN, _INSERT_SEND, _UPDATE_SEND, _INSERT_CALL, _DELETE_UNROUTED, _INSERT_QUARANTINE,
    _INSERT_KEPT,
)  # fmt: skip
#: Statements by id in which only the last of several rows counts.
_LAST_COUNTS = frozenset({_UPSERT_RUN, _UPDATE_SEND})

_KNOWN_KEYS = "SELECT key FROM seen WHERE key IN (VALUES {})"
_NEXT_KEYS = "SELECT id, key FROM event WHERE id > ? ORDER BY id LIMIT ?"
_MOVE_KEYS = "INSERT OR IGNORE INTO seen SELECT key FROM event WHERE id > ? AND id <= ? ORDER BY key"
_NOTE_MOVED = "INSERT INTO meta VALUES ('seen_to', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
#: Keys moved to `seen` at a time: few when idle, so that the next event hardly waits, many when memory asks for it.
_MOVE_IDLE = 200
_MOVE_BUSY = 10_000
#: Keys in memory from which on they are moved when idle, and at which they are moved in any case.
_KEYS_IDLE = 5_000
_KEYS_BUSY = 100_000

#: Newest bodies kept in quarantine.
_QUARANTINE_LIMIT = 1_000
_TRIM_QUARANTINE = "DELETE FROM quarantine WHERE id <= (SELECT id FROM quarantine ORDER BY id DESC LIMIT 1 OFFSET ?)"

#: Units in one commit at most, so that an acknowledgement never waits for a very long transaction.
_GROUP_LIMIT = 2_000
#: Pages in the write-ahead log at which a checkpoint is made when idle, and at which it is made in any case.
_CHECKPOINT_IDLE = 1_000
_CHECKPOINT_BUSY = 20_000

#: One unit and whom to tell: an event's row with an `Accepted`, `Changes` with a `Done`.
Unit = tuple[tuple[Any, ...] | Changes, Callable[[Any], None]]
#: Callbacks, each with what to tell it.
Results = list[tuple[Callable[[Any], None], Any]]


class Writer(threading.Thread):
    """Runs until `stop`. `connection` is used by this thread alone from here on."""

    def __init__(
        self,
        connection: apsw.Connection,
        loop: asyncio.AbstractEventLoop,
        *,
        seen_to: int,
        unmoved: int,
        moved: Callable[[list[bytes]], None],
    ) -> None:
        """seen_to: events up to this id have their keys in `seen`. unmoved: how many have not. moved: told of moves."""
        super().__init__(name="journal-writer", daemon=True)
        self._connection = connection
        self._loop = loop
        self._seen_to = seen_to
        self._unmoved = unmoved
        self._moved = moved
        self._units: queue.SimpleQueue[list[Unit] | None] = queue.SimpleQueue()
        self._log_pages = 0
        connection.wal_autocheckpoint(0)
        connection.set_wal_hook(self._note_log_size)

    def put(self, units: list[Unit]) -> None:
        """Hand in units; their callbacks are called on the loop's thread."""
        self._units.put(units)

    def stop(self) -> None:
        """Write what was handed in, then end; waits for it."""
        self._units.put(None)
        self.join()

    def run(self) -> None:
        """The thread's work: gather, write, report, again."""
        stopping = False
        while not stopping:
            units = self._units.get()
            group: list[Unit] = []
            while True:
                if units is None:
                    stopping = True
                    break
                group += units
                if len(group) >= _GROUP_LIMIT:
                    break
                try:
                    units = self._units.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._report(self._write(group))
            self._move_keys_if_due()
            self._checkpoint_if_due()
        self._connection.close()

    def _report(self, results: Results) -> None:
        try:
            self._loop.call_soon_threadsafe(_deliver, self._loop, results)
        except RuntimeError:  # the loop is closed: nobody waits for an answer any more, the data is on disk
            return

    def _write(self, group: list[Unit]) -> Results:
        """Write a group in one transaction. Returns each unit's callback with what to tell it."""
        results: Results = []
        events: list[tuple[tuple[Any, ...], Callable[[Any], None]]] = []
        statements: dict[Statement, list[tuple[Any, ...]]] = {}
        for unit, done in group:
            if isinstance(unit, tuple):
                events.append((unit, done))
                continue
            try:
                _add(statements, unit)
                results.append((done, None))
            except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, RecursionError) as error:
                # Rows are made before the transaction begins, so one that cannot be encoded spoils no other.
                results.append((done, Unstorable(f"cannot be stored: {error}")))
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            results += self._insert_events(events)
            for statement in _ORDER:
                if statement in statements:
                    rows_ = statements[statement]
                    if statement in _LAST_COUNTS:
                        rows_ = list({row[0]: row for row in rows_}.values())
                    statement.execute(self._connection, rows_)
            if _INSERT_QUARANTINE in statements:
                execute(_TRIM_QUARANTINE, (_QUARANTINE_LIMIT,))
            execute("COMMIT")
        except apsw.Error as error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            reason = explain(error, self._connection.filename)
            return [(done, reason) for _, done in group]
        self._unmoved += len(events)
        return results

    def _insert_events(self, events: list[tuple[tuple[Any, ...], Callable[[Any], None]]]) -> Results:
        if not events:
            return []
        known = self._known([row[2] for row, _ in events]) if self._seen_to else frozenset()
        fresh = [row for row, _ in events if row[2] not in known]
        _INSERT_EVENT.execute(self._connection, fresh)
        _INSERT_UNROUTED.execute(self._connection, [row[:1] for row in fresh])
        return [(done, row[2] not in known) for row, done in events]

    def _known(self, keys: list[bytes]) -> frozenset[bytes]:
        """Those of the keys that are in `seen`."""
        question = _KNOWN_KEYS.format(",".join(["(?)"] * len(keys)))
        return frozenset(row[0] for row in self._connection.execute(question, keys))

    def _move_keys_if_due(self) -> None:
        """Move keys from memory to `seen`: in portions, as long as nobody waits, or until memory is free again."""
        while self._unmoved >= _KEYS_BUSY or (self._unmoved >= _KEYS_IDLE and self._units.empty()):
            size = _MOVE_BUSY if self._unmoved >= _KEYS_BUSY else _MOVE_IDLE
            execute = self._connection.execute
            try:
                portion = list(execute(_NEXT_KEYS, (self._seen_to, size)))
                if not portion:
                    self._unmoved = 0
                    return
                last = portion[-1][0]
                execute("BEGIN IMMEDIATE")
                execute(_MOVE_KEYS, (self._seen_to, last))
                execute(_NOTE_MOVED, (str(last),))
                execute("COMMIT")
            except apsw.Error:  # nothing is lost: the keys stay in memory, and the next group reports what is wrong
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                return
            self._seen_to = last
            self._unmoved -= len(portion)
            self._report([(self._moved, [key for _, key in portion])])

    def _note_log_size(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._log_pages = pages
        return 0

    def _checkpoint_if_due(self) -> None:
        is_idle = self._units.empty()
        if self._log_pages >= _CHECKPOINT_BUSY or (is_idle and self._log_pages >= _CHECKPOINT_IDLE):
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:  # the data is safe in the log; the next group tries again and reports what is wrong
                return
            self._log_pages = 0


def _deliver(loop: asyncio.AbstractEventLoop, results: Results) -> None:
    """Tell everybody, each in a callback of its own, so that one that fails keeps nothing from the others."""
    for done, result in results:
        loop.call_soon(done, result)


def _add(statements: dict[Statement, list[tuple[Any, ...]]], changes: Changes) -> None:
    """Sort a unit's rows by statement. All rows are made before any is added: a unit is stored whole or not at all."""
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
        (_INSERT_KEPT, [(run, address, msgspec.json.encode(items).decode()) for run, address, items in changes.kept]),
        (
            _INSERT_QUARANTINE,
            [(it.id, rows.to_ms(it.received_at), it.path, it.reason, it.body) for it in changes.quarantined],
        ),
    )
    for statement, bindings in made:
        if bindings:
            statements.setdefault(statement, []).extend(bindings)


def explain(error: apsw.Error, path: str) -> JournalError:
    """What went wrong with the journal's file and how to mend it, in one sentence."""
    remedy = {
        apsw.FullError: "the disk is full: free some space",
        apsw.ReadOnlyError: "it cannot be written: check the folder's permissions and that the disk is not read-only",
        apsw.CantOpenError: "it cannot be opened: check that the folder exists and may be written",
        apsw.IOError: "the disk reports an error: check the machine's log",
        apsw.CorruptError: "it is damaged: restore a backup",
        apsw.NotADBError: "it is not a SQLite database: name another folder with --data",
        apsw.BusyError: "another program holds it locked",
    }
    for kind, words in remedy.items():
        if isinstance(error, kind):
            return JournalError(f"journal {path}: {words} ({error})")
    return JournalError(f"journal {path}: {error}")
