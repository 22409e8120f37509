"""Schedules while somebody sets the clock, and what must come of them, told without any cron library.

The oracle looks at every minute of the wall clock: a text whose minute or hour begins with `*` is due at each minute
that fits; any other once per date, at the end of the gap where its minute is skipped, the first time where it comes
twice.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow, Schedule
from sinchflow.model.origin import Origin
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.schedules import Schedules
from sinchflow.runtime.stats import Stats
from tests.runtime.conftest import VirtualClock

_ORIGIN = Origin(file="flows/x.yaml", line=1, column=1)
_MINUTE = timedelta(minutes=1)
#: Half an hour, a day that was left out, at midnight, to winter time in summer, often.
ZONES = (
    "Australia/Sydney", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "America/Sao_Paulo",
    "Asia/Beirut", "Africa/Casablanca", "Europe/Dublin", "Asia/Tehran", "Antarctica/Troll", "UTC",
)  # fmt: skip
#: What somebody sets the clock by.
LEAPS = [
    sign * leap
    for sign in (1, -1)
    for leap in (
        timedelta(seconds=5), timedelta(seconds=90), timedelta(minutes=59), timedelta(hours=1), timedelta(hours=25),
        timedelta(days=40), timedelta(days=365),
    )
]  # fmt: skip


class Rule:
    """A cron text, or `every`, and when it is due."""

    def __init__(self, draw: random.Random, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.every: timedelta | None = None
        if draw.random() < 0.2:
            self.every = timedelta(minutes=draw.choice((7, 15, 60, 90, 1440)))
            self.text = f"every {self.every}"
            self.trigger = Schedule(origin=_ORIGIN, every=self.every, missed=draw.choice(("once", "skip")))
            return
        minute, self._minutes = _field(draw, 60, dense=0.15)
        hour, self._hours = _field(draw, 24, dense=0.4)
        self._is_wild = minute.startswith("*") or hour.startswith("*")
        self.text = f"{minute} {hour} * * *"
        self.trigger = Schedule(origin=_ORIGIN, cron=self.text, timezone=zone, missed=draw.choice(("once", "skip")))

    def due(self, after: datetime, until: datetime) -> list[datetime]:
        """All ticks later than `after` and not later than `until`."""
        if self.every is not None:
            epoch = datetime(1970, 1, 1, tzinfo=UTC)
            first = epoch + ((after - epoch) // self.every + 1) * self.every
            return [*_steps(first, until, self.every)]
        found = []
        begin = after.replace(second=0, microsecond=0) + _MINUTE
        local = (begin - _MINUTE).astimezone(self.zone).replace(tzinfo=None, fold=0)
        for tick in _steps(begin, until, _MINUTE):
            before, local = local, tick.astimezone(self.zone).replace(tzinfo=None, fold=0)
            if self._fits(local):
                first = local.replace(tzinfo=self.zone).astimezone(UTC)
                if self._is_wild or first == tick:
                    found.append(tick)
                    continue
            if not self._is_wild and local - before > _MINUTE and any(map(self._fits, _between(before, local))):
                found.append(tick)
        return found

    def _fits(self, local: datetime) -> bool:
        return local.minute in self._minutes and local.hour in self._hours


def _between(before: datetime, local: datetime) -> Iterator[datetime]:
    return _steps(before + _MINUTE, local - _MINUTE, _MINUTE)


def _steps(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    while first <= last:
        yield first
        first += step


def _field(draw: random.Random, size: int, dense: float) -> tuple[str, frozenset[int]]:
    kind = draw.random()
    if kind < dense:
        step = draw.choice((2, 3, 5, 15, 30) if size == 60 else (1, 2, 3, 6))
        return ("*" if step == 1 else f"*/{step}"), frozenset(range(0, size, step))
    values = sorted(draw.sample(range(size if size == 60 else 5), draw.choice((1, 1, 2))))
    return ",".join(map(str, values)), frozenset(values)


def changes_of(zone: str, year: int) -> list[datetime]:
    """When the zone's clock is changed in a year, to the hour."""
    place, hour = ZoneInfo(zone), timedelta(hours=1)
    hours = _steps(datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC), hour)
    return [each for each in hours if each.astimezone(place).utcoffset() != (each + hour).astimezone(place).utcoffset()]


