"""A disk between the program and its files: it can lose power, and it can refuse.

SQLite reaches its files through an apsw VFS that is laid over the real one; what the program does with files by itself
(`os.fsync`, `os.replace`, …) goes through the same disk while it is in place. Each operation is announced to `before`,
which may cut the power or raise what a disk would report.

What a power cut leaves is worked out by `Platter`. A write is on the platter for certain once its file was synced, a
name once its folder was: SQLite does that for logs and journals with their first sync, as its own VFS for Unix does.
Of everything else anything may be there: each sector of each write for itself, in any order; the last write up to any
byte; names as the folder's first so many changes. Shared memory is never on the platter; garbage may be in its place.
"""

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import apsw

#: One operation of the disk; those of SQLite, and the program's own.
What = Literal["open", "read", "write", "sync", "truncate", "delete", "lock", "name", "fsync"]
Before = Callable[[What, str], None]

_LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_NAME = "proof"
_WORDS = "refused by the proof"


class Inode:
    """A file's content: what is on the platter, and what was done to it since. None as content: a folder."""

    def __init__(self, content: bytes | None) -> None:
        self.content = None if content is None else bytearray(content)
        self.since: list[tuple[int, bytes | None]] = []  #: offset and bytes; None: cut to this length

    def synced(self, live: bytes | None = None) -> None:
        """All of it is on the platter. live: as it stands, for files that are not written by SQLite."""
        if live is not None:
            self.content = bytearray(live)
        elif self.content is not None:
            _apply(self.content, self.since)
        self.since.clear()


