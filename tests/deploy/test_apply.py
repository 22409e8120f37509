"""`apply` against the simulated Sinch: what is registered afterwards, in which order, and where it stops."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.deploy.apply import Applied, apply
from sinchflow.deploy.desired import Wanted, wanted_webhooks
from sinchflow.deploy.drift import drifted
from sinchflow.deploy.mask import Mask
from sinchflow.deploy.plan import make_plan, plan_removal
from sinchflow.model.project import Webhooks
from sinchflow.runtime.connections import Hooks
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import Answer, BasicKey, Calls, Client, NotSent, Unknown
from sinchflow.sinch.webhooks import list_webhooks
from tests.examples import examples

TOKEN = "hook-token-of-the-test"
PASSWORD = "header-secret-of-the-test"
HOOKS = Hooks(token=TOKEN, secret=PASSWORD, public_url="https://sms.example.com")
SETTINGS = Webhooks(retries=5, retry_delay=timedelta(seconds=60))
MASK = Mask(HOOKS)
WANTED = wanted_webhooks(HOOKS, SETTINGS, "default")
URL = {each.kind: each.url for each in WANTED}
PATH = "/v1/webhooks/messages"


class Recorded:
    """Calls that are written down; `between` is called before the n-th change is made."""

    def __init__(self, calls: Calls, before: dict[int, Callable[[], None]] | None = None) -> None:
        self.changes: list[tuple[str, str]] = []
        self._calls = calls
        self._before = before or {}

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        if method != "GET":
            self.changes.append((method, body.decode()))
            self._before.get(len(self.changes), lambda: None)()
        return await self._calls.call(method, target, body)


def do(
    sim: SimulatedSinch, wanted: tuple[Wanted, ...] = WANTED, adopt: tuple[str, ...] = (), **options: Any
) -> tuple[Applied, list[tuple[str, str]]]:
    """Plan and apply once; what came of it, and the changing calls."""

    async def session() -> tuple[Applied, list[tuple[str, str]]]:
        async with client(sim) as calls:
            plan = make_plan("default", SETTINGS.name, wanted, await list_webhooks(calls), adopt)
            recorded = Recorded(calls, **options)
            return await apply(recorded, plan, SETTINGS.name, MASK), recorded.changes

    return asyncio.run(session())


def drift(sim: SimulatedSinch, hooks: Hooks = HOOKS) -> list[str]:
    async def session() -> list[str]:
        async with client(sim) as calls:
            return list(await drifted(calls, hooks, SETTINGS, "default"))

    return asyncio.run(session())


def client(sim: SimulatedSinch) -> Client:
    return Client(
        "http://sinch.test", BasicKey(api_key="k", api_secret="s"), transport=httpx.ASGITransport(app=sim.app)
    )


def registered(sim: SimulatedSinch) -> dict[str, Any]:
    return {webhook.url: webhook for webhook in sim.webhooks}


def foreign(sim: SimulatedSinch) -> list[dict[str, Any]]:
    """Webhooks of others, as they are."""
    return [webhook.shown() for webhook in sim.webhooks if "X-Sinchflow" not in webhook.headers]


@pytest.fixture
def sim() -> SimulatedSinch:
    """A provider where somebody else listens already."""
    sim = SimulatedSinch()
    sim.webhooks.register(
        "https://crm.example.net/in?key=1", ["RECEIVED_SMS"], template="{}", headers={"Platform": "x"}
    )
    return sim


def test_first_apply_registers_one_webhook_per_kind(sim):
    applied, _ = do(sim)
    assert applied.failed is None
    assert applied.done == tuple(f"created {kind} {url.replace(TOKEN, '***')}" for kind, url in URL.items())
    found = registered(sim)
    for each in WANTED:
        stored = msgspec.to_builtins(found[each.url])
        assert {name: stored[name] for name in ("method", "encoding", "template", "read_timeout", "retries")} == {
            name: getattr(each, name) for name in ("method", "encoding", "template", "read_timeout", "retries")
        }
        assert stored["headers"] == {"X-Sinchflow": f"sinchflow/{each.kind}", "X-Sinchflow-Secret": PASSWORD}


def test_second_apply_changes_nothing(sim):
    do(sim)
    before = [webhook.shown() for webhook in sim.webhooks]
    applied, changes = do(sim)
    assert (applied, changes) == (Applied(account="default"), [])
    assert [webhook.shown() for webhook in sim.webhooks] == before


CHANGED_BY_HAND: list[tuple[dict[str, Any], str]] = [
    ({"template": "{}"}, "template: differs from character 2 on: '{}' → "),
    ({"events": ["RECEIVED_SMS"]}, "events: RECEIVED_SMS → RECEIVED_SMS RECEIVED_MMS"),
    ({"encoding": "XML"}, "encoding: XML → JSON"),
    ({"method": "PUT"}, "method: PUT → POST"),
    ({"headers": {"X-Sinchflow": "sinchflow/inbound"}}, "header X-Sinchflow-Secret: none → ***"),
    ({"headers": {"X-Sinchflow": "sinchflow/inbound", "X-Sinchflow-Secret": "s"}}, "*** → *** (another value)"),
    ({"url": "https://old.example.com/hooks/old-token/inbound"}, "url: https://old.example.com/hooks/***/inbound → "),
    ({"retries": 0}, "retries: 0 → 5 (forces replacement)"),
    ({"read_timeout": 20000}, "read_timeout: 20000 → 10000 (forces replacement)"),
]


@pytest.mark.parametrize(("changes", "words"), CHANGED_BY_HAND)
def test_change_by_hand_shows_in_drift_and_is_mended(sim, changes, words):
    do(sim)
    assert drift(sim) == []
    others = foreign(sim)
    for name, value in changes.items():
        setattr(registered(sim)[URL["inbound"]], name, value)
    (line,) = drift(sim)
    assert line.startswith("inbound: ")
    assert words in line
    applied, _ = do(sim)
    assert applied.failed is None
    assert drift(sim) == []
    assert len(sim.webhooks) == 4
    assert foreign(sim) == others


def test_what_is_deleted_by_hand_is_registered_again(sim):
    do(sim)
    sim.webhooks.clear()
    assert drift(sim) == [f"{kind}: not registered" for kind in URL]
    do(sim)
    assert drift(sim) == []


def test_replacement_is_created_before_the_old_one_is_deleted(sim):
    do(sim)
    old = registered(sim)[URL["receipts"]]
    old.retries = 1
    applied, changes = do(sim)
    assert [method for method, _ in changes] == ["POST", "DELETE"]
    assert applied.done == (
        "created receipts https://sms.example.com/hooks/***/receipts?v=2",
        f"deleted receipts https://sms.example.com/hooks/***/receipts ({old.id})",
    )
    registered(sim)[URL["receipts"] + "?v=2"].read_timeout = 1
    do(sim)
    assert [url for url in registered(sim) if "receipts" in url] == [URL["receipts"] + "?v=3"]


def test_only_what_differs_is_patched(sim):
    do(sim)
    registered(sim)[URL["inbound"]].events = ["RECEIVED_SMS"]
    _, changes = do(sim)
    assert changes == [("PATCH", '{"events":["RECEIVED_SMS","RECEIVED_MMS"]}')]


def by_hand(sim: SimulatedSinch, **changes: Any) -> Any:
    """Somebody's webhook at our address, as documented but for the changes."""
    inbound = WANTED[0]
    given: dict[str, Any] = {
        "template": inbound.template,
        "read_timeout": inbound.read_timeout,
        "retries": inbound.retries,
        "retry_delay": inbound.retry_delay,
    }
    return sim.webhooks.register(inbound.url, inbound.events, **{**given, **changes})


