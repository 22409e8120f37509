"""A slow host keeps its own callers waiting, and nobody else's."""

import asyncio
from datetime import timedelta

import pytest

from sinchflow.model.command import Answered, Attempt, CallUrl
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.calls import Calls
from sinchflow.runtime.places import MOST_PER_HOST
from sinchflow.runtime.stats import Stats


class World:
    """URLs of which those at `slow` never answer, and what became of calls by run."""

    def __init__(self) -> None:
        self.answered: list[int] = []
        self.later: dict[int, timedelta] = {}
        self.traceparent = None

    async def call(self, command: CallUrl, secrets) -> Attempted:
        if "slow" in command.url:
            await asyncio.Event().wait()
        outcome = Answered(command=command.id, status=200, headers={}, text="", json=None, rows=None, duration_s=0.0)
        return Attempted(outcome=outcome)

    def called(self, run_id: int, outcome: Answered) -> None:
        self.answered.append(run_id)

    def backs_off(self, run_id, command, attempt, failure="") -> None:
        self.later[run_id] = attempt.due


def command(run_id: int, host: str) -> CallUrl:
    return CallUrl(
        id=f"{run_id}:0:0", method="POST", url=f"https://{host}.example.com/x", timeout=timedelta(seconds=30)
    )


@pytest.mark.parametrize("slow_hosts", [1, 3])
def test_callers_of_slow_hosts_delay_nobody_else_and_rest_when_they_are_too_many(clock, slow_hosts):
    async def scenario():
        world = World()
        calls = Calls(
            loop=asyncio.get_running_loop(), clock=clock, stats=Stats(), dialler=world, secrets=lambda: None, ask=None,
            holder=world,
        )  # fmt: skip
        for number in range(2_500 * slow_hosts):
            calls.call(number, command(number, f"slow{number % slow_hosts}"), Attempt())
        await asyncio.sleep(0)
        calls.call(-1, command(-1, "fast"), Attempt())
        for _ in range(10):
            await asyncio.sleep(0)
        assert world.answered == [-1]
        assert len(world.later) == 2_500 * slow_hosts - len(calls._tasks)
        assert len(calls._tasks) <= (2_000 + MOST_PER_HOST) * slow_hosts
        assert all(timedelta(seconds=5) < due - clock.now() < timedelta(seconds=10) for due in world.later.values())
        await calls.stop(timedelta())

    asyncio.run(scenario())
