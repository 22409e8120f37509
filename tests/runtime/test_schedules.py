"""Schedules on a clock that only moves when told to: each tick once, whatever happens around it."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from sinchflow.errors import JournalError
from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.flow import Flow, Schedule
from sinchflow.model.origin import Origin
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.schedules import Schedules
from sinchflow.runtime.stats import Stats

ORIGIN = Origin(file="flows/x.yaml", line=1, column=1)
HOURLY = {"cron": "0 * * * *"}


def catalog(timezone="UTC", **flows):
    """What `Schedules` looks at of a catalog: flows by name, each a schedule's fields or None for one switched off."""
    return SimpleNamespace(
        project=SimpleNamespace(timezone=timezone),
        flows={
            name: Flow(
                name=name, digest=name, origin=ORIGIN, steps=(), enabled=fields is not None,
                triggers=(Schedule(origin=ORIGIN, **(fields or HOURLY)),),
            )
            for name, fields in flows.items()
        },
    )  # fmt: skip


class Desk:
    """Schedules over a journal in memory; `restart` makes new ones over the same journal."""

    def __init__(self, clock):
        self.clock = clock
        self.journal = MemoryJournal(asyncio.get_running_loop().call_soon)
        self.fired = []
        self.stats = Stats()

    async def restart(self, catalog, *, is_crash=False):
        if not is_crash and hasattr(self, "schedules"):
            self.schedules.stop()
            await self.rest()
        elif hasattr(self, "schedules"):
            self.schedules._is_stopped = True  # a dead process' timers do not come
        loop = asyncio.get_running_loop()
        commits = Commits(self.journal, self.clock, self.stats, loop)
        self.schedules = Schedules(
            journal=self.journal, commits=commits, clock=self.clock, stats=self.stats, take=self._take
        )
        self.schedules.start(catalog)
        await self.rest()

    def _take(self, event):
        assert event.kind == "schedule"
        self.fired.append((event.fields["flow"], event.fields["scheduled_at"].removesuffix(":00+00:00")))

    async def rest(self):
        for _ in range(20):
            await asyncio.sleep(0)

    async def advance(self, step=timedelta(minutes=1), times=1):
        for _ in range(times):
            self.clock.advance(step)
            await self.rest()

    async def pass_time(self, duration):
        """In steps of a minute, so that each timer comes at its time."""
        await self.advance(times=int(duration / timedelta(minutes=1)))

    def times(self):
        fired, self.fired = [time for _, time in self.fired], []
        return fired


def scenario(play):
    """Run it on a loop, from 2026-03-02 22:30 UTC on."""

    def test(clock):
        async def whole():
            await play(Desk(clock))

        asyncio.run(whole())

    test.__doc__ = play.__doc__
    return test


@scenario
async def test_each_tick_comes_once_at_its_time(desk):
    await desk.restart(catalog(a=HOURLY))
    await desk.advance(timedelta(minutes=29, seconds=59))
    assert desk.times() == []
    await desk.advance(timedelta(seconds=1))
    assert desk.times() == ["2026-03-02T23:00"]
    await desk.pass_time(timedelta(hours=2))
    assert desk.times() == ["2026-03-03T00:00", "2026-03-03T01:00"]


@scenario
async def test_a_flow_seen_for_the_first_time_counts_from_then_on(desk):
    await desk.restart(catalog(a={"every": timedelta(days=1)}))
    assert desk.times() == []


@pytest.mark.parametrize("is_crash", [False, True])
@pytest.mark.parametrize(("missed", "made_up"), [("once", ["2026-03-03T04:00"]), ("skip", [])])
def test_what_went_by_without_a_daemon_is_one_event_or_none(clock, missed, made_up, is_crash):
    async def whole():
        desk = Desk(clock)
        flows = catalog(a={**HOURLY, "missed": missed})
        await desk.restart(flows)
        await desk.pass_time(timedelta(minutes=40))
        assert desk.times() == ["2026-03-02T23:00"]
        desk.schedules.stop()
        if is_crash:
            desk.journal._ticks = {key: tick for key, tick in desk.journal._ticks.items() if tick.at <= clock.now()}
        await desk.rest()
        clock.advance(timedelta(hours=5))
        await desk.restart(flows)
        assert desk.times() == made_up
        await desk.restart(flows)
        await desk.restart(flows, is_crash=True)
        assert desk.times() == []
        await desk.pass_time(timedelta(hours=1))
        assert desk.times() == ["2026-03-03T05:00"]

    asyncio.run(whole())


@scenario
async def test_a_crash_between_event_and_tick_fires_nothing_twice(desk):
    await desk.restart(catalog(a=HOURLY))
    before = dict(desk.journal._ticks)
    await desk.pass_time(timedelta(minutes=30))
    assert desk.times() == ["2026-03-02T23:00"]
    desk.journal._ticks = before  # the event was stored, how far the schedule came was not
    await desk.restart(catalog(a=HOURLY), is_crash=True)
    assert desk.times() == []
    assert desk.stats.repeats == 1
    await desk.pass_time(timedelta(hours=1))
    assert desk.times() == ["2026-03-03T00:00"]


