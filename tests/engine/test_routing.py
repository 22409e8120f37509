"""The index leaves out only what does not match, whatever the filters; and 10,000 flows are asked like ten."""

import random
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.engine.filters import InboundFilter, Message, OptOutFilter, ReceiptFilter
from sinchflow.engine.routing import Router
from sinchflow.expression.lists import ListData
from sinchflow.expression.pattern import compile_regex
from sinchflow.expression.regex_sets import RegexSets
from sinchflow.expression.template import Templates
from sinchflow.model.event import Event
from sinchflow.model.flow import DeliveryReceipt, Flow, InboundSms, ListName, OptOut
from sinchflow.model.origin import Origin
from sinchflow.model.run import Facts
from sinchflow.model.send import SentBy
from tests.examples import examples

ORIGIN = Origin("a.yaml", 1, 1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATES = Templates()
NUMBERS = ["+61491570156", "+61491570157", "+6421555555"]
LISTS = {"vip": ListData([{"number": NUMBERS[0]}]), "ours": ListData([{"number": each} for each in NUMBERS[1:]])}
FACTS = Facts(lists=LISTS)


def flow(name: str, *triggers, **options) -> Flow:
    return Flow(name=name, digest=name, origin=ORIGIN, triggers=triggers, steps=(), **options)


def sms(text, contact=NUMBERS[0], our_number=NUMBERS[1], **fields) -> Event:
    return Event(
        id=1,
        kind="inbound_sms",
        key="k",
        received_at=NOW,
        contact=contact,
        our_number=our_number,
        fields={"content": text, "type": "SMS", "metadata": {}} | fields,
    )


def names(router: Router, event: Event) -> list[str]:
    return [each.flow.name for each in router.route(event, FACTS, NOW, TEMPLATES).matches]


some = st.lists
accounts = st.sampled_from([None, None, "default", "nz"])
words = st.sampled_from(["hours", "open", "yes", "now", "#5", "👍", "Ünï", "a"])
phrases = st.lists(words, min_size=1, max_size=3).map(" ".join)
in_lists = [ListName("vip"), ListName("ours"), ListName("gone")]
numbers = st.lists(st.sampled_from([*NUMBERS, "+614*", "*7", *in_lists]), max_size=2).map(tuple)
inbound = st.builds(
    InboundSms,
    origin=st.just(ORIGIN),
    keyword=some(words, max_size=2).map(tuple),
    exact=some(phrases, max_size=1).map(tuple),
    contains=some(phrases, max_size=2).map(tuple),
    starts_with=some(st.sampled_from(["h", "hou", "open n", "#", "👍", "yes!"]), max_size=1).map(tuple),
    regex=some(st.sampled_from(["h.*s", "^yes$", "(?P<n>[0-9])", "👍"]), max_size=2).map(tuple),
    from_=numbers,
    to=numbers,
)
events = st.builds(
    sms,
    st.one_of(st.none(), phrases, phrases.map(str.upper), st.just("")),
    contact=st.sampled_from([None, *NUMBERS]),
    our_number=st.sampled_from([None, *NUMBERS]),
)


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(inbound, st.booleans(), st.integers(0, 2), accounts), max_size=8), events)
def test_index_finds_what_asking_every_flow_finds(given_flows, event):
    flows = [
        flow(f"f{n}", trigger, goes_on=goes_on, priority=priority, account=account)
        for n, (trigger, goes_on, priority, account) in enumerate(given_flows)
    ]
    assert names(Router(flows), event) == asked_one_by_one(flows, event)


def asked_one_by_one(flows: list[Flow], event: Event) -> list[str]:
    content = event.fields["content"]
    message = Message(content) if content else None
    found = []
    for has_text_filter in (True, False):
        for each in sorted(flows, key=lambda each: (-each.priority, each.name)):
            [trigger] = each.triggers
            if trigger.has_text_filter is not has_text_filter or each.account not in (None, event.account):
                continue
            if InboundFilter(trigger).passes(event, message, LISTS) is not None:
                found.append(each.name)
                if not each.goes_on:
                    return found
    return found


