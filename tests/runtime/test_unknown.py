"""Messages of which nobody knows whether they went out: every policy, every fault, and how late the report is.

Through the real client, the simulated Sinch and the journal, in virtual time: what the call's outcome is taken for,
what customers get in the end, and what the operator sees.
"""

import asyncio
from datetime import timedelta
from typing import NamedTuple

import pytest

from sinchflow.model.command import Failed, SendMessage, Sent, Skipped
from sinchflow.model.event import Event
from sinchflow.model.project import Limits, Sends
from sinchflow.model.send import Send
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.message import Message

ANNA, BEN, CARLA, LATER = (f"+6149157015{digit}" for digit in range(4))
MINUTE = timedelta(minutes=1)
#: What the report needs to be believed, and how long a message is looked up.
RULES = Sends(settling_time=MINUTE, unknown_after=10 * MINUTE)


class Trouble(NamedTuple):
    """A fault of the provider's: whether it takes the messages all the same, and whether that can be known."""

    fault: Fault
    is_taken: bool
    is_unknown: bool = True


POINTER = '{"message": "no", "details": ["/messages/0/destination_number: bad"]}'
TROUBLES = {
    "timeout before it was taken": Trouble(Fault(kind="hang"), is_taken=False),
    "timeout after it was taken": Trouble(Fault(kind="hang", takes=True), is_taken=True),
    "reset before it was taken": Trouble(Fault(kind="reset"), is_taken=False),
    "reset after it was taken": Trouble(Fault(kind="reset", takes=True), is_taken=True),
    "500": Trouble(Fault(status=500), is_taken=False),
    "502 after it was taken": Trouble(Fault(status=502, body="<html>", takes=True), is_taken=True),
    "408 of a gateway": Trouble(Fault(status=408, takes=True), is_taken=True),
    "202 cut": Trouble(Fault(kind="cut"), is_taken=True),
    "202 with an empty body": Trouble(Fault(status=202, body="", takes=True), is_taken=True),
    "200 with HTML": Trouble(Fault(status=200, body="<html>Welcome</html>", takes=True), is_taken=True),
    "200 with HTML of somebody else": Trouble(Fault(status=200, body="<html>Log in"), is_taken=False),
    "fewer messages than sent": Trouble(Fault(kind="short"), is_taken=True),
    "429": Trouble(Fault(status=429, body=None), is_taken=False, is_unknown=False),
    "400 with pointers": Trouble(Fault(status=400, body=POINTER), is_taken=False, is_unknown=False),
    "400 without pointers": Trouble(Fault(status=400, body='{"message": "no"}'), is_taken=False, is_unknown=False),
}  # fmt: skip
#: How long after it was taken the report shows a message.
LAGS = {"none": 0.0, "less than the settling time": 20.0, "more than the settling time": 150.0, "for ever": 1e9}


def ending(trouble: Trouble, policy: str, lag: str) -> tuple[str, int, type | None]:
    """The state in the end, how often the provider has the message, and the run's outcome."""
    taken = int(trouble.is_taken)
    match policy:
        case "hold":
            return "held", taken, None
        case "skip":
            return "skipped", taken, Skipped
        case "resend":
            return "sent", taken + 1, Sent
        case _ if lag == "for ever":
            return "held", taken, None
        case _:
            return "sent", 1, Sent


