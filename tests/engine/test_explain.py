"""Why a flow was not taken, in words; and that the explanation never contradicts the router."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.engine.explain import explain
from sinchflow.engine.routing import Router
from sinchflow.model.event import Event
from sinchflow.model.flow import Condition, DeliveryReceipt, InboundSms, ListName, OptOut
from sinchflow.model.send import SentBy
from tests.engine.test_routing import (
    FACTS,
    NOW,
    NUMBERS,
    ORIGIN,
    TEMPLATES,
    accounts,
    events,
    flow,
    inbound,
    receipt_events,
    receipts,
    sms,
)
from tests.examples import examples

conditions = st.sampled_from([None, "true", "false", "event.content == 'hours'", "event.missing.deep == 1"])
many = st.lists(
    st.tuples(
        st.lists(inbound, min_size=1, max_size=2), st.booleans(), st.integers(0, 2), accounts, st.booleans(), conditions
    ),
    max_size=6,
)


def named(triggers, goes_on, priority, account, enabled, condition, name):
    made = None if condition is None else Condition(condition, ORIGIN)
    return flow(name, *triggers, goes_on=goes_on, priority=priority, account=account, enabled=enabled, condition=made)


@settings(max_examples=examples(300), deadline=None)
@given(many, events, st.booleans())
def test_it_says_of_texts_what_the_router_does(given_flows, event, is_wanted):
    flows = [named(*each, name=f"f{number}") for number, each in enumerate(given_flows)]
    routed = Router(flows).route(event, FACTS, NOW, TEMPLATES, is_wanted=lambda: is_wanted)
    told = explain(event, flows, FACTS, NOW, TEMPLATES, is_wanted=is_wanted)
    assert [each.flow for each in told if each.verdict == "takes"] == [match.flow.name for match in routed.matches]
    near = {*routed.near, *(problem.flow for problem in routed.problems)} - {
        match.flow.name for match in routed.matches
    }
    assert near <= {each.flow for each in told if each.verdict == "near"}
    assert all(each.reason for each in told if each.verdict != "takes")


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(receipts, accounts, conditions), max_size=6), receipt_events)
def test_it_says_of_receipts_what_the_router_does(given_flows, event):
    flows = [
        named([trigger], False, 0, account, True, condition, f"f{number}")
        for number, (trigger, account, condition) in enumerate(given_flows)
    ]
    sender = SentBy(flow="x", step="0", run=1)
    routed = Router(flows).route(event, FACTS, NOW, TEMPLATES, lambda: sender)
    told = explain(event, flows, FACTS, NOW, TEMPLATES, lambda: sender)
    assert [each.flow for each in told if each.verdict == "takes"] == [match.flow.name for match in routed.matches]


@pytest.mark.parametrize(
    ("trigger", "event", "reason"),
    [
        ({"keyword": ("HOURS", "OPEN")}, sms("hour please"), 'keyword: the first word is "HOUR", wanted HOURS, OPEN'),
        ({"keyword": ("HOURS",)}, sms(None), "keyword: there is no text, wanted HOURS"),
        ({"exact": ("yes now",)}, sms("Yes"), 'exact: the message is "Yes", wanted yes now'),
        ({"contains": ("open now", "👍")}, sms("open?"), 'contains: "open?" has none of open now, 👍'),
        ({"starts_with": ("order",)}, sms("my order"), 'starts_with: "my order" does not begin with order'),
        ({"regex": ("^[0-9]+$",)}, sms("abc"), 'regex: "abc" does not match ^[0-9]+$'),
        ({"from_": ("+4479*",)}, sms("x"), f"from: {NUMBERS[0]} is not +4479*"),
        ({"from_": (ListName("gone"),)}, sms("x"), f"from: {NUMBERS[0]} is not in list gone"),
        ({"to": ("+4479*",)}, sms("x"), f"to: {NUMBERS[1]} is not +4479*"),
        ({"type": ("MMS",)}, sms("x"), 'type: it is "SMS", wanted MMS'),
        ({"metadata": {"kind": ("a",)}}, sms("x"), "metadata.kind is not there, wanted a"),
        ({"metadata": {"kind": ("a",)}}, sms("x", metadata={"kind": "b"}), 'metadata.kind is "b", wanted a'),
    ],
)
def test_first_filter_that_failed_is_named_with_its_value(trigger, event, reason):
    [told] = explain(event, [flow("f", InboundSms(origin=ORIGIN, **trigger))], FACTS, NOW, TEMPLATES)
    assert (told.verdict, told.reason) == ("no", reason)


def receipt(**fields):
    return Event(
        id=1, kind="delivery_receipt", key="k", received_at=NOW, contact=NUMBERS[0], our_number=NUMBERS[1],
        fields={"status": "failed", "status_code": "330", "metadata": {}} | fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trigger", "sender", "reason"),
    [
        ({"status": ("delivered",)}, None, 'status: it is "failed", wanted delivered'),
        ({"status_code": ("220",)}, None, 'status_code: it is "330", wanted 220'),
        ({"from_": ("+4479*",)}, None, f"from: {NUMBERS[1]} is not +4479*"),
        ({"to": ("+4479*",)}, None, f"to: {NUMBERS[0]} is not +4479*"),
        ({"flow": ("a",)}, None, "flow: the message was sent by no flow that is known, wanted a"),
        ({"flow": ("a",)}, "b", "flow: the message was sent by flow b, wanted a"),
    ],
)
def test_first_filter_of_a_receipt_that_failed_is_named(trigger, sender, reason):
    by = None if sender is None else SentBy(flow=sender, step="0", run=1)
    flows = [flow("f", DeliveryReceipt(origin=ORIGIN, **trigger))]
    [told] = explain(receipt(), flows, FACTS, NOW, TEMPLATES, lambda: by)
    assert (told.verdict, told.reason) == ("no", reason)


def test_flows_are_told_in_their_turn_with_what_came_of_each():
    keyword = InboundSms(origin=ORIGIN, keyword=("HOURS",))
    flows = [
        flow("b-first", keyword, priority=5),
        flow("a-late", keyword),
        flow("off", keyword, enabled=False),
        flow("closed", keyword, priority=9, condition=Condition("1 > 2", ORIGIN)),
        flow("other", keyword, account="nz"),
        flow("hole", keyword, priority=8, condition=Condition("event.content.x == 1", ORIGIN)),
        flow("any", InboundSms(origin=ORIGIN)),
        flow("receipts", DeliveryReceipt(origin=ORIGIN)),
    ]
    told = explain(sms("Hours?"), flows, FACTS, NOW, TEMPLATES)
    assert [(each.flow, each.verdict) for each in told] == [
        ("closed", "near"), ("hole", "near"), ("b-first", "takes"), ("a-late", "late"), ("off", "off"), ("other", "no"),
        ("any", "late"),
    ]  # fmt: skip
    reasons = {each.flow: each.reason for each in told}
    assert reasons["closed"] == "`if` is false: 1 > 2"
    assert reasons["hole"].startswith("`if` failed: ")
    assert reasons["a-late"] == reasons["any"] == "b-first took it first"
    assert reasons["other"] == "account: the event came in on default, the flow is for nz"
    assert reasons["off"] == "it is switched off (`enabled: false`)"


def test_open_wait_comes_before_flows_that_take_any_text():
    [told] = explain(sms("purple"), [flow("any", InboundSms(origin=ORIGIN))], FACTS, NOW, TEMPLATES, is_wanted=True)
    assert (told.verdict, told.reason) == ("late", "an open wait took it first")


@pytest.mark.parametrize(
    ("options", "verdict"), [({}, "takes"), ({"enabled": False}, "off"), ({"condition": "1 > 2"}, "near")]
)
def test_event_for_one_flow_is_told_of_that_flow_alone(options, verdict):
    options = {name: Condition(value, ORIGIN) if name == "condition" else value for name, value in options.items()}
    flows = [flow("f", OptOut(origin=ORIGIN), **options), flow("g")]
    event = Event(id=1, kind="manual", key="k", received_at=NOW, fields={"flow": "f", "inputs": {}})
    assert [(each.flow, each.verdict) for each in explain(event, flows, FACTS, NOW, TEMPLATES)] == [("f", verdict)]


def test_opt_out_names_the_number_that_did_not_fit():
    event = Event(id=1, kind="opt_out", key="k", received_at=NOW, contact=NUMBERS[0], fields={})
    [told] = explain(event, [flow("f", OptOut(origin=ORIGIN, from_=("+4479*",)))], FACTS, NOW, TEMPLATES)
    assert told.reason == f"from: {NUMBERS[0]} is not +4479*"
