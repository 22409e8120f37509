"""A loop whose time moves when it is told to, and a clock that goes by it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.simulate.play.virtual_time import LoopClock, Stuck, VirtualLoop, put_away

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def loop():
    made = VirtualLoop(patience_s=0.2)
    made.begin()
    yield made
    made.close()


def test_timers_come_in_their_order_at_their_time_and_none_before_it(loop):
    clock, seen = LoopClock(loop, BEGIN), []
    for seconds in (3, 1, 2):
        clock.call_at(BEGIN + timedelta(seconds=seconds), lambda: seen.append(clock.now() - BEGIN))
    clock.call_after(timedelta(days=400), lambda: seen.append(clock.steady() - BEGIN))

    async def play():
        await loop.rest(timedelta(seconds=2))
        assert seen == [timedelta(seconds=1), timedelta(seconds=2)]
        await loop.rest(timedelta(days=400) - timedelta(seconds=2, microseconds=1))
        assert len(seen) == 3
        await loop.rest(timedelta(microseconds=1))

    loop.run_until_complete(play())
    assert seen[2:] == [timedelta(seconds=3), timedelta(days=400)]
    assert clock.now() == BEGIN + timedelta(days=400)


def test_sleeping_tasks_sleep_in_virtual_time_and_rest_waits_for_all_that_follows(loop):
    clock, seen = LoopClock(loop, BEGIN), []

    async def child():
        for _ in range(3):
            await asyncio.sleep(86_400)
            seen.append(clock.now())

    async def play():
        task = asyncio.ensure_future(child())
        await loop.rest(timedelta(days=10))
        assert task.done()

    loop.run_until_complete(play())
    assert seen == [BEGIN + timedelta(days=day) for day in (1, 2, 3)]


def test_time_limits_end_at_their_time(loop):
    async def play():
        async def limited():
            async with asyncio.timeout(30):
                await asyncio.Event().wait()

        task = asyncio.ensure_future(limited())
        await loop.rest(timedelta(seconds=29))
        assert not task.done()
        await loop.rest(timedelta(seconds=1))
        with pytest.raises(TimeoutError):
            task.result()

    loop.run_until_complete(play())


def test_a_year_of_microseconds_adds_up_exactly(loop):
    clock = LoopClock(loop, BEGIN)

    async def play():
        for _ in range(1000):
            await loop.rest(timedelta(hours=8, seconds=1, microseconds=1))

    loop.run_until_complete(play())
    assert clock.now() - BEGIN == 1000 * timedelta(hours=8, seconds=1, microseconds=1)


def test_what_goes_round_in_circles_is_given_up_and_the_loop_goes_on(loop):
    async def endless():
        def again():
            loop.call_soon(again)

        again()
        await loop.rest(timedelta(seconds=1))

    with pytest.raises(Stuck):
        loop.run_until_complete(endless())
    loop._ready.clear()  # what goes round
    loop.begin()

    async def play():
        await loop.rest(timedelta(seconds=1))
        return "done"

    assert loop.run_until_complete(play()) == "done"


def test_forgotten_timers_and_tasks_that_were_put_away_do_nothing_more(loop):
    clock, seen = LoopClock(loop, BEGIN), []

    async def late():
        await asyncio.sleep(1)
        seen.append("task")

    async def play():
        clock.call_at(BEGIN + timedelta(seconds=1), lambda: seen.append("timer"))
        task = asyncio.ensure_future(late())
        await loop.rest()
        clock.forget()
        await put_away(None)
        await loop.rest(timedelta(seconds=5))
        assert task.cancelled()

    loop.run_until_complete(play())
    assert seen == []
