"""A file system that remembers what was written and what was synced, and what is left when the power goes.

The files themselves are real: what runs on it sees nothing of this. What a disk may do with writes that were not
synced, it does to the copy that `after_power_loss` makes: each sector of each of them is there or not, in any order,
and the last one may be torn.
"""

import os
import random
import threading
from pathlib import Path
from typing import Any, NamedTuple

import apsw

#: What a disk writes as a whole.
SECTOR = 512
#: Of what is torn within a sector; disks that do that are old, and SQLite stands it in the log by its checksums.
_TORN = 0.2


class Entry(NamedTuple):
    """One thing that happened. what: `write` `truncate` `sync` `delete`, or a mark of the proof's."""

    what: str
    name: str
    offset: int = 0
    data: bytes = b""


class Recorder:
    """Remembers what happens to the files of one folder, from their state when this is made.

    lies: syncs are taken note of and nothing else, as by a disk that says too early that it has written.
    """

    def __init__(self, folder: Path, *, lies: bool = False) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self._lies = lies
        self._lock = threading.Lock()
        self._before = {path.name: path.read_bytes() for path in folder.glob("*.sqlite3*") if "-shm" not in path.name}
        self._vfs: apsw.VFS | None = None

    def mark(self, what: str, name: str) -> None:
        """Something else happened, which must still be true after the power was lost."""
        self._add(Entry(what, name))

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self.entries.append(entry)

    def __enter__(self) -> "Recorder":
        self._vfs = _files(self)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._vfs is not None
        self._vfs.unregister()

    def sees(self, name: str | None) -> str | None:
        """The file's own name when it is one of the folder's that outlive a loss of power; else None."""
        if name is None or os.path.dirname(name) != str(self.folder) or name.endswith("-shm"):
            return None
        return os.path.basename(name)

    def after_power_loss(self, count: int, chance: random.Random, folder: Path) -> None:
        """Write what is left in `folder` when the power goes after `count` entries."""
        files = {name: bytearray(data) for name, data in self._before.items()}
        pending: dict[str, list[Entry]] = {}
        synced = set(files)
        for entry in self.entries[:count]:
            match entry.what:
                case "write" | "truncate":
                    pending.setdefault(entry.name, []).append(entry)
                case "sync" if not self._lies:
                    for each in pending.pop(entry.name, []):
                        _apply(files, each)
                    files.setdefault(entry.name, bytearray())
                    synced.add(entry.name)
                case "delete":
                    # The directory is synced by SQLite where that matters; else the name may come back.
                    if entry.offset or chance.random() < 0.5:
                        files.pop(entry.name, None)
                        pending.pop(entry.name, None)
        for waiting in pending.values():
            for at, each in enumerate(waiting):
                _perhaps(files, each, chance, is_last=at == len(waiting) - 1)
        for name, data in files.items():
            if name in synced or chance.random() < 0.5:
                (folder / name).write_bytes(bytes(data))


def _apply(files: dict[str, bytearray], entry: Entry) -> None:
    data = files.setdefault(entry.name, bytearray())
    if entry.what == "truncate":
        del data[entry.offset :]
        return
    end = entry.offset + len(entry.data)
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    data[entry.offset : end] = entry.data


def _perhaps(files: dict[str, bytearray], entry: Entry, chance: random.Random, *, is_last: bool) -> None:
    """A write that was not synced: each of its sectors is there or not; the last one may be torn."""
    if entry.what == "truncate":
        if chance.random() < 0.5:
            _apply(files, entry)
        return
    how = chance.random()
    if how < 0.3:
        return
    if how < 0.5 and not is_last:
        _apply(files, entry)
        return
    for start in range(0, len(entry.data), SECTOR):
        piece = entry.data[start : start + SECTOR]
        if chance.random() < 0.5:
            continue
        if is_last and chance.random() < _TORN:
            piece = piece[: chance.randrange(len(piece))]
        _apply(files, Entry("write", entry.name, entry.offset + start, piece))


def _files(recorder: Recorder) -> apsw.VFS:
    base = apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__(base, name, flags)
            self._name = recorder.sees(name.filename() if isinstance(name, apsw.URIFilename) else name)

        def xLock(self, level: int) -> None:
            try:
                super().xLock(level)
            except apsw.IOError:  # of a reader that is the last to close: it may not write
                raise apsw.BusyError from None

        def xWrite(self, data: bytes, offset: int) -> None:
            if self._name is not None:
                recorder._add(Entry("write", self._name, offset, bytes(data)))
            super().xWrite(data, offset)

        def xTruncate(self, size: int) -> None:
            if self._name is not None:
                recorder._add(Entry("truncate", self._name, size))
            super().xTruncate(size)

        def xSync(self, flags: int) -> None:
            super().xSync(flags)
            if self._name is not None:
                recorder._add(Entry("sync", self._name))

    class Files(apsw.VFS):
        def __init__(self) -> None:
            super().__init__(f"recorder-{id(recorder)}", base, makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> File:
            return File(name, flags)

        def xDelete(self, name: str, syncdir: bool) -> None:
            super().xDelete(name, syncdir)
            if (own := recorder.sees(name)) is not None:
                recorder._add(Entry("delete", own, int(syncdir)))

    return Files()