def test_one_registered_by_hand_is_adopted(sim):
    webhook = by_hand(sim)
    applied, changes = do(sim)
    assert applied.failed is None
    assert [method for method, _ in changes] == ["POST", "POST", "PATCH"]
    assert webhook.headers == WANTED[0].headers


def test_one_in_the_way_is_left_alone_until_a_person_gives_it_to_us(sim):
    webhook = by_hand(sim, template="{}")
    before = webhook.shown()
    applied, _ = do(sim)
    assert applied.failed is None
    assert len(applied.done) == 2  # the other kinds
    assert webhook.shown() == before
    assert drift(sim)[0].startswith(f"inbound: webhook {webhook.id} calls our address")
    do(sim, adopt=(webhook.id,))
    assert drift(sim) == []
    assert webhook.template == WANTED[0].template


def test_one_in_the_way_that_cannot_be_changed_is_replaced_when_adopted(sim):
    webhook = by_hand(sim, retries=0)
    do(sim, adopt=(webhook.id,))
    assert drift(sim) == []
    assert URL["inbound"] not in registered(sim)
    assert URL["inbound"] + "?v=2" in registered(sim)


def test_address_taken_meanwhile_by_an_equal_one_is_adopted(sim):
    applied, changes = do(sim, before={1: lambda: by_hand(sim)})
    assert applied.failed is None
    assert [method for method, _ in changes] == ["POST", "PATCH", "POST", "POST"]
    assert drift(sim) == []


