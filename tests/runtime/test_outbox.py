"""The outbox against the simulated Sinch: every way that a call can end. Time only moves when told to."""

import asyncio
import socket
from datetime import timedelta

import pytest

from sinchflow.model.command import Sent
from sinchflow.model.project import Limits
from sinchflow.runtime.line import Rank
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import BasicKey

NUMBERS = tuple(f"+6149157015{digit}" for digit in range(6))
NO_LIMIT = Limits(calls=None)


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


def test_provider_that_is_away_is_probed_ever_more_rarely_and_gets_all_when_it_is_back(new_desk, clock, serve):
    async def scenario():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        here = new_desk(clock, f"http://127.0.0.1:{port}", NO_LIMIT)
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


def test_trouble_is_over_when_the_provider_answers_and_no_send_is_left_to_try_it(desk):
    async def scenario():
        async with desk() as (here, sim):

            async def poll() -> None:
                asked = asyncio.create_task(here.line.call(Rank.POLL, "GET", "/v1/replies", b""))
                await here.settle_down()
                await asked

            sim.fail_next(Fault(status=503, times=2))
            here.send(NUMBERS[0])
            await here.settle_down()
            here.send(NUMBERS[1])
            await here.advance(1)
            assert set(here.states().values()) == {"held"}
            await poll()
            assert "503" in here.stats.troubles["provider"]  # a moment ago: nothing would be tried yet either
            await here.advance(5)
            await poll()
            assert here.stats.troubles == {}
            sim.fail_next(Fault(status=503))
            here.send(NUMBERS[0])
            await here.settle_down()
            assert "503" in here.stats.troubles["provider"]

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