@scenario
async def test_a_reload_fires_nothing_twice_and_skips_nothing(desk):
    await desk.restart(catalog(a=HOURLY, b=HOURLY))
    for _ in range(90):
        desk.schedules.set(catalog(a=HOURLY, b=HOURLY))
        await desk.advance()
    assert desk.times() == ["2026-03-02T23:00"] * 2 + ["2026-03-03T00:00"] * 2


@scenario
async def test_a_schedule_written_anew_counts_from_then_on(desk):
    await desk.restart(catalog(a=HOURLY))
    await desk.pass_time(timedelta(minutes=45))
    assert desk.times() == ["2026-03-02T23:00"]
    desk.schedules.set(catalog(a={"cron": "10,20 * * * *"}))
    await desk.pass_time(timedelta(minutes=60))
    assert desk.times() == ["2026-03-02T23:20", "2026-03-03T00:10"]


@scenario
async def test_what_goes_by_while_a_flow_is_switched_off_is_not_missed(desk):
    await desk.restart(catalog(a=HOURLY))
    desk.schedules.set(catalog(a=None))
    await desk.pass_time(timedelta(hours=3))
    await desk.restart(catalog(a=None))
    await desk.pass_time(timedelta(hours=3))
    await desk.restart(catalog(a=HOURLY))
    assert desk.times() == []
    await desk.pass_time(timedelta(minutes=30))
    assert desk.times() == ["2026-03-03T05:00"]


@scenario
async def test_a_journal_that_fails_loses_no_tick(desk):
    accept = desk.journal.accept
    await desk.restart(catalog(a={**HOURLY, "missed": "skip"}))
    desk.journal.accept = lambda event, done: done(JournalError("the disk is full"))
    await desk.pass_time(timedelta(minutes=45))
    assert desk.stats.troubles == {"journal": "the disk is full"}
    desk.journal.accept = accept
    await desk.advance(timedelta(seconds=1))
    assert desk.times() == ["2026-03-02T23:00"]


@scenario
async def test_a_clock_set_forward_makes_one_event_of_all_that_it_jumps_over(desk):
    await desk.restart(catalog(a=HOURLY, b={**HOURLY, "missed": "skip"}))
    desk.clock.set(desk.clock.now() + timedelta(days=3, minutes=7))
    await desk.advance()
    assert desk.fired == [("a", "2026-03-05T22:00")]


@scenario
async def test_a_clock_set_back_neither_repeats_nor_stops_a_schedule(desk):
    await desk.restart(catalog(a=HOURLY))
    await desk.pass_time(timedelta(hours=2))
    assert desk.times() == ["2026-03-02T23:00", "2026-03-03T00:00"]
    desk.clock.set(desk.clock.now() - timedelta(hours=1))
    desk.schedules.plan_anew()
    await desk.pass_time(timedelta(hours=2))
    assert desk.times() == ["2026-03-03T01:00"]


@scenario
async def test_a_clock_that_was_years_ahead_once_leaves_the_schedule_alive(desk):
    desk.clock.set(desk.clock.now() + timedelta(days=700))
    await desk.restart(catalog(a=HOURLY))
    desk.clock.set(desk.clock.now() - timedelta(days=700))
    await desk.restart(catalog(a=HOURLY))
    await desk.pass_time(timedelta(minutes=30))
    assert desk.times() == ["2026-03-02T23:00"]


@pytest.mark.parametrize(
    ("begin", "cron", "ticks"),
    [
        # Clocks go from 02:00 to 03:00 on 4 October, and from 03:00 back to 02:00 on 5 April
        (datetime(2026, 10, 3, 12, tzinfo=UTC), "30 2 * * *", ["2026-10-03T16:00", "2026-10-04T15:30"]),
        (datetime(2026, 4, 4, 12, tzinfo=UTC), "30 2 * * *", ["2026-04-04T15:30", "2026-04-05T16:30"]),
        (datetime(2026, 10, 3, 12, tzinfo=UTC), "0 9 * * *", ["2026-10-03T22:00", "2026-10-04T22:00"]),
    ],
)
def test_a_tick_comes_once_on_days_when_the_clock_changes(clock, begin, cron, ticks):
    async def whole():
        clock.set(begin)
        desk = Desk(clock)
        await desk.restart(catalog("Australia/Melbourne", a={"cron": cron}))
        await desk.pass_time(timedelta(hours=40))
        assert desk.times() == ticks

    asyncio.run(whole())


def test_a_tick_runs_its_flow_in_the_daemon(play, house, eventually):
    house.flow(
        "name: beat\non: {schedule: {every: 1s}}\n"
        'if: event.scheduled_at\nsteps:\n  - send_sms: {to: "+61491570156", message: "{{ event.scheduled_at }}"}\n'
    )

    async def scenario(house):
        await eventually(lambda: len(house.got()) >= 3)
        assert await house.daemon.reload() is None
        await eventually(lambda: len(house.got()) >= 5)

    play(scenario)
    play(scenario)
    times = [text for _, text in house.got()]
    assert len(times) == len(set(times))
    assert times == sorted(times)
