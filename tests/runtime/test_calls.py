"""A mistake of ours in one attempt is counted, and holds up nobody else."""

import asyncio

from sinchflow.model.command import AskProvider, Attempt, Told
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.calls import Calls
from sinchflow.runtime.stats import Stats


class Runs:
    """Keeps the outcomes that runs get."""

    def __init__(self) -> None:
        self.outcomes: asyncio.Queue = asyncio.Queue()

    def called(self, run_id: int, outcome: Told) -> None:
        self.outcomes.put_nowait((run_id, outcome.data))


def question(subject: str) -> AskProvider:
    return AskProvider(id=subject, account="default", what="message", subject=subject)


async def answer(command: AskProvider) -> Attempted:
    if command.subject == "odd":
        raise KeyError(command.subject)
    return Attempted(outcome=Told(command=command.id, data={"status": "delivered"}))


def test_question_that_ends_in_an_internal_error_is_counted(clock):
    async def scenario():
        runs, stats = Runs(), Stats()
        calls = Calls(
            loop=asyncio.get_running_loop(), clock=clock, stats=stats, dialler=None, secrets=lambda: None, ask=answer,
            holder=runs,
        )  # fmt: skip
        calls.call(1, question("odd"), Attempt())
        calls.call(2, question("even"), Attempt())
        assert await asyncio.wait_for(runs.outcomes.get(), 20) == (2, {"status": "delivered"})
        await calls.stop(grace=clock.now() - clock.now())
        assert runs.outcomes.empty()
        assert stats.internal_errors == 1

    asyncio.run(scenario())
