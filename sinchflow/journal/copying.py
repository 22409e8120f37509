"""A consistent copy of a journal, while a daemon works on it or without one; and putting one back.

The copy is of one moment: all of it is read within one read transaction. The daemon's writer is not held up by that;
only its log cannot be used anew until the copy is done, so it grows by what is written meanwhile. Pages are copied,
with rests: while SQLite's own way to write a copy (`VACUUM INTO`) was at work on 2 GB, webhooks waited up to 0.9 s for
their acknowledgement, with pages up to 0.03 s; and it can tell no progress.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import sleep

import apsw
import msgspec

from sinchflow.errors import CannotStart, JournalError, UsageError
from sinchflow.journal import restored, rows
from sinchflow.journal.explain import explain
from sinchflow.journal.identity import APPLICATION_ID, SCHEMA_VERSION, refuse_empty, refuse_foreign

#: Pages copied at a time, and the rest after that: the disk is the daemon's, too.
_PAGES = 500
_REST_S = 0.002

_HOLDS = {
    "events": "event",
    "runs": "run",
    "open_runs": "run WHERE status = 'running'",
    "sends": "send",
    "open_sends": "send WHERE is_open",
}
#: Told how much of what is done, from 0 to 1: `copied`, then `checked`.
Told = Callable[[float], None]


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as it stands in its file. holds: counts of `events runs open_runs sends open_sends`."""

    path: str
    taken_at: datetime
    size_bytes: int
    schema: int
    holds: dict[str, int]


def back_up(journal: Path, target: Path, now: datetime, *, is_forced: bool, told: Told) -> Backup:
    """Copy the journal to the file `target`, whole or not at all. told: how far it is, from 0 to 1.

    Raises CannotStart when there is no journal, UsageError when the target is none, JournalError when copying fails.
    """
    if not journal.exists():
        raise CannotStart(f"no journal at {journal}: start the daemon once, or name its folder with --data")
    if target.is_dir():
        raise UsageError(f"{target} is a directory: name a file in it")
    if target.exists() and os.path.samefile(target, journal):
        raise UsageError(f"{target} is the journal itself: name another file")
    if target.exists() and not is_forced:
        raise UsageError(f"{target} exists already: name another file, or replace it with --force")
    with _Fresh(target) as fresh:
        try:
            _copy(journal, fresh.path, told)
            _mark(fresh.path, now)
            _demand_sound(fresh.path)
        except apsw.Error as error:
            raise explain(error, str(journal)) from error
        found = look_at(fresh.path)
        fresh.put_in_place()
    return msgspec.structs.replace(found, path=str(target))


def look_at(path: Path) -> Backup:
    """What is in a backup. Raises UsageError when the file is none, CannotStart when it is of a newer sinchflow."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        connection = _open_still(path)
        try:
            if connection.pragma("application_id") != APPLICATION_ID:
                raise UsageError(f"{path} is no backup of a journal: name a file that `sinchflow backup` wrote")
            schema = int(connection.pragma("user_version"))
            if schema > SCHEMA_VERSION:
                raise CannotStart(f"{path} was written by a newer sinchflow (schema {schema}): upgrade sinchflow")
            taken_at = restored.taken_at(connection)
            if taken_at is None:
                raise UsageError(
                    f"{path} is a journal but no backup: only what `sinchflow backup` wrote can be restored, because a "
                    "plain copy of a file at work may lack its newest part"
                )
            holds = {name: int(connection.execute(f"SELECT count(*) FROM {what}").get) for name, what in _HOLDS.items()}  # noqa: S608
        finally:
            connection.close()
    except apsw.Error as error:
        raise UsageError(f"{path} cannot be read as a backup: {error}") from error
    return Backup(path=str(path), taken_at=taken_at, size_bytes=path.stat().st_size, schema=schema, holds=holds)


def put_back(backup: Path, journal: Path, now: datetime, *, is_forced: bool, told: Told) -> Path | None:
    """Copy a backup to where a journal is. Gives where the journal that was there is now; None: there was none.

    The caller holds the data folder's lock. Raises as `back_up`, also when a journal is in the way.
    """
    look_at(backup)
    if journal.exists() and os.path.samefile(backup, journal):
        raise UsageError(f"{backup} is in its place already: start the daemon")
    if journal.exists() and journal.stat().st_size and not is_forced:
        raise UsageError(
            f"there is a journal at {journal} already: with --force it is kept beside the restored one, under another "
            "name"
        )
    with _Fresh(journal) as fresh:
        _copy_file(backup, fresh.path, told)
        try:
            _demand_sound(fresh.path)
        except apsw.Error as error:
            raise JournalError(f"{backup} is damaged: take another backup ({error})") from error
        kept = _keep_former(journal, now)
        fresh.put_in_place()
    return kept


class _Fresh:
    """A file that is written beside its place and gets there whole.

    It is locked while it is written, so that what a killed process left is told from what another one is writing.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(f".{target.name}.{os.getpid()}.part")

    def __enter__(self) -> "_Fresh":
        try:
            _remove_left(self._target.parent)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            raise CannotStart(f"{self._target} cannot be written: {error.strerror}") from error
        return self

    def put_in_place(self) -> None:
        """It is whole: flush it, and give it its name."""
        try:
            _sync(self.path)
            self.path.replace(self._target)
            _sync(self._target.parent)
        except OSError as error:
            raise JournalError(f"{self._target} cannot be written: {error.strerror}") from error

    def __exit__(self, *_: object) -> None:
        _remove(self.path)
        os.close(self._file)


