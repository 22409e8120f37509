"""The journal on SQLite: one file, one writing thread, one lock.

`synchronous=FULL` in WAL mode makes each commit one fsync of the log; a commit survives power loss (sqlite.org,
"PRAGMA synchronous"). A lock file beside the journal keeps a second daemon out; the kernel releases it when the
process dies, however it dies.
"""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import msgspec

from sinchflow.errors import CannotStart, JournalError, Unstorable
from sinchflow.journal import restored, rows
from sinchflow.journal.explain import explain
from sinchflow.journal.forget import Erasure, Search
from sinchflow.journal.identity import APPLICATION_ID, SCHEMA_VERSION, refuse_foreign
from sinchflow.journal.journal import (
    Accepted,
    CallAnswer,
    Changes,
    Done,
    FlowSource,
    ForgetDone,
    RetainDone,
    SendOrigin,
    Snapshot,
    Suspended,
    Tick,
)
from sinchflow.journal.person import Person
from sinchflow.journal.reader import open_reader
from sinchflow.journal.recent import Recent
from sinchflow.journal.retained import CALLS_KEPT, Retained
from sinchflow.journal.sweep import Progress, Sweep
from sinchflow.journal.writer import Unit, Writer
from sinchflow.model.contact import Contact, Suppression
from sinchflow.model.event import Event
from sinchflow.model.project import Retention
from sinchflow.model.run import Run
from sinchflow.model.send import SendIds, SendSummary

#: Journals of before 0.2 do not say when they were begun: not later than their first event.
_NOTE_BIRTH = (
    "INSERT OR IGNORE INTO meta VALUES ('born_at', "
    "min(?, coalesce((SELECT received_at FROM event ORDER BY id LIMIT 1), 9000000000000000)))"
)
FILE_NAME = "journal.sqlite3"