def test_address_taken_meanwhile_by_another_stops_with_its_id(sim):
    applied, _ = do(sim, before={1: lambda: by_hand(sim, template="{}")})
    webhook = registered(sim)[URL["inbound"]]
    assert applied.failed.startswith(f"inbound: webhook {webhook.id} calls our address")
    assert applied.failed.endswith("(https://sms.example.com/hooks/***/inbound)")
    assert not applied.is_refusal
    assert applied.done == ()
    assert [line.split()[:2] for line in applied.not_done] == [["create", kind] for kind in URL]


def test_address_that_is_taken_by_nobody_we_can_see_is_explained(sim):
    sim.fail_next(
        Fault(status=409, body='{"message":"A webhook with the given url and method already exists."}', path=PATH)
    )
    applied, _ = do(sim)
    assert "but does not list it" in applied.failed


def test_first_failure_stops_and_tells_what_was_done_and_what_not(sim):
    for fault in (Fault(kind="delay", path=PATH), Fault(status=400, body=f'{{"message":"no {TOKEN}"}}', path=PATH)):
        sim.fail_next(fault)
    applied, _ = do(sim)
    assert applied.is_refusal
    assert "no ***" in applied.failed
    assert TOKEN not in repr(applied)
    assert [line.split()[:2] for line in applied.done] == [["created", "inbound"]]
    assert [line.split()[:2] for line in applied.not_done] == [["create", "receipts"], ["create", "opt-outs"]]
    again, _ = do(sim)
    assert len(again.done) == 2
    assert drift(sim) == []


def test_what_is_stored_otherwise_than_told_is_noticed(sim):
    def spoil() -> None:
        registered(sim)[URL["inbound"]].template = WANTED[0].template.replace("$!", "$")

    applied, _ = do(sim, before={3: spoil})
    assert applied.failed.startswith("inbound read back is not what was registered (template: differs from character ")


def test_one_that_is_gone_already_needs_no_deleting(sim):
    do(sim)

    async def remove() -> Applied:
        async with client(sim) as calls:
            plan = plan_removal("default", SETTINGS.name, await list_webhooks(calls))
            sim.webhooks.clear()
            return await apply(calls, plan, SETTINGS.name, MASK)

    assert asyncio.run(remove()).failed is None


def test_without_a_public_address_nothing_can_differ(sim):
    assert drift(sim, Hooks(token=TOKEN)) == []


def test_public_address_of_no_use_is_drift(sim):
    (line,) = drift(sim, Hooks(token=TOKEN, public_url="sms.example.com"))
    assert "is no address that Sinch can call" in line


_HEADERS = st.sampled_from(
    [
        {},
        {"Platform": "x"},
        {"X-Sinchflow": "shop/inbound"},
        {"X-Sinchflow": "sinchflow/gone"},
        *({"X-Sinchflow": f"sinchflow/{kind}"} for kind in URL),
        *(each.headers for each in WANTED),
    ]
)
_ADDRESSES = [
    *URL.values(),
    *(f"{url}?v=2" for url in URL.values()),
    "https://old.example.com/hooks/t/inbound",
    "https://old.example.com/hooks/t/receipts",
    "https://crm.example.net/in",
]
_STATES = st.dictionaries(
    st.tuples(st.sampled_from(_ADDRESSES), st.sampled_from(["POST", "PUT"])),
    st.fixed_dictionaries(
        {
            "events": st.sampled_from([each.events for each in WANTED]),
            "headers": _HEADERS,
            "template": st.sampled_from([None, "{}", *(each.template for each in WANTED)]),
            "retries": st.sampled_from([0, 5]),
            "read_timeout": st.sampled_from([None, 10_000]),
            "retry_delay": st.sampled_from([None, 60]),
        }
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=examples(60))
@given(_STATES)
def test_whatever_is_there_one_apply_settles_it_and_others_stay_as_they_are(state):
    sim = SimulatedSinch()
    for (url, method), given_fields in state.items():
        sim.webhooks.register(url, method=method, **given_fields)
    before = {webhook.id: webhook.shown() for webhook in sim.webhooks}
    applied, _ = do(sim)
    assert applied.failed is None
    again, changes = do(sim)
    assert (again.failed, changes) == (None, [])
    after = {webhook.id: webhook.shown() for webhook in sim.webhooks}
    for id_, webhook in before.items():
        if not webhook["headers"].get("X-Sinchflow", "").startswith("sinchflow/"):
            unmarked = {**after[id_], "headers": webhook["headers"]}
            assert unmarked == webhook  # adopted at most: nothing but headers has changed
