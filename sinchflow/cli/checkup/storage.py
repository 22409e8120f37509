"""The data folder and the journal in it: permissions, disk, what lies there, whether it is whole."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sinchflow.cli.checkup.finding import Finding, fail, ok, skipped, warn

if TYPE_CHECKING:
    import apsw

#: Their locks and shared memory do not do what SQLite's write-ahead log needs (sqlite.org/wal.html, section 1).
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "beegfs",
    "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.cephfs", "virtiofs",
})  # fmt: skip
_FORGETFUL = {"tmpfs": "is memory: all is lost with a restart of the machine", "ramfs": "is memory: all is lost"}
_LAYER = frozenset({"overlay", "aufs", "fuse.overlayfs"})
_LITTLE_ROOM_BYTES = 1_000_000_000
_FSYNCS = 20
#: Each acknowledged webhook waits for one of them.
_SLOW_FSYNC_S = 0.05
#: As long as a checkpoint of the daemon's may take; a longer log is not being checkpointed.
_LONG_LOG_BYTES = 512 * 1024 * 1024
_LOOK_S = 5.0


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """Where a folder is: of what type, and mounted where."""

    kind: str
    point: str


def folder(data: Path) -> Iterator[Finding]:
    """Whether the daemon can work there, and nobody else can look into it."""
    if not data.exists():
        parent = next(each for each in data.absolute().parents if each.exists())
        if os.access(parent, os.W_OK):
            yield ok("data folder", f"{data} is not there yet: the first `sinchflow run` makes it")
        else:
            yield fail("data folder", f"{data} cannot be made: {parent} may not be written", "name another with --data")
        return
    if not data.is_dir():
        yield fail("data folder", f"{data} is no folder", "name another with --data")
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield fail("data folder", f"{data} may not be written by this user", f"`chown {os.getuid()} {data}`")
        return
    if os.geteuid() == 0 and data.stat().st_uid != 0:
        yield ok("data folder", f"{data} belongs to user {data.stat().st_uid}; looked at as root")
    readable = next((path for path in _files(data) if stat.S_IMODE(path.stat().st_mode) & 0o044), None)
    if readable is not None and stat.S_IMODE(data.stat().st_mode) & 0o011:
        yield warn(
            "data folder",
            f"others on this machine can read {readable}: it holds messages and phone numbers",
            f"`chmod go= {data}`",
        )
    else:
        yield ok("data folder", f"{data} may be written, and read by its owner only")


def _files(data: Path) -> list[Path]:
    return sorted(path for path in data.iterdir() if path.name.startswith(("journal", "daemon")))


def disk(data: Path, wanted_bytes: int | None, mounts: Path = Path("/proc/self/mountinfo")) -> Iterator[Finding]:
    """Type, room and speed of the disk under the folder. wanted_bytes: what the journal may grow to."""
    place = data if data.exists() else next(each for each in data.absolute().parents if each.exists())
    mount = mount_of(place, mounts)
    if mount is not None:
        yield from _mount(place, mount)
    yield from _room(place, data, wanted_bytes)
    if os.access(place, os.W_OK):
        yield from _speed(place)


def mount_of(place: Path, mounts: Path) -> Mount | None:
    """The mount that holds this place; None where the system does not say."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    real, found = os.path.realpath(place), None
    for line in lines:  # proc_pid_mountinfo(5): the fifth field, and the first after " - "
        fields, _, rest = line.partition(" - ")
        point = fields.split(" ")[4].encode().decode("unicode_escape") if fields.count(" ") >= 4 else ""
        is_above = point in ("/", real) or real.startswith(f"{point}/")
        if point and is_above and (found is None or len(point) >= len(found.point)):
            found = Mount(kind=rest.split(" ")[0], point=point)
    return found


def _mount(place: Path, mount: Mount) -> Iterator[Finding]:
    kind = mount.kind
    if kind in _NETWORK:
        yield fail(
            "file system",
            f"{place} is on a network ({kind}, {mount.point}): the journal may be damaged there",
            "put the data folder on a disk of this machine",
        )
    elif kind in _FORGETFUL:
        yield warn("file system", f"{place} {_FORGETFUL[kind]} ({kind})", "put the data folder on a disk")
    elif kind in _LAYER:
        yield warn(
            "file system",
            f"{place} is in the container's own layer ({kind}): all is lost with the container",
            "mount a volume for the data folder",
        )
    else:
        yield ok("file system", f"{kind}, mounted at {mount.point}")


def _room(place: Path, data: Path, wanted_bytes: int | None) -> Iterator[Finding]:
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.runtime.status import size

    free, used = shutil.disk_usage(place).free, 0
    with suppress(OSError):
        used = (data / FILE_NAME).stat().st_size
    if free < _LITTLE_ROOM_BYTES:
        yield fail("disk space", f"only {size(free)} are free", "free some space: a full disk refuses webhooks")
    elif wanted_bytes is not None and free + used < wanted_bytes:
        yield warn(
            "disk space",
            f"{size(free)} are free, and the journal may grow to {size(wanted_bytes)} (retention.max_size)",
            "lower retention.max_size, or get a larger disk",
        )
    else:
        yield ok("disk space", f"{size(free)} are free")