def receipt(message, status):
    """The fields of a receipt of this message."""
    return {
        "metadata": message.metadata, "message_id": message.message_id, "status": status, "delivery_report_id": "r-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "lag"), [*(("check", lag) for lag in LAGS), ("hold", "none"), ("resend", "none"), ("skip", "none")]
)
@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if trouble.is_unknown])
def test_outcome_that_is_unknown_is_resolved_as_wanted(desk, name, policy, lag):
    trouble = TROUBLES[name]

    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.report_lag_s = LAGS[lag]
            sim.fail_next(trouble.fault)
            here.send(ANNA, BEN, on_unknown=policy)
            await here.settle_down()
            expected = {"check": "unknown", "hold": "held", "resend": "queued", "skip": "skipped"}[policy]
            assert here.states() == {ANNA: expected, BEN: expected}
            assert "outcome unknown" in here.reasons()
            here.send(LATER)  # what the report shows later tells how far it has got
            for _ in range(70):
                await here.advance(10)
            state, times, outcome = ending(trouble, policy, lag)
            assert here.states() == {ANNA: state, BEN: state, LATER: "sent"}
            got = [message.destination_number for message in sim.messages]
            assert [got.count(to) for to in (ANNA, BEN, LATER)] == [times, times, 1]
            for to in (ANNA, BEN):
                assert [type(each) for each in here.outcomes.get(to, [])] == ([] if outcome is None else [outcome])
            if policy == "check" and state == "sent":
                ids = {message.destination_number: message.message_id for message in sim.messages}
                assert {each.to: each.message_id for each in here.journal.sends((), 9)} == ids
            elif state == "held":
                words = "neither found at the provider nor known to be missing" if policy == "check" else ""
                assert words in here.reasons()

    asyncio.run(scenario())


@pytest.mark.parametrize("policy", ["check", "hold", "resend", "skip"])
@pytest.mark.parametrize("name", [name for name, trouble in TROUBLES.items() if not trouble.is_unknown])
def test_outcome_that_is_known_asks_no_policy(desk, name, policy):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(TROUBLES[name].fault)
            here.send(ANNA, on_unknown=policy)
            await here.settle_down()
            for _ in range(12):
                await here.advance(10)
            if name == "429":
                assert here.states() == {ANNA: "sent"}
                assert len(sim.messages) == 1
            else:
                assert here.states() == {ANNA: "refused"}
                assert [type(each) for each in here.outcomes[ANNA]] == [Failed]
            assert here.stats.look_ups == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("policy", ["check", "hold", "resend", "skip"])
def test_connection_that_is_never_made_leaves_nothing_in_doubt(new_desk, clock, policy):
    async def scenario():
        here = new_desk(clock, "http://127.0.0.1:1", Limits(calls=None))
        here.send(ANNA, on_unknown=policy)
        await here.settle_down()
        assert here.states() == {ANNA: "queued"}
        assert len(here.settling) == 0
        await here.close()

    asyncio.run(scenario())


