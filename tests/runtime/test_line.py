"""Questions and polls share the account's throttle with the sends. Time only moves when told to."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.project import Limits
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.line import Line, Rank
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.window import CallWindow
from sinchflow.sinch.client import Answer, BasicKey, Client, NotSent

FOUR_A_MINUTE = Limits(calls=4, per=timedelta(seconds=60))
#: Above half of the window, calls are this far apart.
SPACE_S = 15


class Counter:
    """A line to a provider that answers 200 and keeps the path and time of each call."""

    def __init__(self, clock, limits: Limits, *, is_connected: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock
        self.began = clock.now()
        self.has_sends = False
        self.calls: list[tuple[str, float]] = []
        self.window = CallWindow(limits)
        self.journal = MemoryJournal(loop.call_soon)
        self.stats = stats = Stats()
        self.status = 200
        self.commits = Commits(self.journal, clock, stats, loop)
        self.client = Client(
            "http://sim", BasicKey(api_key="k", api_secret="s"), transport=httpx.MockTransport(self._answer)
        )
        self.line = Line(
            account="default", trouble="provider", client=self.client if is_connected else None, window=self.window,
            has_sends=lambda: self.has_sends, answered=lambda: None, journal=self.journal,
            commits=self.commits, clock=clock, stats=stats, loop=loop,
        )  # fmt: skip
        self.tasks: list[asyncio.Task] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        stored = len(self.journal.load(self.began).calls)
        assert stored > len(self.calls), "a call is stored before its first byte leaves"
        self.calls.append((request.url.path, (self.clock.now() - self.began).total_seconds()))
        return httpx.Response(self.status)

    def ask(self, path: str, rank: Rank = Rank.QUESTION) -> asyncio.Task:
        task = asyncio.get_running_loop().create_task(self.line.calls(rank).call("GET", path))
        self.tasks.append(task)
        return task

    async def pass_(self, seconds: int) -> None:
        for _ in range(seconds + 1):
            for _ in range(30):
                await asyncio.sleep(0)
            await self.commits.drain()
            self.clock.advance(timedelta(seconds=1))


@pytest.fixture
def counting(clock):
    """`async with counting(limits) as counter`."""

    @asynccontextmanager
    async def opened(limits: Limits = FOUR_A_MINUTE, **how):
        counter = Counter(clock, limits, **how)
        async with asyncio.timeout(20):
            yield counter
        for task in counter.tasks:
            task.cancel()
        await asyncio.gather(*counter.tasks, return_exceptions=True)
        await counter.client.close()

    return opened


def run(scenario) -> None:
    asyncio.run(scenario())


def test_calls_never_exceed_the_window(counting):
    async def scenario():
        async with counting() as here:
            for number in range(7):
                here.ask(f"/{number}")
            await here.pass_(140)
            times = [at for _, at in here.calls]
            assert [path for path, _ in here.calls] == [f"/{number}" for number in range(7)]
            assert times[:2] == [0, 0]
            assert all(times[at + 4] - times[at] > 60 for at in range(3))

    run(scenario)


def test_sends_go_before_questions_but_nobody_starves(counting):
    async def scenario():
        async with counting() as here:
            here.has_sends = True
            here.ask("/question")
            await here.pass_(50)
            assert here.calls == []
            await here.pass_(30)
            assert [path for path, _ in here.calls] == ["/question"]
            assert here.calls[0][1] >= 60

    run(scenario)


def test_question_goes_once_the_sends_are_gone(counting):
    async def scenario():
        async with counting() as here:
            here.has_sends = True
            here.ask("/question")
            await here.pass_(5)
            here.has_sends = False
            await here.pass_(SPACE_S)
            assert len(here.calls) == 1

    run(scenario)


def test_questions_go_before_polls(counting):
    async def scenario():
        async with counting(Limits(calls=4, per=timedelta(seconds=8))) as here:
            for _ in range(4):
                here.window.note(here.clock.now())
                here.window.end(here.clock.now())
            here.ask("/poll", Rank.POLL)
            here.ask("/question")
            await here.pass_(30)
            assert [path for path, _ in here.calls] == ["/question", "/poll"]

    run(scenario)


def test_poll_leaves_half_of_the_window_to_others(counting):
    async def scenario():
        async with counting() as here:
            for _ in range(3):
                here.window.note(here.clock.now())
                here.window.end(here.clock.now())
            here.ask("/poll", Rank.POLL)
            await here.pass_(58)
            assert here.calls == []
            await here.pass_(10)
            assert len(here.calls) == 1

    run(scenario)


def test_without_a_limit_nobody_waits(counting):
    async def scenario():
        async with counting(Limits(calls=None)) as here:
            here.has_sends = True
            for number in range(50):
                here.ask(f"/{number}", Rank.POLL)
            await here.pass_(0)
            assert len(here.calls) == 50

    run(scenario)


def test_call_that_is_given_up_while_it_waits_takes_no_place(counting):
    async def scenario():
        async with counting() as here:
            for _ in range(4):
                here.window.note(here.clock.now())
                here.window.end(here.clock.now())
            given_up = here.ask("/given-up")
            here.ask("/next")
            await here.pass_(1)
            given_up.cancel()
            await here.pass_(70)
            assert [path for path, _ in here.calls] == ["/next"]

    run(scenario)


def test_account_that_is_gone_is_said_to_be(counting):
    async def scenario():
        async with counting(is_connected=False) as here:
            asked = here.ask("/question")
            await here.pass_(1)
            result = await asked
            assert isinstance(result, NotSent)
            assert 'account "default" is not in sinchflow.yaml' in result.reason

    run(scenario)


def test_answer_comes_back(counting):
    async def scenario():
        async with counting() as here:
            asked = here.ask("/question")
            await here.pass_(1)
            result = await asked
            assert isinstance(result, Answer)
            assert result.status == 200

    run(scenario)


def test_wider_limits_let_those_go_that_wait(counting):
    async def scenario():
        async with counting(Limits(calls=1, per=timedelta(hours=1))) as here:
            here.ask("/1")
            here.ask("/2")
            await here.pass_(1)
            assert [path for path, _ in here.calls] == ["/1"]
            here.window.limits = FOUR_A_MINUTE
            here.line.look_again()
            await here.pass_(1)
            assert [path for path, _ in here.calls] == ["/1", "/2"]

    run(scenario)


def test_refused_key_is_trouble_until_it_is_taken(counting):
    async def scenario():
        async with counting() as here:
            for status, trouble in ((401, True), (404, False), (401, True), (200, False)):
                here.status = status
                here.ask("/1")
                await here.pass_(60)
                assert ("401" in here.stats.troubles.get("provider", "")) == trouble
            here.stats.troubles["provider"] = "cannot reach it"
            here.ask("/1")
            await here.pass_(60)
            assert here.stats.troubles == {"provider": "cannot reach it"}

    run(scenario)


def test_stop_cancels_who_waits_and_who_comes_later(counting):
    async def scenario():
        async with counting(Limits(calls=1, per=timedelta(hours=1))) as here:
            done, waiting = here.ask("/1"), here.ask("/2")
            await here.pass_(1)
            here.line.stop()
            later = here.ask("/3")
            await here.pass_(1)
            assert done.result().status == 200
            assert (waiting.cancelled(), later.cancelled()) == (True, True)
            await here.pass_(10)
            assert [path for path, _ in here.calls] == ["/1"]

    run(scenario)