receipts = st.builds(
    DeliveryReceipt,
    origin=st.just(ORIGIN),
    status=some(st.sampled_from(["failed", "Delivered"]), max_size=2).map(tuple),
    from_=numbers,
    to=numbers,
    metadata=st.dictionaries(
        st.sampled_from(["a", "b"]),
        some(st.sampled_from(["1", "2", "2*", *in_lists]), min_size=1, max_size=2).map(tuple),
    ),
    flow=some(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
)
receipt_events = st.builds(
    lambda our_number, account, **fields: Event(
        id=1, kind="delivery_receipt", key="k", received_at=NOW, account=account, contact=NUMBERS[0],
        our_number=our_number, fields={"status_code": None} | fields,
    ),
    our_number=st.sampled_from([None, *NUMBERS]),
    account=st.sampled_from(["default", "nz"]),
    status=st.sampled_from([None, "failed", "DELIVERED"]),
    metadata=st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2", "22", "61491570156", None])),
)  # fmt: skip
senders = st.sampled_from([None, *(SentBy(flow=name, step="tell", run=5) for name in ("x", "y", "z"))])


@settings(max_examples=examples(300), deadline=None)
@given(some(st.tuples(receipts, accounts), max_size=6), receipt_events, senders)
def test_receipts_go_to_every_flow_that_asking_each_finds(given_flows, event, sender):
    flows = [flow(f"f{n}", trigger, account=account) for n, (trigger, account) in enumerate(given_flows)]
    passing = [each for each in flows if ReceiptFilter(each.triggers[0]).passes(event, LISTS)]
    expected = [
        each.name
        for each in passing
        if each.account in (None, event.account)
        and (not each.triggers[0].flow or (sender is not None and sender.flow in each.triggers[0].flow))
    ]
    asked = []
    matches = Router(flows).route(event, FACTS, NOW, TEMPLATES, lambda: asked.append(1) or sender).matches
    assert [each.flow.name for each in matches] == expected
    about = dict.fromkeys(("flow", "step", "run")) if sender is None else msgspec.to_builtins(sender)
    assert all(each.match == about for each in matches)
    assert len(asked) <= (1 if passing else 0)


@given(
    some(st.tuples(st.builds(OptOut, origin=st.just(ORIGIN), from_=numbers, to=numbers), accounts), max_size=5), events
)
@settings(max_examples=examples(100), deadline=None)
def test_opt_outs_go_to_every_flow_that_asking_each_finds(given_flows, event):
    event = Event(
        id=1, kind="opt_out", key="k", received_at=NOW, account="nz", contact=event.contact, our_number=event.our_number
    )
    flows = [flow(f"f{n}", trigger, account=account) for n, (trigger, account) in enumerate(given_flows)]
    expected = [
        each.name
        for each in flows
        if OptOutFilter(each.triggers[0]).passes(event, LISTS) and each.account in (None, event.account)
    ]
    assert names(Router(flows), event) == expected


@pytest.mark.parametrize(
    ("triggers", "status", "asked"),
    [
        ([DeliveryReceipt(origin=ORIGIN, status=("failed",))] * 3, "failed", 1),
        ([DeliveryReceipt(origin=ORIGIN, status=("failed",), flow=("x",))] * 3, "failed", 1),
        ([DeliveryReceipt(origin=ORIGIN, status=("failed",), flow=("x",))] * 3, "delivered", 0),
        ([], "failed", 0),
    ],
)
def test_who_sent_a_message_is_asked_once_and_only_when_it_matters(triggers, status, asked):
    event = Event(id=1, kind="delivery_receipt", key="k", received_at=NOW, fields={"status": status, "metadata": {}})
    times = []

    def sent_by() -> SentBy:
        times.append(1)
        return SentBy(flow="x", step="0", run=5)

    router = Router([flow(f"f{n}", trigger) for n, trigger in enumerate(triggers)])
    matches = router.route(event, Facts(), NOW, TEMPLATES, sent_by).matches
    assert [each.match for each in matches] == [{"flow": "x", "step": "0", "run": 5}] * (len(triggers) if asked else 0)
    assert len(times) == asked


KINDS = {
    "keyword": lambda n: InboundSms(origin=ORIGIN, keyword=(f"word{n}",)),
    "exact": lambda n: InboundSms(origin=ORIGIN, exact=(f"word {n}",)),
    "contains": lambda n: InboundSms(origin=ORIGIN, contains=(f"word{n} now",)),
    "regex": lambda n: InboundSms(origin=ORIGIN, regex=(rf"\bnumber{n}\b",)),
    "same keyword, own number": lambda n: InboundSms(origin=ORIGIN, keyword=("go",), to=(f"+614915{n:05}",)),
    "customers": lambda n: InboundSms(origin=ORIGIN, from_=(f"+614915{n:05}",)),
    "customers of a list": lambda n: InboundSms(origin=ORIGIN, from_=(ListName("vip"),)),
    "receipts by metadata": lambda n: DeliveryReceipt(origin=ORIGIN, status=("failed",), metadata={"job": (f"j{n}",)}),
    "receipts by number": lambda n: DeliveryReceipt(origin=ORIGIN, from_=(f"+614915{n:05}",)),
    "receipts by sender": lambda n: DeliveryReceipt(origin=ORIGIN, status=("failed",), flow=(f"f{n:05}",)),
}


class Watched:
    """An event that counts how often someone asks for the metadata or numbers that every trigger looks at."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self.looks = 0

    def __getattr__(self, name: str):
        self.looks += 1
        return getattr(self._event, name)


@pytest.mark.parametrize("kind", KINDS)
def test_few_of_many_flows_are_asked(kind):
    event = sms("go number77 word77", contact="+61491500077", our_number="+61491500078")
    if kind.startswith("receipts"):
        event = Event(
            id=1,
            kind="delivery_receipt",
            key="k",
            received_at=NOW,
            our_number="+61491500077",
            fields={"status": "failed", "metadata": {"job": "j77"}},
        )
    looks = []
    for count in (10, 2_000):
        watched = Watched(event)
        names(Router([flow(f"f{n:05}", KINDS[kind](n)) for n in range(count)]), watched)
        looks.append(watched.looks)
    assert looks[1] <= looks[0] + 10


def test_set_that_does_not_compile_is_halved_and_nothing_is_lost():
    huge = [f"x{n}(ab|cd){{400}}y" for n in range(400)]
    sources = [*huge, *(f"order {n}" for n in range(10))]
    random.Random(5).shuffle(sources)
    sets = RegexSets([(source, n) for n, source in enumerate(sources)])
    for text in ("ORDER 7 and order 3", "x5" + "ab" * 400 + "y order 9", "nothing"):
        expected = {n for n, source in enumerate(sources) if compile_regex(source).search(text)}
        assert expected <= set(sets.find(text))


def test_beginning_that_is_a_sign_is_looked_for_as_it_is():
    router = Router([flow("tags", InboundSms(origin=ORIGIN, starts_with=("#",)))])
    assert names(router, sms(" #5")) == ["tags"]
    assert names(router, sms("5#")) == []