def _remove_left(folder: Path) -> None:
    """What backups left here that were killed."""
    for path in folder.glob(".*.part"):
        if not path.stem.rpartition(".")[2].isdecimal():
            continue
        with suppress(OSError):  # locked: another one is at work; or gone meanwhile
            file = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(path)
            finally:
                os.close(file)
    for path in folder.glob(".*.part-journal"):
        if not path.with_name(path.name.removesuffix("-journal")).exists():
            path.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    for end in ("-journal", "-wal", "-shm", ""):
        with suppress(OSError):
            path.with_name(f"{path.name}{end}").unlink(missing_ok=True)


def _copy(journal: Path, target: Path, told: Told) -> None:
    source = apsw.Connection(str(journal), flags=apsw.SQLITE_OPEN_READONLY)
    copy = apsw.Connection(str(target))
    try:
        source.set_busy_timeout(5_000)
        refuse_foreign(source, journal)
        refuse_empty(source, journal)
        copy.pragma("synchronous", "off")  # it is flushed as a whole before it gets its name
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # from here on all is of this moment
        with copy.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(_PAGES)
                told(0.8 * (1 - backup.remaining / max(1, backup.page_count)))
                sleep(_REST_S)
        source.execute("COMMIT")
    finally:
        copy.close()
        source.close()


def _mark(copy: Path, now: datetime) -> None:
    """Make it known as a backup; without a log, see `restored.refuse_log_of_another`."""
    connection = apsw.Connection(str(copy))
    try:
        connection.pragma("journal_mode", "delete")
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (restored.MARKER, str(rows.to_ms(now))))
    finally:
        connection.close()


def _open_still(path: Path) -> apsw.Connection:
    """A file that nobody writes to: without locks, and without looking for a log."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"{path.absolute().as_uri()}?immutable=1", flags=flags)


def _demand_sound(copy: Path) -> None:
    connection = _open_still(copy)
    try:
        found = connection.execute("PRAGMA quick_check(1)").get
    finally:
        connection.close()
    if found != "ok":
        raise JournalError(f"what was copied is damaged: {found}; run `sinchflow doctor`, and keep your older backups")


def _copy_file(source: Path, target: Path, told: Told) -> None:
    try:
        whole, done = max(1, source.stat().st_size), 0
        with source.open("rb") as reader, target.open("wb") as writer:
            while part := reader.read(4 * 1024 * 1024):
                writer.write(part)
                done += len(part)
                told(0.8 * done / whole)
    except OSError as error:
        raise JournalError(f"{source} cannot be copied to {target.parent}: {error.strerror}") from error


def _keep_former(journal: Path, now: datetime) -> Path | None:
    """Give the journal that is there another name besides its own, which the restored one takes over from it.

    So there is a whole journal at its place at any moment. Its log goes into it first: a log that stayed would be
    written into the restored journal.
    """
    if not journal.exists():
        return None
    kept = journal.with_name(f"{journal.name}.before-restore-{now:%Y%m%dT%H%M%S}")
    try:
        if not _fold_log(journal):
            _move(journal, kept, ("-wal", "-shm", "-journal", ""))
            return kept
        try:
            os.link(journal, kept)
        except OSError:  # a file system without links
            _move(journal, kept, ("",))
        else:
            _sync(journal.parent)
    except OSError as error:
        raise JournalError(f"{journal} cannot be moved away: {error.strerror}") from error
    return kept


def _fold_log(journal: Path) -> bool:
    """Write the log into the journal and remove it; whether there is none any more. A damaged journal may keep its."""
    logs = [journal.with_name(f"{journal.name}{end}") for end in ("-wal", "-journal")]
    with suppress(apsw.Error):
        connection = apsw.Connection(str(journal), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            if connection.pragma("application_id") == APPLICATION_ID:
                connection.pragma("synchronous", "full")
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            connection.close()
    return not any(log.exists() and log.stat().st_size for log in logs)


def _move(journal: Path, kept: Path, ends: tuple[str, ...]) -> None:
    for end in ends:
        path = journal.with_name(f"{journal.name}{end}")
        if path.exists():
            path.rename(kept.with_name(f"{kept.name}{end}"))


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