class Ticking:
    """One schedule that somebody plays tricks on. `wrong`: what should not have been."""

    def __init__(self, seed: int) -> None:
        draw = self._draw = random.Random(seed)
        zone = draw.choice(ZONES)
        changes = changes_of(zone, draw.randrange(2009, 2029)) or [datetime(2026, 3, 1, tzinfo=UTC)]
        self.clock = VirtualClock(draw.choice(changes) - timedelta(minutes=draw.randrange(30, 40 * 60)))
        self.rule = Rule(draw, zone)
        self.story = [f"seed {seed}: {self.rule.text} in {zone} from {self.clock.now():%Y-%m-%d %H:%M}"]
        self.fired: Counter[datetime] = Counter()
        self.wrong: list[str] = []
        self.ticks = 0
        flow = Flow(name="a", digest="a", origin=_ORIGIN, steps=(), triggers=(self.rule.trigger,))
        self._catalog: Any = SimpleNamespace(project=SimpleNamespace(timezone=zone), flows={"a": flow})

    async def play(self, moves: int) -> None:
        """So many moves: time passes, the clock is set, the daemon is down for a while."""
        loop = asyncio.get_running_loop()
        self._journal = MemoryJournal(loop.call_soon)
        self._stats = Stats()
        self._seen = self.clock.now()
        await self._start()
        for _ in range(moves):
            move = self._draw.random()
            if move < 0.55:
                await self._pass(timedelta(seconds=self._draw.randrange(1, 8 * 3600)))
            elif move < 0.85:
                leap = self._draw.choice(LEAPS)
                self.story.append(f"set by {leap}")
                self.clock.set(self.clock.now() + leap)
                self._seen = min(self._seen, self.clock.now())
                await self._pass(timedelta())
            else:
                await self._restart(timedelta(seconds=self._draw.randrange(0, 30 * 3600)))
        await self._pass(timedelta(hours=25))
        doubled = [tick for tick, count in self.fired.items() if count > 1]
        self.wrong += [f"{tick} came {self.fired[tick]} times" for tick in doubled]
        strange = [tick for tick in self.fired if tick not in self.rule.due(tick - _MINUTE, tick)]
        self.wrong += [f"{tick} came and is no tick" for tick in strange]
        self.ticks = len(self.fired)

    async def _pass(self, span: timedelta) -> None:
        began, end = self.clock.now(), self.clock.steady() + span
        self.story.append(f"{span} pass")
        self.clock.advance(timedelta())
        await _rest()
        while (due := self.clock.next_due()) is not None and due <= end:
            self.clock.advance(max(due - self.clock.steady(), timedelta()))
            await _rest()
        self.clock.advance(end - self.clock.steady())
        self._expect(began)

    def _expect(self, began: datetime) -> None:
        """All that was due since then has come, and the last of what was leapt over."""
        now = self.clock.now()
        wanted = self.rule.due(began, now)
        if began > self._seen and self.rule.trigger.missed == "once":
            wanted += self.rule.due(max(self._seen, began - timedelta(days=3)), began)[-1:]
        self.wrong += [f"{tick} was missed" for tick in wanted if not self.fired[tick]]
        self._seen = now

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        commits = Commits(self._journal, self.clock, self._stats, loop)
        self._schedules = Schedules(
            journal=self._journal, commits=commits, clock=self.clock, stats=self._stats, take=self._take
        )
        self.clock.on_set_back[:] = [self._schedules.plan_anew]
        self._schedules.start(self._catalog)
        await _rest()

    async def _restart(self, down: timedelta) -> None:
        self.story.append(f"down for {down}")
        self._schedules.stop()
        await _rest()
        self.clock.advance(down)
        leap = self._draw.choice((timedelta(), *LEAPS))
        self.story.append(f"set by {leap} meanwhile")
        self.clock.set(self.clock.now() + leap)
        self._seen = min(self._seen, self.clock.now())
        await self._start()
        self._expect(self.clock.now())

    def _take(self, event: Event) -> None:
        tick = datetime.fromisoformat(event.fields["scheduled_at"])
        self.fired[tick] += 1
        if tick > self.clock.now():
            self.wrong.append(f"{tick} came early, at {self.clock.now()}")


async def _rest() -> None:
    for _ in range(8):
        await asyncio.sleep(0)
