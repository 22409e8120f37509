"""The one writer: a thread that owns the writing connection, groups what waits into one commit, and checkpoints.

A unit is an event to accept or a set of `Changes`. The thread takes all units that wait, writes them in one
transaction with one fsync, and reports to each on the event loop's thread. While it is at work the next group
gathers, so the group grows with the load by itself.

A unit that cannot be written is handed in again by whoever has it. So that none overtakes it, all that were handed in
before its owner knew are refused as well.

Repeats are told apart by key. An index over random keys costs as much as all else of an event together (each key
dirties a page of its own), so the keys of recent events are kept in memory (`recent.Recent`, on the loop's side) and
moved to the indexed table `seen` in sorted portions when there is time. Here an event is only looked up in `seen`.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import apsw
import msgspec

from sinchflow.errors import JournalError, Unstorable
from sinchflow.journal.batch import INSERT_EVENT, INSERT_UNROUTED, Batch
from sinchflow.journal.chores import Chores
from sinchflow.journal.explain import explain
from sinchflow.journal.forget import Erasure
from sinchflow.journal.journal import Changes, Forgotten
from sinchflow.journal.meter import CommitMeter
from sinchflow.journal.place import Place

_KNOWN_KEYS = "SELECT key FROM seen WHERE key IN (VALUES {})"
_NEXT_KEYS = "SELECT id, key FROM event WHERE id > ? ORDER BY id LIMIT ?"
_MOVE_KEYS = "INSERT OR IGNORE INTO seen SELECT key FROM event WHERE id > ? AND id <= ? ORDER BY key"
_NOTE_MOVED = "INSERT INTO meta VALUES ('seen_to', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_NEXT_RUNS = "SELECT id FROM run WHERE id > ? ORDER BY id LIMIT ?"
_FILE_RUNS = (
    "INSERT OR IGNORE INTO run_of SELECT contact, id FROM run "
    "WHERE id > ? AND id <= ? AND contact IS NOT NULL ORDER BY contact, id"
)
_NOTE_FILED = "INSERT INTO meta VALUES ('filed_to', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
#: Keys moved to `seen` at a time: few when idle, so that the next event hardly waits, many when memory asks for it.
_MOVE_IDLE = 200
_MOVE_BUSY = 10_000
#: Keys in memory from which on they are moved when idle, and at which they are moved in any case.
_KEYS_IDLE = 5_000
_KEYS_BUSY = 100_000

_HAS_REMNANTS = "SELECT 1 FROM meta WHERE name = 'remnants'"
_NOTE_NO_REMNANTS = "DELETE FROM meta WHERE name = 'remnants'"

#: Units in one commit at most, so that an acknowledgement never waits for a very long transaction.
_GROUP_LIMIT = 2_000
#: Pages in the write-ahead log at which a checkpoint is made when idle, and at which it is made in any case.
_CHECKPOINT_IDLE = 1_000
_CHECKPOINT_BUSY = 20_000

#: One unit and whom to tell: an event's row with an `Accepted`, `Changes` with a `Done`, an `Erasure` with a
#: `ForgetDone`.
Unit = tuple[tuple[Any, ...] | Changes | Erasure, Callable[[Any], None]]
#: In a row with units: from here on they were handed in by somebody who knows what was refused.
Heard = Literal["heard"]
#: Callbacks, each with what to tell it.
Results = list[tuple[Callable[[Any], None], Any]]


class Writer(threading.Thread):
    """Runs until `stop`. `connection` is used by this thread alone from here on."""

    def __init__(
        self,
        connection: apsw.Connection,
        loop: asyncio.AbstractEventLoop,
        *,
        salt: bytes,
        filed_to: int,
        seen_to: int,
        unmoved: int,
        moved: Callable[[list[bytes]], None],
    ) -> None:
        """salt: for pseudonyms. filed_to: see `run_of`. seen_to: events up to this id have their keys in `seen`.

        unmoved: how many have not. moved: told of moves.
        """
        super().__init__(name="journal-writer", daemon=True)
        self._connection = connection
        self._place = Place(Path(connection.filename))
        self._loop = loop
        self._salt = salt
        self._filed_to = filed_to
        self._unfiled = _KEYS_IDLE  # how many there are is not known before the first look
        self._seen_to = seen_to
        self._unmoved = unmoved
        self._moved = moved
        self._units: queue.SimpleQueue[list[Unit] | Heard | None] = queue.SimpleQueue()
        self._refused: Exception | None = None  # why, until it is heard
        self.log_pages = 0
        self.meter = CommitMeter()
        self.chores = Chores(wake=lambda: self._units.put([]))
        #: digests of the documents that were stored since the process began
        self.stored_sources: set[str] = set()
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
                if units == "heard":
                    break
                group += units
                if len(group) >= _GROUP_LIMIT:
                    break
                try:
                    units = self._units.get_nowait()
                except queue.Empty:
                    break
            if group:
                began = perf_counter()
                self._report(self._write(group))
                self.meter.seconds.observe(perf_counter() - began)
                self.meter.units.observe(len(group))
            if units == "heard":
                self._refused = None
            self._move_keys_if_due()
            self._file_runs_if_due()
            self.chores.do_if_due(self._connection, is_idle=self._units.empty())
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
        erasures: list[tuple[Erasure, Callable[[Any], None]]] = []
        batch = Batch(self._salt)
        for unit, done in group:
            if isinstance(unit, tuple):
                events.append((unit, done))
                continue
            if isinstance(unit, Erasure):
                erasures.append((unit, done))
                continue
            if self._refused is not None:
                results.append((done, self._refused))
                continue
            try:
                batch.add(unit)
                results.append((done, None))
            except (msgspec.MsgspecError, UnicodeError, TypeError, ValueError, RecursionError) as error:
                # Rows are made before the transaction begins, so one that cannot be encoded spoils no other.
                results.append((done, Unstorable(f"cannot be stored: {error}")))
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            results += self._insert_events(events)
            self.stored_sources.update(batch.digests)
            batch.execute(self._connection, self._filed_to)
            self._place.check()
            execute("COMMIT")
        except (apsw.Error, JournalError) as error:
            self._roll_back()
            reason = explain(error, self._connection.filename) if isinstance(error, apsw.Error) else error
            self._refused = reason
            return [*((done, reason) for _, done in group), (self._note_heard, None)]
        self._unmoved += len(events)
        self._unfiled += batch.runs
        results += [(done, self._erase(erasure)) for erasure, done in erasures]
        return results

    def _note_heard(self, _: None) -> None:
        """On the loop's thread, once those whose units were refused have been told."""
        self._units.put("heard")

    def _roll_back(self) -> None:
        """Undo what failed; when even that fails, the next group's `BEGIN` does, and this is tried again.

        A chore that failed within its transaction could not set `synchronous` back.
        """
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute("PRAGMA synchronous = FULL")
        except apsw.Error:
            return

    def _erase(self, erasure: Erasure) -> Forgotten | Exception:
        """A transaction of its own; the bytes leave the file by `secure_delete`, and the log by a checkpoint."""
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            forgotten = erasure.erase(self._connection, self._salt)
            execute("COMMIT")
            if execute(_HAS_REMNANTS).fetchone() is not None:
                execute("VACUUM")
                execute(_NOTE_NO_REMNANTS)
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except (apsw.Error, msgspec.MsgspecError) as error:
            self._roll_back()
            if isinstance(error, apsw.Error):
                return explain(error, self._connection.filename)
            return JournalError(f"a row of the journal cannot be read: {error}")
        self.log_pages = 0
        return forgotten

    def _insert_events(self, events: list[tuple[tuple[Any, ...], Callable[[Any], None]]]) -> Results:
        if not events:
            return []
        known = self._known([row[2] for row, _ in events]) if self._seen_to else frozenset()
        fresh = [row for row, _ in events if row[2] not in known]
        INSERT_EVENT.execute(self._connection, fresh)
        INSERT_UNROUTED.execute(self._connection, [row[:1] for row in fresh])
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
                self._roll_back()
                return
            self._seen_to = last
            self._unmoved -= len(portion)
            self._report([(self._moved, [key for _, key in portion])])

    def _file_runs_if_due(self) -> None:
        """File runs under their contacts, as keys are moved to `seen`."""
        while self._unfiled >= _KEYS_BUSY or (self._unfiled >= _KEYS_IDLE and self._units.empty()):
            size = _MOVE_BUSY if self._unfiled >= _KEYS_BUSY else _MOVE_IDLE
            execute = self._connection.execute
            try:
                portion = [run_id for (run_id,) in execute(_NEXT_RUNS, (self._filed_to, size))]
                if not portion:
                    self._unfiled = 0
                    return
                execute("BEGIN IMMEDIATE")
                execute(_FILE_RUNS, (self._filed_to, portion[-1]))
                execute(_NOTE_FILED, (str(portion[-1]),))
                execute("COMMIT")
            except apsw.Error:  # nothing is lost: they are found in `run`, and the next group reports what is wrong
                self._roll_back()
                return
            self._filed_to = portion[-1]

    def _note_log_size(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.log_pages = pages
        return 0

    def _checkpoint_if_due(self) -> None:
        is_idle = self._units.empty()
        if self.log_pages >= _CHECKPOINT_BUSY or (is_idle and self.log_pages >= _CHECKPOINT_IDLE):
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:  # the data is safe in the log; the next group tries again and reports what is wrong
                return
            self.log_pages = 0


def _deliver(loop: asyncio.AbstractEventLoop, results: Results) -> None:
    """Tell everybody, each in a callback of its own, so that one that fails keeps nothing from the others."""
    for done, result in results:
        loop.call_soon(done, result)
