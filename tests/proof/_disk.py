"""A journal on a disk in memory: SQLite's real rows, statements and groups, without a thread, and with crashes.

Units wait, are written as one group a while later, and only then is anybody told. At a crash, what waits is lost, or a
first part of it is kept whole. Whatever is read comes from rows, so nothing gets over a crash by reference.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import apsw

from sinchflow.errors import Unstorable
from sinchflow.journal import rows, sqlite
from sinchflow.journal.chores import Chores, Portion, _work
from sinchflow.journal.journal import Changes
from sinchflow.journal.reader import Reader
from sinchflow.journal.recent import Recent
from sinchflow.journal.sqlite import SqliteJournal
from sinchflow.journal.stories import Stories
from sinchflow.journal.sweep import Progress, Sweep
from sinchflow.journal.writer import Unit, Writer, _deliver
from sinchflow.model.project import Retention
from sinchflow.model.send import SendIds
from tests.proof._virtual import BEGIN, VirtualLoop

_IDENTITY = "5eed5eed"
_KEPT = timedelta(hours=1)


@cache
def _empty() -> bytes:
    """A journal of the present schema that holds nothing."""
    connection = apsw.Connection(":memory:")
    sqlite._upgrade(connection)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'identity'", (_IDENTITY,))
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('salt', '00112233445566778899aabbccddeeff')")
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('born_at', ?)", (rows.to_ms(BEGIN),))
    return connection.serialize("main")


class _Inline(Chores):
    """Does them at once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def do(self, portion: Portion, *, is_pressing: bool) -> float:
        """See `Chores.do`."""
        _work(portion, self._connection, lambda: False)
        return 0.0


class Disk:
    """What survives. after: calls back once so many seconds have passed. saw: told of each unit that is durable."""

    def __init__(
        self, random: Random, after: Callable[[float, Callable[[], None]], None], saw: Callable[[Any], None]
    ) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.deserialize("main", _empty())
        self.connection.pragma("synchronous", "off")
        self.random = random
        self.after = after
        self.saw = saw
        self.failing = 0.0  #: how likely it is that a group cannot be written
        self.slow = 0.05  #: how likely it is that a sync takes long


class DiskJournal(SqliteJournal):
    """What one process has of it; `crash` when it dies."""

    def __init__(self, disk: Disk, loop: VirtualLoop) -> None:
        self._disk = disk
        self._reader = reader = Reader(disk.connection)
        self.identity = reader.meta("identity") or ""
        self.send_ids = SendIds(identity=self.identity)
        self.born_at = rows.from_ms(int(reader.meta("born_at") or 0))
        self._last_id = max(reader.last_id(), int(reader.meta("ids_from") or 0))
        seen_to = int(reader.meta("seen_to") or 0)
        self._salt = bytes.fromhex(reader.meta("salt") or "")
        keys = reader.keys_after(seen_to)
        self._recent = Recent(keys)
        self._writer = Writer(
            disk.connection, loop, salt=self._salt, filed_to=int(reader.meta("filed_to") or 0),
            seen_to=seen_to, unmoved=len(keys), moved=self._recent.forget,
        )  # fmt: skip
        self._writer._note_heard = self._note_heard  # type: ignore[method-assign]
        self._progress = Progress()
        self._loop = loop
        self._gathered: list[Unit] = []
        self._waiting: list[Unit | None] = []  # None: who handed in the next ones knows what was refused before
        self._group: list[Unit] = []
        self._is_dead = False

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way to the disk."""
        return not (self._gathered or self._waiting or self._group)

    def stories(self) -> Stories:
        """What looks for people see."""
        found = Stories.__new__(Stories)
        found._connection, found._reader = self._disk.connection, self._reader
        return found

    def sweep(self, now: datetime) -> None:
        """What retention does, at once: hardly anything that has ended is kept."""
        rules = Retention(events=_KEPT, runs=_KEPT, max_size_bytes=None, traces=1)
        sweep = Sweep(
            Path(), rules, now, _KEPT, progress=self._progress, chores=_Inline(self._disk.connection),
            stored_sources=self._writer.stored_sources, told=lambda _: None,
        )  # fmt: skip
        sweep._connection, sweep._reader = self._disk.connection, self._reader
        sweep._size_bytes = lambda: 0  # type: ignore[method-assign]
        sweep._sweep()

    def crash(self) -> None:
        """The process is gone; the group that was being written may be on disk, or a first part of it."""
        self._is_dead = True
        units = [*self._group, *(each for each in self._waiting if each is not None)]
        kept = units[: self._disk.random.randint(0, len(units))] if self._disk.random.random() < 0.5 else []
        if kept and self._writer._refused is None:
            self._write(kept)

    def _hand_over(self) -> None:
        units, self._gathered = self._gathered, []
        self._waiting += units
        self._begin()

    def _begin(self) -> None:
        if self._group or not self._waiting or self._is_dead:
            return
        if self._waiting[0] is None:
            self._writer._refused = None
            del self._waiting[0]
        while self._waiting and (unit := self._waiting[0]) is not None:
            self._group.append(unit)
            del self._waiting[0]
        if not self._group:
            return
        random = self._disk.random
        takes_s = random.uniform(0.05, 2.0) if random.random() < self._disk.slow else random.uniform(0.0005, 0.005)
        self._disk.after(takes_s, self._end)

    def _end(self) -> None:
        if self._is_dead:
            return
        group = self._group
        is_failing = self._disk.random.random() < self._disk.failing
        if is_failing:
            self._disk.connection.pragma("query_only", True)
        results = self._write(group)
        if is_failing:
            self._disk.connection.pragma("query_only", False)
        self._group = []
        self._loop.call_soon(_deliver, self._loop, results)
        self._begin()

    def _write(self, group: list[Unit]) -> Any:
        results = self._writer._write(group)
        said = dict(results)
        for unit, done in group:
            if isinstance(said[done], Unstorable):
                raise AssertionError(f"the journal cannot store a unit: {said[done]}")
            if isinstance(said[done], Exception):
                continue
            if isinstance(unit, Changes) or (isinstance(unit, tuple) and said[done] is True):
                self._disk.saw(unit)
        return results

    def _note_heard(self, _: None) -> None:
        self._waiting.append(None)
        self._begin()

    def close(self) -> None:
        """See `Journal.close`."""
        self._is_dead = True
