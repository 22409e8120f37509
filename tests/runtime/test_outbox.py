"""The outbox against the simulated Sinch: every way that a call can end, with time that only moves when told to."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace

from sinchflow.journal.memory import MemoryJournal
from sinchflow.model.command import Failed, SendMessage, Sent
from sinchflow.model.flow import Retry
from sinchflow.model.project import Limits
from sinchflow.model.send import Send
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.outbox import Outbox, Settled
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.window import CallWindow
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import BasicKey, Client, Timeouts

NUMBERS = tuple(f"+6149157015{digit}" for digit in range(6))
RIGHT_KEY = BasicKey(api_key="key", api_secret="s3cret")
NO_LIMIT = Limits(calls=None)
SOON = Timeouts(connect_s=2, read_s=0.2, write_s=2, pool_s=2, call_s=3)


class Desk:
    """An outbox and its journal; keeps what became of each send."""

    def __init__(self, clock, base_url: str, limits: Limits, key: BasicKey = RIGHT_KEY) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock
        self.stats = Stats()
        self.base_url = base_url
        self.limits = limits
        self.journal = MemoryJournal(loop.call_soon)
        self.commits = Commits(self.journal, clock, self.stats, loop)
        self.outcomes: dict[str, list] = {}
        self.clients = [Client(base_url, key, timeouts=SOON)]
        self.outbox = Outbox(
            account="default", client=self.clients[0], window=CallWindow(limits), journal=self.journal,
            commits=self.commits, clock=clock, stats=self.stats, loop=loop, settle=self._settle,
        )  # fmt: skip

    def _settle(self, settled: Sequence[Settled]) -> None:
        for send, outcome in settled:
            self.commits.unit.sends.append(send)
            if outcome is not None:
                self.outcomes.setdefault(send.command.to, []).append(outcome)
        self.commits.flush_soon()

    def send(self, *recipients: str, text: str = "Hello", age: timedelta = timedelta(), **command) -> None:
        """Store intents and hand them over."""
        for to in recipients:
            send_id = self.journal.new_id()
            body = {"content": text, "destination_number": to}
            asked = SendMessage(id=f"1:{send_id}", account="default", to=to, body=body, **command)
            send = Send(id=send_id, run=1, command=asked, state="queued", created_at=self.clock.now() - age)
            self.commits.unit.new_sends.append(send)
            self.commits.unit.thens.append(lambda send=send: self.outbox.put(send))
            self.commits.flush_soon()

    def states(self) -> dict[str, str]:
        return {each.to: each.state for each in self.journal.sends((), 1_000)}

    def reasons(self) -> str:
        return " | ".join(sorted({each.reason or "" for each in self.journal.sends((), 1_000)}))

    def reconnect(self, key: BasicKey = RIGHT_KEY) -> None:
        self.clients.append(Client(self.base_url, key, timeouts=SOON))
        self.outbox.reconnect(self.clients[-1], self.limits)

    async def settle_down(self) -> None:
        """Wait until no call is under way and all is stored."""
        async with asyncio.timeout(10):
            while True:
                for _ in range(20):
                    await asyncio.sleep(0)
                await self.commits.drain()
                calls = self.outbox._calls
                if calls:
                    await asyncio.wait(calls)
                elif not self.outbox._starting:
                    return

    async def advance(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.settle_down()

    async def close(self) -> None:
        for client in self.clients:
            await client.close()


@pytest.fixture
def desk(clock, serve):
    """`async with desk() as (desk, sim)`."""

    @asynccontextmanager
    async def opened(limits: Limits = NO_LIMIT, key: BasicKey = RIGHT_KEY):
        sim = SimulatedSinch(api_key="key", api_secret="s3cret", receipts=False)
        async with asyncio.timeout(30), serve(sim) as url:
            desk = Desk(clock, url, limits, key)
            try:
                yield desk, sim
            finally:
                await desk.close()

    return opened


def run(scenario) -> None:
    asyncio.run(scenario())


def taken(sim: SimulatedSinch) -> list[str]:
    return [message.destination_number for message in sim.messages]


def test_sends_that_wait_together_travel_together_with_our_id(desk):
    async def scenario():
        async with desk() as (here, sim):
            here.send(*NUMBERS)
            await here.settle_down()
            assert (taken(sim), len(sim.calls)) == (list(NUMBERS), 1)
            assert set(here.states().values()) == {"sent"}
            ids = [message.metadata["sinchflow_id"] for message in sim.messages]
            assert len(set(ids)) == len(NUMBERS)
            assert all(len(each) == 20 and each.startswith(here.journal.identity) for each in ids)
            [outcome] = here.outcomes[NUMBERS[0]]
            assert isinstance(outcome, Sent)
            assert outcome.message["message_id"] == sim.messages[0].message_id

    run(scenario)


def test_messages_to_one_recipient_travel_one_after_the_other(desk):
    async def scenario():
        async with desk() as (here, sim):
            for text in "abc":
                here.send(NUMBERS[0], text=text)
            here.send(NUMBERS[1])
            await here.settle_down()
            await here.advance(1)
            assert [message.content for message in sim.messages if message.destination_number == NUMBERS[0]] == [*"abc"]
            assert [call.messages for call in sim.calls] == [2, 1, 1]

    run(scenario)


def test_batches_are_no_larger_than_the_limit(desk):
    async def scenario():
        async with desk(Limits(calls=None, batch=4)) as (here, sim):
            here.send(*NUMBERS)
            await here.settle_down()
            await here.advance(1)
            assert [call.messages for call in sim.calls] == [4, 2]

    run(scenario)


def test_refused_key_holds_sends_without_a_hot_loop_and_they_go_once_the_key_is_right(desk):
    async def scenario():
        async with desk(key=BasicKey(api_key="key", api_secret="wrong")) as (here, sim):
            here.send(*NUMBERS)
            await here.settle_down()
            assert set(here.states().values()) == {"held"}
            assert "401" in here.stats.troubles["provider"]
            assert "credentials" in here.reasons()
            here.send("+61491570199")
            for _ in range(59):
                await here.advance(1)
            assert len(sim.calls) == 1
            await here.advance(2)
            assert len(sim.calls) == 2
            here.reconnect()
            await here.settle_down()
            assert sorted(taken(sim)) == sorted([*NUMBERS, "+61491570199"])
            assert set(here.states().values()) == {"sent"}
            assert here.stats.troubles == {}

    run(scenario)


def test_429_is_tried_again_when_the_provider_said(desk):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(status=429, headers={"Retry-After": "7"}))
            here.send(*NUMBERS)
            await here.settle_down()
            assert set(here.states().values()) == {"queued"}
            here.send("+61491570199")
            await here.advance(6.9)
            assert len(sim.calls) == 1
            await here.advance(0.2)
            assert (len(sim.calls), len(sim.messages)) == (2, len(NUMBERS) + 1)
            assert {len(each) for each in here.outcomes.values()} == {1}

    run(scenario)


def test_429_without_a_wish_pauses_too(desk):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(status=429))
            here.send(NUMBERS[0])
            await here.settle_down()
            await here.advance(4.9)
            assert len(sim.calls) == 1
            await here.advance(0.2)
            assert here.states() == {NUMBERS[0]: "sent"}

    run(scenario)


def test_provider_that_is_away_is_probed_ever_more_rarely_and_gets_all_when_it_is_back(clock, serve):
    async def scenario():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        here = Desk(clock, f"http://127.0.0.1:{port}", NO_LIMIT)
        here.send(*NUMBERS)
        await here.settle_down()
        assert set(here.states().values()) == {"queued"}
        assert "cannot reach" in here.stats.troubles["provider"]
        for _ in range(300):
            await here.advance(1)
        assert 8 <= here.stats.calls["NotSent"] <= 12
        assert set(here.states().values()) == {"queued"}
        async with serve(SimulatedSinch(api_key="key", api_secret="s3cret", receipts=False), port):
            for _ in range(62):
                await here.advance(1)
            assert set(here.states().values()) == {"sent"}
            assert here.stats.troubles == {}
        await here.close()

    run(scenario)


def test_send_with_retry_gives_up_when_its_attempts_are_used_up(clock):
    async def scenario():
        here = Desk(clock, "http://127.0.0.1:1", NO_LIMIT)
        here.send(NUMBERS[0], retry=Retry(attempts=3, delay=timedelta(seconds=2)))
        here.send(NUMBERS[1], retry=Retry(attempts=3, when=("429",)))
        await here.settle_down()
        for _ in range(60):
            await here.advance(1)
        assert here.states() == {NUMBERS[0]: "not_sent", NUMBERS[1]: "not_sent"}
        [outcome] = here.outcomes[NUMBERS[0]]
        assert isinstance(outcome, Failed)
        assert (outcome.kind, outcome.to) == ("connection", NUMBERS[0])
        await here.close()

    run(scenario)


def test_send_that_cannot_reach_the_provider_is_given_up_after_a_day(clock):
    async def scenario():
        here = Desk(clock, "http://127.0.0.1:1", NO_LIMIT)
        here.send(NUMBERS[0])
        await here.settle_down()
        await here.advance(86_399)
        assert here.states() == {NUMBERS[0]: "queued"}
        await here.advance(120)
        assert here.states() == {NUMBERS[0]: "not_sent"}
        await here.close()

    run(scenario)


def test_refused_batch_is_taken_apart_by_its_pointers(desk):
    async def scenario():
        async with desk() as (here, sim):
            here.send(*NUMBERS[:2], "12", *NUMBERS[2:], "nonsense")
            await here.settle_down()
            assert taken(sim) == list(NUMBERS)
            assert len(sim.calls) == 2
            states = here.states()
            assert {to for to, state in states.items() if state == "refused"} == {"12", "nonsense"}
            [outcome] = here.outcomes["12"]
            assert (outcome.kind, outcome.status) == ("refused", 400)
            assert "the provider refused it: " in outcome.message

    run(scenario)


def test_refused_batch_without_pointers_is_halved_until_the_bad_one_is_alone(desk):
    async def scenario():
        async with desk() as (here, sim):
            fault = Fault(status=400, body='{"message": "something is wrong"}')
            for _ in range(4):  # 6, then its halves, then the first of them
                sim.fail_next(fault)
            here.send(*NUMBERS)
            await here.settle_down()
            await here.advance(1)
            states = here.states()
            assert sorted(states.values()) == ["refused", *["sent"] * 5]
            assert "something is wrong" in here.reasons()
            assert len(taken(sim)) == len(set(taken(sim))) == 5

    run(scenario)


@pytest.mark.parametrize("status", [402, 403, 404, 413, 422])
def test_other_refusals_fail_the_sends_with_the_providers_words(desk, status):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(status=status, body='{"message": "no more credit"}'))
            here.send(*NUMBERS)
            await here.settle_down()
            assert set(here.states().values()) == {"refused"}
            assert "no more credit" in here.reasons()
            assert {outcome.status for [outcome] in here.outcomes.values()} == {status}

    run(scenario)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503, headers={"Retry-After": "1"}),
        Fault(status=504, takes=True),
        Fault(status=202, body="not json"),
        Fault(kind="reset"),
        Fault(kind="reset", takes=True),
        Fault(kind="cut"),
        Fault(kind="short"),
        Fault(kind="hang"),
        Fault(kind="hang", takes=True),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.takes}",
)
def test_sends_whose_outcome_is_unknown_are_held_and_never_repeated(desk, fault):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(fault)
            here.send(*NUMBERS)
            await here.settle_down()
            assert set(here.states().values()) == {"held"}
            assert here.reasons().startswith("outcome unknown: ")
            assert here.outcomes == {}
            for _ in range(100):
                await here.advance(60)
            assert len(sim.calls) == 1
            here.send(NUMBERS[0], text="Next")
            await here.settle_down()
            assert [message.content for message in sim.messages][-1] == "Next"
            assert max(taken(sim).count(number) for number in NUMBERS[1:]) <= 1

    run(scenario)


def test_provider_in_trouble_spoils_only_what_is_in_a_call(desk):
    async def scenario():
        async with desk(Limits(calls=None, batch=2)) as (here, sim):
            sim.fail_next(Fault(status=503, times=4))
            here.send(NUMBERS[0])
            await here.settle_down()
            here.send(*NUMBERS[1:], "+61491570190", "+61491570191")
            await here.settle_down()
            assert len(sim.calls) == 1
            for _ in range(8):
                await here.advance(1)
            assert "503" in here.stats.troubles["provider"]
            for _ in range(60):
                await here.advance(1)
            states = here.states()
            assert sorted(states.values()) == [*["held"] * 4, *["sent"] * 4]
            assert here.stats.troubles == {}

    run(scenario)


def test_throttle_is_kept_while_a_batch_is_taken_apart(desk):
    async def scenario():
        async with desk(Limits(calls=2, per=timedelta(seconds=60))) as (here, sim):
            sim.fail_next(Fault(status=400, body="{}", times=2))
            here.send(*NUMBERS)
            await here.settle_down()
            calls = [len(sim.calls)]
            for _ in range(4):
                await here.advance(29)
                calls.append(len(sim.calls))
            assert all(later - earlier <= 2 for earlier, later in zip(calls, calls[2:], strict=False))
            for _ in range(20):
                await here.advance(31)
            assert set(here.states().values()) <= {"sent", "refused"}
            assert len(taken(sim)) == len(set(taken(sim)))

    run(scenario)


def test_send_that_cannot_leave_within_its_steps_timeout_expires(clock):
    async def scenario():
        here = Desk(clock, "http://127.0.0.1:1", NO_LIMIT)
        here.send(NUMBERS[0], expires_after=timedelta(seconds=20))
        here.send(NUMBERS[1], expires_after=timedelta(seconds=20), retry=Retry(attempts=9, delay=timedelta(seconds=15)))
        here.send(NUMBERS[2])
        await here.settle_down()
        for _ in range(19):
            await here.advance(1)
        assert here.states()[NUMBERS[0]] == "queued"
        await here.advance(2)
        assert here.states() == {NUMBERS[0]: "expired", NUMBERS[1]: "expired", NUMBERS[2]: "queued"}
        for number in NUMBERS[:2]:
            [outcome] = here.outcomes[number]
            assert (outcome.kind, outcome.to) == ("timeout", number)
        await here.close()

    run(scenario)


def test_send_that_expired_while_no_daemon_ran_is_not_sent(desk):
    async def scenario():
        async with desk() as (here, sim):
            here.send(NUMBERS[0], age=timedelta(seconds=21), expires_after=timedelta(seconds=20))
            await here.settle_down()
            assert here.states() == {NUMBERS[0]: "expired"}
            assert sim.calls == []

    run(scenario)


def test_send_whose_time_ends_during_a_call_that_fails_expires(desk, eventually):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(status=429, delay_s=0.1))
            here.send(NUMBERS[0], expires_after=timedelta(seconds=20))
            await eventually(lambda: here.outbox._calls)
            here.clock.advance(timedelta(seconds=21))
            await here.settle_down()
            await here.advance(10)
            assert here.states() == {NUMBERS[0]: "expired"}
            assert len(sim.calls) == 1

    run(scenario)


def test_deferred_send_leaves_when_it_is_due_and_not_before(desk):
    async def scenario():
        async with desk() as (here, sim):
            due = here.clock.now() + timedelta(seconds=30)
            command = SendMessage(
                id="1:1", account="default", to=NUMBERS[0], body={"content": "x", "destination_number": NUMBERS[0]}
            )
            send = Send(id=1, run=1, command=command, state="queued", created_at=here.clock.now(), due=due)
            here.outbox.put(send)
            await here.advance(29.9)
            assert sim.calls == []
            await here.advance(0.2)
            assert taken(sim) == [NUMBERS[0]]

    run(scenario)


def test_stop_waits_for_calls_under_way_and_begins_no_more(desk, eventually):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(kind="delay", delay_s=0.1))
            here.send(*NUMBERS[:2])
            await eventually(lambda: here.outbox._calls)
            here.send(*NUMBERS[2:])
            await here.outbox.stop()
            await here.settle_down()
            assert here.states() == {number: "sent" if number in NUMBERS[:2] else "queued" for number in NUMBERS}
            assert len(sim.calls) == 1

    run(scenario)


def test_lower_limit_of_a_reload_counts_the_calls_made_before(desk):
    async def scenario():
        async with desk() as (here, sim):
            for number in NUMBERS[:3]:
                here.send(number)
                await here.settle_down()
            here.outbox.reconnect(here.clients[0], Limits(calls=3, per=timedelta(seconds=60)))
            here.send(NUMBERS[3])
            await here.settle_down()
            assert len(sim.calls) == 3
            await here.advance(61)
            assert len(sim.calls) == 4

    run(scenario)


def test_retry_is_counted_over_the_sends_own_calls(desk):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(status=429, headers={"Retry-After": "1"}, times=3))
            here.send(NUMBERS[0], retry=Retry(attempts=2, delay=timedelta(seconds=1)))
            here.send(NUMBERS[1], retry=Retry(attempts=4, delay=timedelta(seconds=1), backoff="constant"))
            await here.settle_down()
            for _ in range(60):
                await here.advance(1)
            assert here.states() == {NUMBERS[0]: "not_sent", NUMBERS[1]: "sent"}
            [outcome] = here.outcomes[NUMBERS[0]]
            assert (outcome.kind, outcome.status) == ("status", 429)
            assert replace(outcome, command="") == Failed(
                command="", kind="status", status=429, to=NUMBERS[0], message="the provider asked to slow down (429)"
            )

    run(scenario)