class SqliteJournal:
    """A `Journal` in `folder`. Opens or creates the file and takes the lock.

    Raises CannotStart when the folder cannot be written, the file is not a journal, is damaged or of a newer
    version, or another daemon has the lock.
    """

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.path = folder / FILE_NAME
        self._lock = FolderLock(folder)
        try:
            connection = _open(self.path)
            self._reader = open_reader(self.path)
            self.identity = self._reader.meta("identity") or ""
            self.send_ids = SendIds(identity=self.identity, former=restored.former(self._reader.meta("former")))
            self.born_at = rows.from_ms(int(self._reader.meta("born_at") or 0))
            self._last_id = max(self._reader.last_id(), int(self._reader.meta("ids_from") or 0))
            seen_to = int(self._reader.meta("seen_to") or 0)
            self._salt = bytes.fromhex(self._reader.meta("salt") or "")
            keys = self._reader.keys_after(seen_to)
        except BaseException:
            self._lock.release()
            raise
        self._recent = Recent(keys)
        self._writer = Writer(
            connection, loop, salt=self._salt, filed_to=int(self._reader.meta("filed_to") or 0),
            seen_to=seen_to, unmoved=len(keys), moved=self._recent.forget,
        )  # fmt: skip
        self.meter = self._writer.meter
        self._loop = loop
        self._gathered: list[Unit] = []
        self._searches: list[Search] = []
        self._progress = Progress()
        self._sweep: Sweep | None = None
        self._is_closed = False
        self._writer.start()

    def new_id(self) -> int:
        """See `Journal.new_id`."""
        self._last_id += 1
        return self._last_id

    def accept(self, event: Event, done: Accepted) -> None:
        """See `Journal.accept`."""
        key = rows.event_key(event)
        try:
            row = rows.event_row(event, key)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            done(Unstorable(f"cannot be stored: {error}"))
            return
        if self._recent.is_repeat(key, done):
            return

        def stored(result: bool | Exception) -> None:
            self._recent.settle(key, result)
            done(result)

        self._gathered.append((row, stored))
        if len(self._gathered) == 1:
            self._loop.call_soon(self._hand_over)

    def commit(self, changes: Changes, done: Done) -> None:
        """See `Journal.commit`."""
        self._gathered.append((changes, done))
        self._hand_over()

    def _hand_over(self) -> None:
        """Wake the writer once for all that one turn of the loop has brought: each wake costs a switch of threads."""
        if self._gathered:
            units, self._gathered = self._gathered, []
            self._writer.put(units)

    def load(self, since: datetime) -> Snapshot:
        """See `Journal.load`."""
        return self._reader.load(since)

    def unrouted(self, after: int, limit: int) -> Sequence[Event]:
        """See `Journal.unrouted`."""
        return self._reader.unrouted(after, limit)

    def suspended(self) -> Suspended:
        """See `Journal.suspended`."""
        return self._reader.suspended()

    def event(self, event_id: int) -> Event | None:
        """See `Journal.event`."""
        return self._reader.event(event_id)

    def source(self, digest: str) -> FlowSource | None:
        """See `Journal.source`."""
        return self._reader.source(digest)

    def kept_items(self, run_id: int, address: str) -> Sequence[Any]:
        """See `Journal.kept_items`."""
        return self._reader.kept_items(run_id, address)

    def send_origin(self, send_id: int) -> SendOrigin | None:
        """See `Journal.send_origin`."""
        return self._reader.send_origin(send_id)

    def sends(self, states: Iterable[str], limit: int) -> Sequence[SendSummary]:
        """See `Journal.sends`."""
        return self._reader.sends(states, limit)

    def quarantined(self) -> int:
        """See `Journal.quarantined`."""
        return self._reader.quarantined()

    def send(self, send_id: int) -> SendSummary | None:
        """See `Journal.send`."""
        return self._reader.send(send_id)

    def contact(self, number: str) -> Contact | None:
        """See `Journal.contact`."""
        return self._reader.contact(number)

    def contacts(self, limit: int, after: str = "") -> Sequence[Contact]:
        """See `Journal.contacts`."""
        return self._reader.contacts(limit, after)

    def suppressed(self) -> Sequence[Suppression]:
        """See `Journal.suppressed`."""
        return self._reader.suppressed()

    def pseudonym(self, number: str) -> str:
        """See `Journal.pseudonym`."""
        return rows.pseudonym(number, self._salt)

    def ticks(self) -> Sequence[Tick]:
        """See `Journal.ticks`."""
        return self._reader.ticks()

    def heard_of(self, values: Iterable[str], after: int) -> dict[str, dict[str, Any]]:
        """See `Journal.heard_of`."""
        return self._reader.heard_of(values, after)

    def setting(self, name: str) -> str | None:
        """See `Journal.setting`."""
        return self._reader.setting(name)

    def note(self, event_id: int) -> dict[str, Any] | None:
        """See `Journal.note`."""
        return self._reader.note(event_id)

    def answer(self, event: Event) -> CallAnswer | None:
        """See `Journal.answer`."""
        return self._reader.answer(event)

    def run(self, run_id: int) -> Run | None:
        """See `Journal.run`."""
        return self._reader.run(run_id)

    def runs_of(self, contact: str, limit: int) -> Sequence[Run]:
        """See `Journal.runs_of`."""
        return self._reader.runs_of(contact, limit)

    def forget(self, number: str, done: ForgetDone) -> None:
        """See `Journal.forget`."""
        upto = self._last_id

        def found(search: Search, result: Erasure | Exception) -> None:
            self._searches.remove(search)
            if self._is_closed and not isinstance(result, Exception):
                result = JournalError("the journal was closed before anything was forgotten: ask again")
            if isinstance(result, Exception):
                done(result)
            else:
                self._gathered.append((result, done))
                self._hand_over()

        def told(result: Erasure | Exception) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for an answer any more
                self._loop.call_soon_threadsafe(found, search, result)

        def search_now(error: Exception | None) -> None:
            """All that was handed in before is on disk."""
            if error is None and self._is_closed:
                error = JournalError("the journal was closed before anything was forgotten: ask again")
            if error is not None:
                done(error)
                return
            self._searches.append(search)
            search.start()

        search = Search(self.path, Person(number), upto, told)
        self.commit(Changes(), search_now)

    def retain(self, rules: Retention, now: datetime, least: timedelta, done: RetainDone) -> None:
        """See `Journal.retain`."""

        def told(result: Retained | Exception) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for an answer any more
                self._loop.call_soon_threadsafe(done, result)

        writer = self._writer
        self._sweep = Sweep(
            self.path, rules, now, least, progress=self._progress, chores=writer.chores,
            stored_sources=writer.stored_sources, told=told,
        )  # fmt: skip
        self._sweep.start()

    def close(self) -> None:
        """See `Journal.close`."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.stop()
        for search in self._searches:
            search.stop()
        self._hand_over()
        self._writer.stop()
        self._reader.close()
        self._lock.release()


def _open(path: Path) -> apsw.Connection:
    """The writing connection to a journal of this release's schema, made or upgraded where needed."""
    try:
        _make_private(path)
        restored.refuse_log_of_another(path)
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(5_000)
        refuse_foreign(connection, path)
        # Until there is a log: a rollback journal that is deleted must not come back after a loss of power.
        connection.pragma("synchronous", "extra")
        connection.pragma("secure_delete", True)  # forgetting somebody: no former version stays in the file
        if restored.is_backup(connection):  # before there is a log: see `refuse_log_of_another`
            _upgrade(connection)
            restored.take_over(connection, datetime.now(UTC), secrets.token_hex(4))
        # Without auto_vacuum, which cost 5 % of all commits when measured: room that became free is used again.
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("cache_size", -16_384)  # KiB; the indexes' hot pages
        connection.pragma("journal_size_limit", 128 * 1024 * 1024)
        _upgrade(connection)
        now = datetime.now(UTC)
        connection.execute(_NOTE_BIRTH, (rows.to_ms(now),))
        oldest = rows.to_ms(now - CALLS_KEPT)
        connection.execute("DELETE FROM call WHERE started_at < ?", (oldest,))
    except apsw.Error as error:
        raise CannotStart(str(explain(error, str(path)))) from error
    return connection


def _make_private(path: Path) -> None:
    """A new file is for its owner's eyes only; SQLite gives those beside it the same mode."""
    with suppress(OSError):  # there already, or not to be written, which SQLite says better
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _upgrade(connection: apsw.Connection) -> None:
    """Apply the schema files that the journal lacks, each in a transaction with its version."""
    for version in range(connection.pragma("user_version") + 1, SCHEMA_VERSION + 1):
        script = resources.files("sinchflow.journal").joinpath("schema", f"{version:04}.sql").read_text("utf-8")
        with connection:
            for _ in connection.execute(script):
                pass
            if version == 1:
                connection.execute("INSERT INTO meta VALUES ('identity', ?)", (secrets.token_hex(4),))
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", version)


def _make_folder(folder: Path) -> None:
    """With the folders above it, each known to the disk by its name: else all of it could go with the power."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        above = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


class FolderLock:
    """An exclusive lock on the data folder; the file holds the owner's pid."""

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            _make_folder(folder)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CannotStart(
                f"the data folder {folder} cannot be written ({error.strerror}): "
                "check its permissions, or name another with --data"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise CannotStart(
                f"another sinchflow daemon (pid {owner}) works on the journal in {folder}: "
                "stop it first, or name another folder with --data"
            ) from error
        with suppress(OSError):  # the disk is full: the lock holds all the same, only the pid is not told
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next daemon in."""
        with suppress(OSError):
            os.close(self._file)