def test_absence_counts_only_once_the_report_shows_something_later(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset"))
            here.send(ANNA, on_unknown="check")
            await here.settle_down()
            await here.advance(300)  # five settling times, but nothing was sent since
            assert here.states() == {ANNA: "unknown"}
            here.send(LATER)
            for _ in range(9):
                await here.advance(10)
            assert here.states() == {ANNA: "sent", LATER: "sent"}
            assert [message.destination_number for message in sim.messages] == [LATER, ANNA]

    asyncio.run(scenario())


def test_only_message_since_the_doubt_counts_however_soon_after_another_it_is(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset"))
            here.send(ANNA)
            await here.settle_down()
            here.settling._look_ups["default"].note_taken(999, 1)  # a call that was under way when the doubt began
            await here.advance(2)
            here.send(LATER)
            for _ in range(14):
                await here.advance(10)
            assert here.states() == {ANNA: "sent", LATER: "sent"}
            assert len(sim.messages) == 2

    asyncio.run(scenario())


def test_call_from_before_the_doubt_is_no_watermark(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            here.send(LATER)
            await here.settle_down()
            await here.advance(1)
            sim.fail_next(Fault(kind="reset"))
            here.send(ANNA)
            await here.settle_down()
            [earlier] = [send.id for send in here.journal.sends(("sent",), 9)]
            here.settling._look_ups["default"].note_taken(earlier, 1)
            for _ in range(14):
                await here.advance(10)
            assert here.states() == {ANNA: "unknown", LATER: "sent"}

    asyncio.run(scenario())


def test_watermark_is_no_matter_of_the_clock(desk):
    """It was set back between the later message, as it seems, and the doubt."""

    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset", takes=True))
            here.send(ANNA)
            await here.settle_down()
            here.settling.hear(receipt(sim.messages[0], "delivered"))
            await here.advance(5)
            here.send(LATER)
            await here.settle_down()
            assert here.states() == {ANNA: "sent", LATER: "sent"}
            here.clock.advance(-10 * MINUTE)
            sim.fail_next(Fault(kind="reset", takes=True))
            here.send(BEN)
            await here.settle_down()
            sim.messages.pop()  # the report does not show it yet
            here.clock.advance(10 * MINUTE)
            for _ in range(3):
                await here.advance(5)
            assert here.states()[BEN] in ("unknown", "held")
            assert len(sim.calls) == 3

    asyncio.run(scenario())


def test_one_that_is_found_proves_its_whole_batch(desk):
    """The report shows one message of three: the others are not sent again, and their ids are found when they show."""

    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset", takes=True))
            here.send(ANNA, BEN, CARLA)
            await here.settle_down()
            assert set(here.states().values()) == {"unknown"}
            hidden = [sim.messages.pop(), sim.messages.pop()]
            here.send(LATER)
            for _ in range(12):
                await here.advance(10)
            assert here.states() == {ANNA: "sent", BEN: "unknown", CARLA: "unknown", LATER: "sent"}
            sim.messages.append(hidden[0])
            for _ in range(7):
                await here.advance(10)
            assert here.states() == {ANNA: "sent", BEN: "unknown", CARLA: "sent", LATER: "sent"}
            for _ in range(60):
                await here.advance(10)
            assert here.states()[BEN] == "sent"  # without an id: it is known that it went out, and no more
            [outcome] = here.outcomes[BEN]
            assert outcome.message["message_id"] is None
            assert len(sim.calls) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("policy", ["check", "hold"])
@pytest.mark.parametrize("way", ["receipt", "receipt during the call", "receipt before the restart", "report"])
def test_one_that_was_in_an_earlier_call_proves_nothing_of_its_batch(desk, policy, way):
    """It may have gone out with that call: the others of this one are still in doubt."""

    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            now = here.clock.now()
            anna, ben = (
                Send(
                    id=here.journal.new_id(), run=1, state="sending", created_at=now, call=9, attempt=attempt,
                    command=SendMessage(id=f"1:{to}", account="default", to=to, body={}, on_unknown=policy),
                )
                for to, attempt in ((ANNA, 2), (BEN, 1))
            )  # fmt: skip
            here.commits.unit.new_sends += [anna, ben]
            metadata = {"sinchflow_id": here.journal.send_ids.write(anna.id)}
            earlier = Message(content="Hi", destination_number=ANNA, message_id="m-1", metadata=metadata)
            if way == "receipt during the call":
                here.settling.begins([anna, ben])
                here.settling.hear(receipt(earlier, "delivered"))
            if way == "receipt before the restart":
                fields = receipt(earlier, "delivered")
                event = Event(id=99, kind="delivery_receipt", key="r-1", received_at=here.clock.now(), fields=fields)
                here.journal.accept(event, lambda _: None)
                here.settling.take_up(anna)
                here.settling.take_up(ben)
            else:
                here._settle(here.settling.doubt([anna, ben], "reset"))
            if way == "receipt":
                here.settling.hear(receipt(earlier, "delivered"))
            if way == "report":
                sim.account().take([earlier])
            for _ in range(65):
                await here.advance(10)
            is_lost = way == "report" and policy == "hold"  # nobody looks there
            assert here.states() == {ANNA: "held" if is_lost else "sent", BEN: "held"}
            assert sim.calls == []

    asyncio.run(scenario())


def test_message_that_is_proven_while_its_look_begins_is_looked_up_no_more(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset", takes=True))
            here.send(ANNA)
            await here.settle_down()
            here.clock.advance(timedelta(seconds=2))  # the look is due, and has not taken its first step
            here.settling.hear(receipt(sim.messages[0], "delivered"))
            await here.settle_down()
            assert here.states() == {ANNA: "sent"}
            assert here.stats.internal_errors == 0

    asyncio.run(scenario())


@pytest.mark.parametrize("policy", ["check", "hold"])
def test_receipt_proves_a_message(desk, policy):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.report_lag_s = 1e9
            sim.fail_next(Fault(kind="hang", takes=True))
            here.send(ANNA, BEN, on_unknown=policy)
            await here.settle_down()
            first = sim.messages[0]
            here.settling.hear(receipt(first, "delivered"))
            await here.settle_down()
            assert here.states() == {ANNA: "sent", BEN: "unknown"}
            for _ in range(62):
                await here.advance(10)
            assert here.states() == {ANNA: "sent", BEN: "sent"}  # proven by the other one of its call
            assert [each.message["status"] for each in here.outcomes[ANNA]] == ["delivered"]
            assert len(sim.messages) == 2

    asyncio.run(scenario())


def test_receipt_that_comes_before_the_call_has_failed_counts(desk, eventually):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="hang", takes=True))
            here.send(ANNA)
            await eventually(lambda: sim.messages)
            [message] = sim.messages
            here.settling.hear(receipt(message, "enroute"))
            await here.settle_down()
            assert here.states() == {ANNA: "sent"}
            assert here.stats.look_ups == 0

    asyncio.run(scenario())


def test_message_that_is_of_no_use_any_more_is_not_sent_again(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset"))
            here.send(ANNA, valid_for=timedelta(seconds=30))
            await here.settle_down()
            here.send(LATER)
            for _ in range(9):
                await here.advance(10)
            assert here.states() == {ANNA: "expired", LATER: "sent"}
            [outcome] = here.outcomes[ANNA]
            assert (outcome.kind, "valid_for" in outcome.message) == ("expired", True)

    asyncio.run(scenario())


def test_message_is_not_sent_again_and_again(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset", takes=True, times=100))
            here.send(ANNA, on_unknown="resend")
            await here.settle_down()
            for _ in range(60):
                await here.advance(60)
            assert here.states() == {ANNA: "held"}
            assert "it was in 5 calls" in here.reasons()
            assert len(sim.messages) == 5

    asyncio.run(scenario())


def test_report_that_cannot_be_read_is_named_and_its_messages_are_held(desk):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset"))
            sim.fail_next(Fault(status=403, body='{"message": "Forbidden"}', times=1_000, path="/v2-preview"))
            here.send(ANNA)
            await here.settle_down()
            here.send(LATER)
            for _ in range(12):
                await here.advance(10)
            assert here.states()[ANNA] == "unknown"
            assert "cannot be looked up" in here.stats.troubles["look_up:default"]
            for _ in range(60):
                await here.advance(10)
            assert here.states()[ANNA] == "held"
            assert "look_up:default" not in here.stats.troubles

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("how", "state", "outcome", "messages"),
    [
        ("sent", "sent", Sent, 0),
        ("resend", "sent", Sent, 1),
        ("skip", "skipped", Skipped, 0),
        ("fail", "not_sent", Failed, 0),
    ],
)
def test_person_resolves_a_message_once(desk, how, state, outcome, messages):
    async def scenario():
        async with desk(rules=RULES) as (here, sim):
            sim.fail_next(Fault(kind="reset"))
            here.send(ANNA, on_unknown="hold")
            await here.settle_down()
            [send] = here.journal.sends(("held",), 9)
            assert here.settling.by_hand(send.id, how, "ann") is None
            assert here.settling.by_hand(send.id, "resend", "ben") == "nothing about it is in doubt"
            for _ in range(3):
                await here.advance(60)
            assert here.states() == {ANNA: state}
            assert [type(each) for each in here.outcomes[ANNA]] == [outcome]
            assert len(sim.messages) == messages
            [act] = here.journal._acts
            assert (act.what, act.subject, act.detail) == ("resolve", str(send.id), f"ann: {how}")

    asyncio.run(scenario())