def _speed(place: Path) -> Iterator[Finding]:
    path, times = place / f".doctor-{os.getpid()}", []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(_FSYNCS):
                file.write(b"\0" * 4_096)
                began = time.perf_counter()
                os.fsync(file.fileno())
                times.append(time.perf_counter() - began)
    except OSError as error:
        yield fail("disk speed", f"{place} cannot be written: {error.strerror}", "check the disk and the quota")
        return
    finally:
        path.unlink(missing_ok=True)
    median_s = sorted(times)[len(times) // 2]
    words = f"an fsync takes {median_s * 1_000:.1f} ms (the slowest of {_FSYNCS}: {max(times) * 1_000:.0f} ms)"
    if median_s > _SLOW_FSYNC_S:
        yield warn("disk speed", f"{words}: each webhook waits for one", "put the data folder on a faster disk")
    else:
        yield ok("disk speed", words)


def journal(data: Path) -> Iterator[Finding]:
    """Whether it opens, is of a schema that this release knows, and looks whole as far as a few seconds show."""
    from sinchflow.errors import CannotStart
    from sinchflow.journal.identity import APPLICATION_ID, SCHEMA_VERSION, refuse_empty
    from sinchflow.journal.sqlite import FILE_NAME
    from sinchflow.journal.survey import sizes
    from sinchflow.runtime.status import size

    path = data / FILE_NAME
    if not path.exists():
        yield ok("journal", "none yet: the first `sinchflow run` begins one")
        return
    import apsw

    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        yield fail("journal", f"{path} cannot be opened: {error}", "check its permissions, or restore a backup")
        return
    try:
        connection.set_busy_timeout(2_000)
        refuse_empty(connection, path)
        schema, application = connection.pragma("user_version"), connection.pragma("application_id")
        if application != APPLICATION_ID:
            yield fail("journal", f"{path} belongs to another program", "name the right folder with --data")
            return
        if schema > SCHEMA_VERSION:
            yield fail("journal", f"schema {schema}, this release knows {SCHEMA_VERSION}", "upgrade sinchflow")
            return
        trouble, is_whole = _quick_check(connection)
    except CannotStart:
        yield warn("journal", f"{path} is empty", "start the daemon, which begins one, or restore a backup")
        return
    except apsw.Error as error:
        yield fail("journal", f"{path} cannot be read: {error}", "restore a backup: `sinchflow restore`")
        return
    finally:
        connection.close()
    if trouble is not None:
        yield fail("journal", f"{path} is damaged: {trouble}", "restore a backup: `sinchflow restore`")
        return
    found = sizes(path)
    how = "whole" if is_whole else f"nothing wrong within {_LOOK_S:g} s of looking"
    upgrade = "" if schema == SCHEMA_VERSION else f" (the next start upgrades it to {SCHEMA_VERSION})"
    yield ok("journal", f"{how}; schema {schema}{upgrade}, {size(found['bytes'] or 0)}")
    log = found["log_bytes"] or 0
    if log > _LONG_LOG_BYTES:
        yield warn(
            "journal log",
            f"{size(log)}: it is not being written back",
            "end programs that keep the journal open for long (backups by hand, database browsers)",
        )


def _quick_check(connection: "apsw.Connection") -> tuple[str | None, bool]:
    """What is damaged, and whether all was looked at."""
    import apsw

    deadline = time.monotonic() + _LOOK_S
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 100_000)
    try:
        said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")]
    except apsw.InterruptError:
        return None, False
    finally:
        connection.set_progress_handler(None)
    return (None if said == ["ok"] else said[0]), True


def owner(data: Path, locks: Path = Path("/proc/locks")) -> Iterator[Finding]:
    """Who works on the journal. locks: where Linux says who holds which lock."""
    from sinchflow.cli import admin
    from sinchflow.errors import SinchflowError

    daemon = admin.find(data)
    if daemon is not None:
        try:
            found = admin.ask(daemon, "GET", "/api/status")["daemon"]
        except ConnectionError:
            pass
        except SinchflowError as error:
            yield fail("daemon", str(error), "see `sinchflow status`")
            return
        else:
            yield from _version(found)
            return
    holder = _holder(data / "lock", locks)
    if holder is None:
        yield skipped("daemon", "none works here: start it with `sinchflow run`")
    else:
        yield fail(
            "daemon",
            f"process {holder} holds the journal, and answers no command",
            "look at its log; it may be starting, or stuck: `sinchflow status` says when it answers",
        )


def _version(found: dict[str, object]) -> Iterator[Finding]:
    from sinchflow import __version__

    words = f"pid {found['pid']}, version {found['version']}, webhooks on {found['address']}"
    if found["version"] != __version__:
        yield warn("daemon", f"{words}; this command is {__version__}", "restart the daemon to upgrade it")
    else:
        yield ok("daemon", words)


def _holder(lock: Path, locks: Path) -> str | None:
    """The process that holds the lock file, as the kernel says; None when nobody does."""
    try:
        inode = lock.stat().st_ino
        for line in locks.read_text().splitlines():  # proc_locks(5): `1: FLOCK ADVISORY WRITE PID MAJ:MIN:INODE …`
            fields = line.split()
            if len(fields) > 5 and fields[1] == "FLOCK" and fields[5].rpartition(":")[2] == str(inode):
                return fields[4]
    except OSError:
        return None
    return None
