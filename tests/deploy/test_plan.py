"""The plan is a pure function of what is wanted and what is there. A case is what is there, and what becomes of it."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.deploy.compare import marker_of
from sinchflow.deploy.desired import wanted_webhooks, with_version
from sinchflow.deploy.mask import Mask
from sinchflow.deploy.plan import make_plan, plan_removal
from sinchflow.deploy.show import plan_data, plan_lines
from sinchflow.errors import CannotStart
from sinchflow.model.project import Webhooks
from sinchflow.runtime.connections import Hooks
from sinchflow.sinch.webhooks import EVENTS, Webhook

TOKEN = "hook-token-of-the-test"
PASSWORD = "header-secret-of-the-test"
HOOKS = Hooks(token=TOKEN, secret=PASSWORD, public_url="https://sms.example.com/sms")
SETTINGS = Webhooks(read_timeout=timedelta(seconds=10), retries=5, retry_delay=timedelta(seconds=60))
LIST = wanted_webhooks(HOOKS, SETTINGS, "default")
WANTED = {each.kind: each for each in LIST}
OLD_ADDRESS = "https://sms.example.com/hooks/an-older-token/inbound"


def ours(kind: str, id_: str = "", *, v: int = 1, headers: dict[str, str | None] | None = None, **changes) -> Webhook:
    """A webhook at the provider as we register it, in this version, but for the changes; header None: left out."""
    fields: dict[str, Any] = msgspec.to_builtins(WANTED[kind])
    del fields["kind"]
    merged = {**fields["headers"], **(headers or {})}
    fields["headers"] = {name: value for name, value in merged.items() if value is not None}
    fields |= {"url": with_version(WANTED[kind].url, v), "id": id_ or f"our-{kind}", **changes}
    return msgspec.convert(fields, Webhook, strict=False)


def by_hand(kind: str, id_: str = "hand", *, headers: dict[str, str] | None = None, **changes) -> Webhook:
    """The same as somebody registers it who follows the documentation: without our headers."""
    without: dict[str, str | None] = {"X-Sinchflow": None, "X-Sinchflow-Secret": None}
    return ours(kind, id_, headers={**without, **(headers or {})}, **changes)


def foreign(id_: str = "other", **changes) -> Webhook:
    return by_hand("inbound", id_, **{"url": "https://crm.example.net/in/path-secret?key=top-secret", **changes})


RECEIPTS, OPT_OUTS = ours("receipts"), ours("opt-outs")
#: What becomes of those two when they are there.
REST = ["keep receipts our-receipts", "keep opt-outs our-opt-outs"]

CASES = {
    "nothing there": (
        [],
        ["create inbound - ", "create receipts - ", "create opt-outs - "],
    ),
    "all as wanted": ([ours("inbound"), RECEIPTS, OPT_OUTS], ["keep inbound our-inbound ", *REST]),
    "encoding, order of events and unset timing are no difference": (
        [
            ours("inbound", encoding=None, events=[*reversed(EVENTS["inbound"])], read_timeout=None, retry_delay=None),
            RECEIPTS,
            OPT_OUTS,
        ],
        ["keep inbound our-inbound ", *REST],
    ),
    "header names in other cases are no difference": (
        [
            ours(
                "inbound",
                headers={"X-Sinchflow": None, "x-sinchflow": "sinchflow/inbound", "X-Sinchflow-Secret": None}
                | {"X-SINCHFLOW-SECRET": PASSWORD},
            ),
            RECEIPTS,
            OPT_OUTS,
        ],
        ["keep inbound our-inbound ", *REST],
    ),
    "changed by hand": (
        [ours("inbound", template="{}", events=["RECEIVED_SMS"], encoding="XML"), RECEIPTS, OPT_OUTS],
        ["update inbound our-inbound encoding,events,template", *REST],
    ),
    "method changed by hand": (
        [ours("inbound", method="PUT"), RECEIPTS, OPT_OUTS],
        ["update inbound our-inbound method", *REST],
    ),
    "template gone": (
        [ours("inbound", template=None), RECEIPTS, OPT_OUTS],
        ["update inbound our-inbound template", *REST],
    ),
    "secret rotated, header added": (
        [ours("inbound", headers={"X-Sinchflow-Secret": "old", "X-Mine": "1"}), RECEIPTS, OPT_OUTS],
        ["update inbound our-inbound SECRET,header_X-Mine", *REST],
    ),
    "create-only field": (
        [ours("inbound", retries=0), RECEIPTS, OPT_OUTS],
        ["replace inbound our-inbound retries ?v=2", *REST],
    ),
    "create-only field of a replacement": (
        [ours("inbound", v=2, read_timeout=20_000, template="{}"), RECEIPTS, OPT_OUTS],
        ["replace inbound our-inbound template,read_timeout ?v=3", *REST],
    ),
    "replacement as wanted": ([ours("inbound", v=7), RECEIPTS, OPT_OUTS], ["keep inbound our-inbound ?v=7", *REST]),
    "replacement cut short before the old one was deleted": (
        [ours("inbound", "old", retries=0), ours("inbound", "new", v=2), RECEIPTS, OPT_OUTS],
        ["keep inbound new ?v=2", *REST, "delete inbound old"],
    ),
    "second one of ours": (
        [ours("inbound", "a"), ours("inbound", "b", v=2), RECEIPTS, OPT_OUTS],
        ["keep inbound b ?v=2", *REST, "delete inbound a"],
    ),
    "one of ours for no event we know": (
        [ours("inbound"), RECEIPTS, OPT_OUTS, foreign(headers={"X-Sinchflow": "sinchflow/rich"})],
        ["keep inbound our-inbound", *REST, "delete rich other ?key"],
    ),
    "address changed": (
        [ours("inbound", url=OLD_ADDRESS), RECEIPTS, OPT_OUTS],
        ["update inbound our-inbound url", *REST],
    ),
    "address and a create-only field changed": (
        [ours("inbound", url=OLD_ADDRESS, retries=1), RECEIPTS, OPT_OUTS],
        ["replace inbound our-inbound url,retries", *REST],
    ),
    "registered by hand as documented": (
        [by_hand("inbound"), RECEIPTS, OPT_OUTS],
        ["adopt inbound hand MARK,SECRET", *REST],
    ),
    "registered by hand under a version": (
        [by_hand("inbound", v=4), RECEIPTS, OPT_OUTS],
        ["adopt inbound hand MARK,SECRET ?v=4", *REST],
    ),
    "by hand here, and ours at the old address": (
        [by_hand("inbound"), ours("inbound", url=OLD_ADDRESS), RECEIPTS, OPT_OUTS],
        ["adopt inbound hand MARK,SECRET", *REST, "delete inbound our-inbound"],
    ),
    "somebody's at our address": (
        [by_hand("inbound", template="{}"), RECEIPTS, OPT_OUTS],
        ["conflict inbound hand MARK,SECRET,template", *REST],
    ),
    "somebody's at our address, with its own headers": (
        [by_hand("inbound", headers={"Platform": "x"}), RECEIPTS, OPT_OUTS],
        ["conflict inbound hand MARK,SECRET,header_Platform", *REST],
    ),
    "by hand without retries": (
        [by_hand("inbound", retries=None, retry_delay=None, read_timeout=None), RECEIPTS, OPT_OUTS],
        [
            "conflict inbound hand MARK,SECRET,read_timeout,retries,retry_delay",
            *REST,
        ],
    ),
    "another deployment's at our address": (
        [ours("inbound", headers={"X-Sinchflow": "shop/inbound"}), RECEIPTS, OPT_OUTS],
        ["conflict inbound our-inbound MARK", *REST],
    ),
    "somebody's at our address, and ours at the old one": (
        [by_hand("inbound", template="{}"), ours("inbound", url=OLD_ADDRESS), RECEIPTS, OPT_OUTS],
        ["conflict inbound hand MARK,SECRET,template", "keep inbound our-inbound", *REST],
    ),
    "a mark that is not as we write it": (
        [by_hand("inbound", headers={"X-Sinchflow": "sinchflow"}), foreign(headers={"X-Sinchflow": "sinchflow"})],
        ["adopt inbound hand MARK,SECRET", "create receipts -", "create opt-outs -", "foreign - other ?key"],
    ),
    "ours, and somebody's at the same address": (
        [ours("inbound", v=2), by_hand("inbound"), RECEIPTS, OPT_OUTS],
        ["keep inbound our-inbound ?v=2", *REST, "foreign - hand"],
    ),
    "our method was changed, and somebody has our address since": (
        [ours("inbound", method="PUT"), by_hand("inbound"), RECEIPTS, OPT_OUTS],
        ["update inbound our-inbound method ?v=2", *REST, "foreign - hand"],
    ),
    "same address with another method": (
        [ours("inbound"), by_hand("inbound", method="GET"), RECEIPTS, OPT_OUTS],
        ["keep inbound our-inbound", *REST, "foreign - hand"],
    ),
    "somebody's": (
        [foreign(), ours("inbound"), RECEIPTS, OPT_OUTS],
        ["keep inbound our-inbound", *REST, "foreign - other ?key"],
    ),
    "another deployment's elsewhere": (
        [ours("inbound", "x", headers={"X-Sinchflow": "shop/inbound"}, url=OLD_ADDRESS), RECEIPTS, OPT_OUTS],
        ["create inbound -", *REST, "foreign - x"],
    ),
}


def said(change) -> str:
    names = {"header X-Sinchflow": "MARK", "header X-Sinchflow-Secret": "SECRET"}
    fields = ",".join(names.get(each.field, each.field.replace(" ", "_")) for each in change.differences)
    query = change.url.partition("?")[2].partition("=")
    version = "?" + (query[0] if query[0] != "v" else "".join(query)) if query[0] else ""
    return " ".join([change.action, change.kind or "-", change.found.id if change.found else "-", fields, version])


@pytest.mark.parametrize(("found", "expected"), CASES.values(), ids=CASES)
def test_plan(found, expected):
    plan = make_plan("default", "sinchflow", LIST, found)
    assert [said(change).split() for change in plan.changes] == [line.split() for line in expected]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            by_hand("inbound", template="{}"),
            "update inbound hand MARK,SECRET,template",
        ),
        (
            by_hand("inbound", retries=1),
            "replace inbound hand MARK,SECRET,retries ?v=2",
        ),
        (ours("inbound", headers={"X-Sinchflow": "shop/inbound"}), "update inbound our-inbound MARK"),
    ],
)
def test_what_is_in_the_way_is_adopted_when_a_person_says_so(found, expected):
    plan = make_plan("default", "sinchflow", LIST, [found, RECEIPTS, OPT_OUTS], [found.id])
    assert said(plan.changes[0]).split() == expected.split()
    assert plan.conflicts == ()


def test_conflict_says_what_to_do():
    (conflict,) = make_plan("default", "sinchflow", LIST, [by_hand("inbound", template="{}")]).conflicts
    assert "webhook hand calls our address" in conflict.note
    assert "`sinchflow apply --adopt hand`" in conflict.note


def test_moving_warns_of_another_deployment_with_the_same_name():
    change = make_plan("default", "sinchflow", LIST, [ours("inbound", url=OLD_ADDRESS)]).changes[0]
    assert 'if another deployment is named "sinchflow" too' in change.note


def test_removal_takes_ours_only():
    found = [
        ours("inbound"),
        foreign(),
        by_hand("receipts"),
        ours("opt-outs", headers={"X-Sinchflow": "shop/opt-outs"}),
    ]
    plan = plan_removal("default", "sinchflow", found)
    assert [said(change).split()[:3] for change in plan.changes] == [
        ["delete", "inbound", "our-inbound"],
        ["foreign", "-", "other"],
        ["foreign", "-", "hand"],
        ["foreign", "-", "our-opt-outs"],
    ]


_URLS = [*(with_version(each.url, v) for each in LIST for v in (1, 2)), OLD_ADDRESS, "https://crm.example.net/in?k=1"]
_HEADERS = st.dictionaries(
    st.sampled_from(["X-Sinchflow", "x-sinchflow-secret", "Platform"]),
    st.sampled_from(["sinchflow/inbound", "sinchflow/receipts", "shop/inbound", "sinchflow", "", PASSWORD]),
    max_size=3,
)
_WEBHOOKS = st.lists(
    st.builds(
        ours,
        st.sampled_from(sorted(WANTED)),
        st.uuids().map(str),
        url=st.sampled_from(_URLS),
        method=st.sampled_from(["POST", "post", "GET"]),
        template=st.sampled_from([*(each.template for each in LIST), None, "{}"]),
        retries=st.sampled_from([None, 0, 5]),
    ).flatmap(lambda webhook: _HEADERS.map(lambda headers: msgspec.structs.replace(webhook, headers=headers))),
    max_size=6,
)


@settings(deadline=None)  # a slow machine is no failure
@given(_WEBHOOKS)
def test_no_plan_touches_what_is_not_ours_but_by_adoption(found):
    plan = make_plan("default", "sinchflow", LIST, found)
    for change in plan.changes:
        if change.action in ("update", "replace", "delete"):
            assert marker_of(change.found)[0] == "sinchflow"
        if change.action == "adopt":
            assert marker_of(change.found) is None
            assert {each.field for each in change.differences} <= {"header X-Sinchflow", "header X-Sinchflow-Secret"}
    seen = [change.found.id for change in plan.changes if change.found is not None]
    assert sorted(seen) == sorted(webhook.id for webhook in found)  # each is told of, and once
    assert {change.kind for change in plan.changes if change.wanted} == set(WANTED)


@settings(deadline=None)  # a slow machine is no failure
@given(_WEBHOOKS)
def test_new_addresses_are_free(found):
    plan = make_plan("default", "sinchflow", LIST, found)
    taken = {(webhook.url, webhook.method.upper()) for webhook in found}
    new = [change.url for change in plan.changes if change.action in ("create", "replace")]
    assert not taken & {(url, "POST") for url in new}
    assert len(new) == len(set(new))


@settings(deadline=None)  # a slow machine is no failure
@given(_WEBHOOKS)
def test_secrets_are_never_shown(found):
    mask = Mask(HOOKS)
    plan = make_plan("default", "sinchflow", LIST, found)
    shown = "\n".join(line.text for line in plan_lines(plan, mask)) + repr(plan_data(plan, mask))
    for secret in (TOKEN, PASSWORD, "an-older-token", "k=1"):
        assert secret not in shown


def test_diff_is_readable():
    found = [
        ours("inbound", retries=0, template="{}"),
        ours("receipts", headers={"X-Sinchflow-Secret": "old"}),
        foreign(),
    ]
    plan = make_plan("default", "sinchflow", LIST, found)
    assert [line.text for line in plan_lines(plan, Mask(HOOKS))] == [
        "  ± inbound   replace  https://sms.example.com/sms/hooks/***/inbound?v=2  (our-inbound)"
        "  forces replacement: the new one is created before the old one is deleted",
        '      template: differs from character 2 on: \'{}\' → \'{"event":"received","mess\'',
        "      retries: 0 → 5 (forces replacement)",
        "  ~ receipts  update   https://sms.example.com/sms/hooks/***/receipts  (our-receipts)",
        "      header X-Sinchflow-Secret: *** → *** (another value)",
        "  + opt-outs  create   https://sms.example.com/sms/hooks/***/opt-outs",
        "    foreign   foreign  https://crm.example.net/…  (other)",
        "  1 to create, 1 to update, 1 to replace, 1 of others, left alone",
    ]


def test_wanted_webhooks_of_another_account():
    wanted = wanted_webhooks(Hooks(token="t", public_url="https://h"), Webhooks(name="shop"), "nz")
    assert [each.url for each in wanted] == [
        f"https://h/hooks/t/nz/{kind}" for kind in ("inbound", "receipts", "opt-outs")
    ]
    assert [each.headers for each in wanted] == [{"X-Sinchflow": f"shop/{each.kind}"} for each in wanted]


@pytest.mark.parametrize(
    ("hooks", "words"),
    [
        (Hooks(token="t"), "set `webhooks: {public_url: https://sms.example.com}`"),
        (Hooks(token="t", public_url="sms.example.com"), "is no address that Sinch can call"),
        (Hooks(token="t", public_url="https://h/?x=1"), "is no address that Sinch can call"),
        (Hooks(token="t", public_url="https://h/$x"), "public_url may not hold $"),
        (Hooks(token="a#b", public_url="https://h"), "token may not hold $"),
        (Hooks(token="t", secret="geheimnisträger", public_url="https://h"), "webhooks.secret travels in a header"),
    ],
)
def test_addresses_that_cannot_be_registered_are_refused(hooks, words):
    with pytest.raises(CannotStart) as refused:
        wanted_webhooks(hooks, Webhooks(), "default")
    assert words in str(refused.value)
    assert not {"a#b", "geheimnisträger"} & {*str(refused.value).split()}