class Platter:
    """What is certain to be on the disk below `root`, and what is not."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._certain: dict[str, Inode] = {}
        for path in sorted(root.rglob("*")):
            self._certain[str(path)] = Inode(path.read_bytes() if path.is_file() else None)
        self.names = dict(self._certain)
        self._steps: list[tuple[str, str | None, Inode | None]] = []  #: path, what it was called before, what it is

    def holds(self, path: str) -> bool:
        """Whether the path lies on this disk."""
        return path.startswith(f"{self.root}/")

    def put(self, path: str, inode: Inode | None, former: str | None = None) -> None:
        """From now on this is what has the name; None: nothing has it. former: the name it loses by that."""
        self._steps.append((path, former, inode))
        _step(self.names, path, former, inode)

    def sync_names(self, folder: str) -> None:
        """The names in this folder are certain."""
        rest = []
        for step in self._steps:
            if folder in (os.path.dirname(step[0]), os.path.dirname(step[1] or step[0])):
                _step(self._certain, *step)
            else:
                rest.append(step)
        self._steps = rest

    def after_cut(self, chance: random.Random, target: Path) -> None:
        """Write what a power cut leaves right now into the empty folder `target`."""
        names = dict(self._certain)
        for step in self._steps[: chance.randint(0, len(self._steps))]:
            _step(names, *step)
        live = {id(inode): path for path, inode in self.names.items()}
        sector, mood, share = (
            chance.choice((512, 4096)),
            chance.choice(("none", "start", "some", "all")),
            chance.random(),
        )
        for path in sorted(names):
            inode, place = names[path], target / os.path.relpath(path, self.root)
            if inode.content is None:
                place.mkdir(exist_ok=True)
            elif place.parent.is_dir():  # else its folder is lost
                place.write_bytes(_left(inode, live.get(id(inode)), chance, sector, mood, share))
                if path.endswith("-wal") and chance.random() < 0.3:
                    place.with_name(place.name[:-4] + "-shm").write_bytes(chance.randbytes(32_768))


def _step(names: dict[str, Inode], path: str, former: str | None, inode: Inode | None) -> None:
    if former is not None:
        names.pop(former, None)
    if inode is None:
        names.pop(path, None)
    else:
        names[path] = inode


def _left(inode: Inode, live: str | None, chance: random.Random, sector: int, mood: str, share: float) -> bytes:
    """What a cut leaves of a file."""
    assert inode.content is not None
    since = inode.since
    if not since and live is not None:
        with open(live, "rb") as file:
            now = file.read()
        if now != inode.content:  # written by others than SQLite
            since = [(len(now), None), (0, now)] if len(now) < len(inode.content) else [(0, now)]
    if mood == "none" or not since:
        return bytes(inode.content)
    if mood == "some":
        pieces = [piece for offset, data in since for piece in _pieces(offset, data, sector)]
        return _applied(inode.content, [piece for piece in pieces if chance.random() < share])
    if mood == "start":
        since = since[: chance.randint(1, len(since))]
    offset, data = since[-1]
    last = (offset, data if data is None else data[: chance.randint(0, len(data))])
    return _applied(inode.content, [*since[:-1], last])


def _pieces(offset: int, data: bytes | None, sector: int) -> Iterator[tuple[int, bytes | None]]:
    """A write, sector by sector."""
    if data is None:
        yield offset, None
        return
    start = 0
    while start < len(data):
        end = min(len(data), start + sector - (offset + start) % sector)
        yield offset + start, data[start:end]
        start = end


def _applied(content: bytearray, since: list[tuple[int, bytes | None]]) -> bytes:
    result = bytearray(content)
    _apply(result, since)
    return bytes(result)


def _apply(content: bytearray, since: list[tuple[int, bytes | None]]) -> None:
    for offset, data in since:
        content.extend(bytes(max(0, offset - len(content))))
        if data is None:
            del content[offset:]
        else:
            content[offset : offset + len(data)] = data


class Disk:
    """Lies over the real files below `root` while it is `in_place`. before: told of each operation before it is done.

    is_deaf: it says that it synced and does not, as `synchronous = OFF` would have it.
    """

    def __init__(self, root: Path, before: Before = lambda what, path: None, *, is_deaf: bool = False) -> None:
        self.platter = Platter(root)
        self.before = before
        self.is_deaf = is_deaf

    def announce(self, what: What, path: str) -> None:
        """An operation is about to be done."""
        if self.platter.holds(path):
            self.before(what, path)

    @contextmanager
    def in_place(self) -> Iterator["Disk"]:
        """SQLite's default, and what `os` does, until the end of the block."""
        vfs, connection = _Vfs(self), apsw.Connection
        apsw.Connection = _Connection  # type: ignore[misc]
        calls = {name: getattr(os, name) for name in ("fsync", "replace", "rename", "unlink", "link", "mkdir", "open")}
        own = _Calls(self, calls)
        for name in calls:
            setattr(os, name, getattr(own, name))
        try:
            yield self
        finally:
            for name, call in calls.items():
                setattr(os, name, call)
            apsw.Connection = connection  # type: ignore[misc]
            vfs.unregister()

    def opened(self, path: str) -> Inode | None:
        """What has this name; made when there is nothing. None: it is not on this disk."""
        if not self.platter.holds(path):
            return None
        if path not in self.platter.names:
            self.platter.put(path, Inode(b""))
        return self.platter.names[path]


class _Connection(apsw.Connection):
    """SQLite has no errors at these ends; apsw raises what a VFS in Python raised meanwhile."""

    def close(self, force: bool = False) -> None:
        with suppress(apsw.Error):
            super().close(force)

    def backup(self, *which: Any) -> Any:
        return _Copying(super().backup(*which))


