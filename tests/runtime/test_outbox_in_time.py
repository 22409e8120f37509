"""The outbox and time: what is deferred, tried again, expires or is given up; limits that change; and the stop."""

import asyncio
from datetime import timedelta

from msgspec.structs import replace

from sinchflow.model.command import Failed, SendMessage
from sinchflow.model.flow import Retry
from sinchflow.model.project import Limits
from sinchflow.model.send import Send
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.provider import SimulatedSinch

NUMBERS = tuple(f"+6149157015{digit}" for digit in range(6))
NO_LIMIT = Limits(calls=None)


def run(scenario) -> None:
    asyncio.run(scenario())


def taken(sim: SimulatedSinch) -> list[str]:
    return [message.destination_number for message in sim.messages]


def test_send_with_retry_gives_up_when_its_attempts_are_used_up(new_desk, clock):
    async def scenario():
        here = new_desk(clock, "http://127.0.0.1:1", NO_LIMIT)
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


def test_send_that_cannot_reach_the_provider_is_given_up_after_a_day(new_desk, clock):
    async def scenario():
        here = new_desk(clock, "http://127.0.0.1:1", NO_LIMIT)
        here.send(NUMBERS[0])
        await here.settle_down()
        await here.advance(86_399)
        assert here.states() == {NUMBERS[0]: "queued"}
        await here.advance(120)
        assert here.states() == {NUMBERS[0]: "not_sent"}
        await here.close()

    run(scenario)


def test_send_that_cannot_leave_within_its_steps_timeout_expires(new_desk, clock):
    async def scenario():
        here = new_desk(clock, "http://127.0.0.1:1", NO_LIMIT)
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


def test_send_that_left_at_once_and_came_back_still_expires(desk):
    async def scenario():
        async with desk() as (here, sim):
            sim.fail_next(Fault(status=429, headers={"Retry-After": "60"}))
            body = {"content": "x", "destination_number": NUMBERS[0]}
            command = SendMessage(
                id="1:1", account="default", to=NUMBERS[0], body=body, expires_after=timedelta(seconds=20)
            )
            send = Send(id=here.journal.new_id(), run=1, command=command, state="queued", created_at=here.clock.now())
            assert here.outbox.begin_now(send)
            await here.settle_down()
            assert here.states() == {NUMBERS[0]: "queued"}
            await here.advance(21)
            assert here.states() == {NUMBERS[0]: "expired"}
            await here.advance(60)
            assert len(sim.calls) == 1

    run(scenario)


def test_send_leaves_at_once_only_when_it_need_wait_for_nobody(desk):
    async def scenario():
        async with desk(Limits(calls=4)) as (here, sim):

            def begins(number: str) -> bool:
                send_id = here.journal.new_id()
                body = {"content": "x", "destination_number": number}
                command = SendMessage(id=f"1:{send_id}", account="default", to=number, body=body)
                return here.outbox.begin_now(
                    Send(id=send_id, run=1, command=command, state="queued", created_at=here.clock.now())
                )

            assert begins(NUMBERS[0])
            assert not begins(NUMBERS[0])
            assert not begins(NUMBERS[1])  # it may travel with others that come meanwhile
            await here.settle_down()
            assert begins(NUMBERS[1])
            await here.settle_down()
            assert not begins(NUMBERS[2])  # half of the window is used
            await here.outbox.stop()
            here.clock.advance(timedelta(minutes=2))
            assert not begins(NUMBERS[2])
            assert len(sim.calls) == 2

    run(scenario)
