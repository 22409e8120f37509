"""The one writer: a thread that owns the writing connection, groups what waits into one commit, and checkpoints.

A unit is an event to accept or a set of `Changes`. The thread takes all units that wait, writes them in one
transaction with one fsync, and reports to each on the event loop's thread. While it is at work the next group
gathers, so the group grows with the load by itself.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import apsw
import msgspec

from sinchflow.errors import JournalError
from sinchflow.journal import rows
from sinchflow.journal.journal import Changes
from sinchflow.model.event import Event

_INSERT_EVENT = "INSERT INTO event (id, received_at, key, data) VALUES (?,?,?,?) ON CONFLICT DO NOTHING"
_INSERT_UNROUTED = "INSERT INTO unrouted (event) VALUES (?)"
_DELETE_UNROUTED = "DELETE FROM unrouted WHERE event = ?"
_UPSERT_RUN = (
    "INSERT INTO run (id, flow, account, contact, started_at, status, data) VALUES (?,?,?,?,?,?,?) "
    "ON CONFLICT (id) DO UPDATE SET status = excluded.status, data = excluded.data"
)
_INSERT_SEND = (
    "INSERT INTO send (id, run, recipient, account, created_at, state, is_open, attempt, due, call, message_id, "
    "reason, data) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_UPDATE_SEND = (
    "UPDATE send SET state = ?, is_open = ?, attempt = ?, due = ?, call = ?, message_id = ?, reason = ? WHERE id = ?"
)
_INSERT_CALL = "INSERT INTO call (id, account, started_at) VALUES (?,?,?)"
_INSERT_SOURCE = (
    "INSERT INTO flow_source (digest, name, file, line, language, source) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING"
)
_INSERT_QUARANTINE = "INSERT INTO quarantine (id, received_at, path, reason, body) VALUES (?,?,?,?,?)"
#: Newest bodies kept in quarantine.
_QUARANTINE_LIMIT = 1_000
_TRIM_QUARANTINE = "DELETE FROM quarantine WHERE id <= (SELECT id FROM quarantine ORDER BY id DESC LIMIT 1 OFFSET ?)"

#: Units in one commit at most, so that an acknowledgement never waits for a very long transaction.
_GROUP_LIMIT = 2_000
#: Pages in the write-ahead log at which a checkpoint is made when idle, and at which it is made in any case.
_CHECKPOINT_IDLE = 1_000
_CHECKPOINT_BUSY = 20_000

#: One unit and whom to tell: an `Event` with an `Accepted`, `Changes` with a `Done`.
Unit = tuple[Event | Changes, Callable[[Any], None]]


class Writer(threading.Thread):
    """Runs until `stop`. `connection` is used by this thread alone from here on."""

    def __init__(self, connection: apsw.Connection, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="journal-writer", daemon=True)
        self._connection = connection
        self._loop = loop
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._log_pages = 0
        connection.wal_autocheckpoint(0)
        connection.set_wal_hook(self._note_log_size)

    def put(self, unit: Unit) -> None:
        """Hand in a unit; its callback is called on the loop's thread."""
        self._units.put(unit)

    def stop(self) -> None:
        """Write what was handed in, then end; waits for it."""
        self._units.put(None)
        self.join()

    def run(self) -> None:
        """The thread's work: gather, write, report, again."""
        stopping = False
        while not stopping:
            unit = self._units.get()
            group: list[Unit] = []
            while True:
                if unit is None:
                    stopping = True
                    break
                group.append(unit)
                if len(group) >= _GROUP_LIMIT:
                    break
                try:
                    unit = self._units.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._report(self._write(group))
            self._checkpoint_if_due()
        self._connection.close()

    def _report(self, results: list[tuple[Callable[[Any], None], Any]]) -> None:
        try:
            self._loop.call_soon_threadsafe(_deliver, self._loop, results)
        except RuntimeError:  # the loop is closed: nobody waits for an answer any more, the data is on disk
            return

    def _write(self, group: list[Unit]) -> list[tuple[Callable[[Any], None], Any]]:
        """Write a group in one transaction. Returns each unit's callback with what to tell it."""
        results: list[tuple[Callable[[Any], None], Any]] = []
        events: list[tuple[tuple[Any, ...], Callable[[Any], None]]] = []
        statements: dict[str, list[tuple[Any, ...]]] = {}
        for unit, done in group:
            try:
                if isinstance(unit, Event):
                    events.append((rows.event_row(unit), done))
                else:
                    _add(statements, unit)
                    results.append((done, None))
            except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError) as error:
                # Rows are made before the transaction begins, so one that cannot be encoded spoils no other.
                results.append((done, JournalError(f"cannot be stored: {error}")))
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            results += self._insert_events(events)
            for statement, bindings in statements.items():
                self._connection.executemany(statement, bindings)
            if _INSERT_QUARANTINE in statements:
                execute(_TRIM_QUARANTINE, (_QUARANTINE_LIMIT,))
            execute("COMMIT")
        except apsw.Error as error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            reason = explain(error, self._connection.filename)
            return [(done, reason) for _, done in group]
        return results

    def _insert_events(
        self, events: list[tuple[tuple[Any, ...], Callable[[Any], None]]]
    ) -> list[tuple[Callable[[Any], None], bool]]:
        if not events:
            return []
        before = self._connection.total_changes()
        self._connection.executemany(_INSERT_EVENT, [row for row, _ in events])
        new_ids: set[int] | None = None
        if self._connection.total_changes() - before != len(events):
            listed = ",".join(str(row[0]) for row, _ in events)
            new_ids = {row[0] for row in self._connection.execute(f"SELECT id FROM event WHERE id IN ({listed})")}  # noqa: S608
        accepted = [(done, new_ids is None or row[0] in new_ids) for row, done in events]
        fresh = [(row[0],) for (row, _), (_, is_new) in zip(events, accepted, strict=True) if is_new]
        self._connection.executemany(_INSERT_UNROUTED, fresh)
        return accepted

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


def _deliver(loop: asyncio.AbstractEventLoop, results: list[tuple[Callable[[Any], None], Any]]) -> None:
    """Tell everybody, each in a callback of its own, so that one that fails keeps nothing from the others."""
    for done, result in results:
        loop.call_soon(done, result)


def _add(statements: dict[str, list[tuple[Any, ...]]], changes: Changes) -> None:
    """Sort a unit's rows by statement. All rows are made before any is added: a unit is stored whole or not at all."""
    made: tuple[tuple[str, Sequence[tuple[Any, ...]]], ...] = (
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