class _Copying:
    def __init__(self, backup: Any) -> None:
        self._backup = backup

    def __enter__(self) -> Any:
        return self._backup.__enter__()

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._backup.__exit__(*error)
            return
        for _ in range(3):  # apsw leaves what the VFS raised behind for whatever comes next
            try:
                self._backup.close(True)
            except (SystemError, apsw.Error):
                continue


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(_NAME, "unix", makedefault=True)

    def excepthook(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        """What SQLite does not want to know, such as a file that it could not delete: it goes on, and says nothing."""
        if error.args[:1] != (_WORDS,):
            sys.excepthook(kind, error, where)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = "" if name is None else name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk.announce("open", path)
        is_new = not os.path.exists(path)
        file = _File(self._disk, name, flags)
        file.begin(path, flags[1], is_new=is_new)
        return file

    def xDelete(self, name: str, sync_folder: bool) -> None:
        self._disk.announce("delete", name)
        super().xDelete(name, sync_folder)
        platter = self._disk.platter
        if platter.holds(name):
            platter.put(name, None)
            if sync_folder and not self._disk.is_deaf:
                platter.sync_names(os.path.dirname(name))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def begin(self, path: str, flags: int, *, is_new: bool) -> None:
        self._path = path
        self._is_read_only = bool(flags & apsw.SQLITE_OPEN_READONLY)
        self._inode = self._disk.opened(path)
        self._syncs_names = is_new and bool(flags & _LOGS)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.announce("read", self._path)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._inode is not None:
            self._inode.since.append((offset, bytes(data)))
            try:
                self._disk.announce("write", self._path)
            except BaseException:
                self._inode.since.pop()
                raise
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._disk.announce("truncate", self._path)
        super().xTruncate(size)
        if self._inode is not None:
            self._inode.since.append((size, None))

    def xSync(self, flags: int) -> None:
        self._disk.announce("sync", self._path)
        if self._inode is None or self._disk.is_deaf:
            return
        self._inode.synced()
        if self._syncs_names:
            self._disk.platter.sync_names(os.path.dirname(self._path))
            self._syncs_names = False

    def xLock(self, level: int) -> None:
        self._disk.announce("lock", self._path)
        try:
            super().xLock(level)
        except apsw.IOError as error:  # of who reads only and closes last: SQLite leaves the log then, apsw would raise
            if self._is_read_only:
                raise apsw.BusyError from error
            raise


class _Calls:
    """What the program does with files without SQLite."""

    def __init__(self, disk: Disk, calls: dict[str, Callable[..., Any]]) -> None:
        self._disk = disk
        self._calls = calls

    def _names(self, what: What, path: Any) -> str | None:
        name = os.path.abspath(os.fspath(path)) if not isinstance(path, int) else os.readlink(f"/proc/self/fd/{path}")
        if not self._disk.platter.holds(name) and name != self._disk.platter.root:
            return None
        self._disk.before(what, name)
        return name

    def fsync(self, file: int) -> None:
        name = self._names("fsync", file)
        if name is None:
            self._calls["fsync"](file)
        elif not self._disk.is_deaf:
            if os.path.isdir(name):
                self._disk.platter.sync_names(name)
            elif (inode := self._disk.opened(name)) is not None:
                inode.synced(os.pread(file, 1 << 30, 0))

    def replace(self, source: Any, target: Any) -> None:
        name = self._names("name", target)
        self._calls["replace"](source, target)
        if name is not None:
            former = os.path.abspath(os.fspath(source))
            self._disk.platter.put(name, self._disk.opened(former), former)

    rename = replace

    def link(self, source: Any, target: Any, **how: Any) -> None:
        name = self._names("name", target)
        self._calls["link"](source, target, **how)
        if name is not None:
            self._disk.platter.put(name, self._disk.opened(os.path.abspath(os.fspath(source))))

    def unlink(self, path: Any, **how: Any) -> None:
        name = self._names("name", path) if "dir_fd" not in how else None
        self._calls["unlink"](path, **how)
        if name is not None:
            self._disk.platter.put(name, None)

    def mkdir(self, path: Any, *mode: Any, **how: Any) -> None:
        name = self._names("name", path)
        self._calls["mkdir"](path, *mode, **how)
        if name is not None:
            self._disk.platter.put(name, Inode(None))

    def open(self, path: Any, flags: int, *mode: Any, **how: Any) -> int:
        is_new = bool(flags & os.O_CREAT) and not how and not os.path.exists(path)
        name = self._names("name", path) if is_new else None
        file: int = self._calls["open"](path, flags, *mode, **how)
        if name is not None and os.path.exists(name):
            self._disk.opened(name)
        return file


def as_raised(what: What, code: int, path: str) -> Exception:
    """What a disk's refusal looks like to whoever asked."""
    if what in ("fsync", "name"):
        return OSError(code, _WORDS, path)
    error = apsw.exception_for(code)
    error.args = (_WORDS,)
    return error
