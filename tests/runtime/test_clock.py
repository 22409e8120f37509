"""What happens when somebody sets the clock: spans go by the time that passes, dates by what the clock shows."""

import asyncio
from datetime import UTC, datetime, timedelta

from sinchflow.model.project import Retention
from sinchflow.runtime.clock import SystemClock
from sinchflow.runtime.counts import RecentCounts, believed
from sinchflow.runtime.retention import Keeping
from sinchflow.runtime.stats import Stats

START = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
YEAR = timedelta(days=365)


class SetClock(SystemClock):
    """The machine's clock, set wrong by `ahead`."""

    ahead = timedelta()

    def now(self):
        return super().now() + self.ahead


def test_a_span_ends_when_it_has_passed_and_a_date_when_the_clock_shows_it():
    async def scenario():
        clock = SetClock(asyncio.get_running_loop())
        called, passed = [], asyncio.Event()
        clock.on_set_back.append(lambda: called.append("set back"))
        clock.call_at(clock.now() + timedelta(milliseconds=20), lambda: called.append("date"))
        clock.call_after(timedelta(milliseconds=60), lambda: (called.append("span"), passed.set()))
        clock.ahead = -YEAR
        async with asyncio.timeout(10):
            await passed.wait()
        assert called == ["set back", "span"]
        passed.clear()
        clock.ahead = YEAR
        clock.call_after(timedelta(milliseconds=1), passed.set)
        async with asyncio.timeout(10):
            await passed.wait()
        await asyncio.sleep(0)
        assert called == ["set back", "span", "date"]

    asyncio.run(scenario())


def test_steady_time_does_not_jump_with_the_wall_clock():
    async def scenario():
        clock = SetClock(asyncio.get_running_loop())
        before = clock.steady()
        clock.ahead = YEAR
        assert timedelta() <= clock.steady() - before < timedelta(minutes=1)

    asyncio.run(scenario())


def test_what_was_written_while_the_clock_was_ahead_is_not_believed():
    ahead = [START, START + YEAR, START + YEAR + timedelta(seconds=5), START + timedelta(seconds=9)]
    nine = START + timedelta(seconds=9)
    assert believed(ahead, START + timedelta(seconds=20)) == [START, nine, nine, nine]
    assert believed([START + YEAR], START) == [START]


def test_how_long_until_something_may_happen_again():
    counts: RecentCounts[str] = RecentCounts()
    counts.note("a", START)
    assert counts.free_in("a", 1, timedelta(minutes=1), START + timedelta(seconds=15)) == timedelta(seconds=45)
    assert counts.free_in("a", 2, timedelta(minutes=1), START) is None


class Asked:
    """A journal that notes by which time it is asked to delete."""

    def __init__(self):
        self.times = []

    def retain(self, rules, now, least, done):
        self.times.append(now)
        done(RuntimeError("nothing here"))


def test_a_leap_of_the_clock_deletes_nothing_before_it_has_lasted_a_day(clock):
    journal = Asked()
    keeping = Keeping(journal=journal, clock=clock, stats=Stats(), latest=clock.now() - YEAR)
    keeping.set(Retention(), timedelta())
    clock.advance(timedelta(hours=23))
    assert max(journal.times) < clock.now() - YEAR + timedelta(hours=1)
    clock.advance(timedelta(hours=2))
    assert journal.times[-1] > clock.now() - timedelta(minutes=2)
    clock.set(clock.now() + timedelta(days=30))
    clock.advance(timedelta(minutes=5))
    assert journal.times[-1] < clock.now() - timedelta(days=29)
    clock.set(clock.now() - timedelta(days=30))
    clock.advance(timedelta(minutes=5))
    assert clock.now() - timedelta(minutes=2) < journal.times[-1] <= clock.now()
