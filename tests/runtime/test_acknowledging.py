"""Acknowledgements that wait for the journal."""

import asyncio
import heapq

import pytest

from sinchflow.runtime.acknowledging import SLOW_S, TOO_LATE_S, Acknowledging
from sinchflow.runtime.guard import Refusal


class _Time:
    """A loop's time, which passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay, call):
        heapq.heappush(self._due, (self.now + delay, id(call), call))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, call = heapq.heappop(self._due)
            call()
        self.now = end


def test_newcomers_are_refused_while_the_oldest_waits_for_long_and_who_waits_is_told_in_time():
    async def scenario():
        time, loop = _Time(), asyncio.get_running_loop()
        waiting = Acknowledging(time)
        first, second = loop.create_future(), loop.create_future()
        waiting.check()
        waiting.begin(first)
        time.advance(SLOW_S - 1)
        waiting.check()
        waiting.begin(second)
        time.advance(1.5)
        with pytest.raises(Refusal) as refused:
            waiting.check()
        assert (refused.value.status, dict(refused.value.headers)) == (503, {b"retry-after": b"5"})
        time.advance(TOO_LATE_S - SLOW_S + 0.5)
        assert isinstance(first.exception(), TimeoutError)
        assert not second.done()
        waiting.end(first)
        second.set_result(True)
        waiting.end(second)
        waiting.check()
        time.advance(10)
        assert time._due == []

    asyncio.run(scenario())
