"""What each question asks of the provider and makes of its answers, pages and refusals. One scripted answer a call."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from sinchflow.sinch import authorisation, messages, reports, senders, signature_keys, webhooks
from sinchflow.sinch.client import BasicKey, Client
from sinchflow.sinch.failure import CallFailed, ask

ID = "877c19ef-fa2e-4cec-827a-e1df9b5509f7"
HOOK = {"id": "w1", "url": "https://a.example/x", "method": "POST", "events": ["RECEIVED_SMS"], "encoding": None}
KEY = {"key_id": "k1", "cipher": "RSA", "digest": "SHA256", "created": "2026-08-18T03:43:24Z", "enabled": True}


def play(question: Callable[[Client], Any], *answers: Any) -> tuple[Any, list[tuple[str, str, Any]]]:
    """What the question gives, and the calls it made. An answer is a body, a status or both."""
    calls: list[tuple[str, str, Any]] = []
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        calls.append((request.method, request.url.raw_path.decode(), body))
        given = left.pop(0)
        status, content = given if isinstance(given, tuple) else (200, given)
        if isinstance(content, bytes):
            return httpx.Response(status, content=content)
        return httpx.Response(status, json=content)

    async def whole() -> Any:
        key = BasicKey(api_key="k", api_secret="s")
        async with Client("https://sim.example", key, transport=httpx.MockTransport(answer)) as client:
            return await question(client)

    result = asyncio.run(whole())
    assert left == []
    return result, calls


def test_message_is_asked_for_and_cancelled():
    shown = {"message_id": ID, "status": "scheduled"}
    assert play(lambda calls: messages.get_message(calls, ID), shown) == (shown, [("GET", f"/v1/messages/{ID}", None)])
    gone = {"message_id": ID, "status": "cancelled"}
    assert play(lambda calls: messages.cancel_message(calls, ID), (200, b""), gone) == (
        gone,
        [("PUT", f"/v1/messages/{ID}", {"status": "cancelled"}), ("GET", f"/v1/messages/{ID}", None)],
    )


def test_cancelling_may_be_repeated():
    """A retry after a lost answer: the provider refuses what is cancelled already."""
    gone = {"message_id": ID, "status": "cancelled"}
    found, calls = play(lambda calls: messages.cancel_message(calls, ID), (400, {"message": "not scheduled"}), gone)
    assert (found, [method for method, _, _ in calls]) == (gone, ["PUT", "GET"])


@pytest.mark.parametrize(
    "answers",
    [
        [(400, {"message": "not scheduled"}), {"message_id": ID, "status": "delivered"}],
        [(404, {"message": "not scheduled"})],
    ],
)
def test_message_that_cannot_be_cancelled_is_a_refusal_in_the_providers_words(answers):
    with pytest.raises(CallFailed, match="not scheduled"):
        play(lambda calls: messages.cancel_message(calls, ID), *answers)


def test_opting_out_travels_in_tens():
    numbers = [f"+6149157{n:04}" for n in range(23)]
    _, calls = play(lambda calls: authorisation.opt_out(calls, numbers), (201, {}), (200, {}), (201, {}))
    assert [len(body["numbers"]) for _, _, body in calls] == [10, 10, 3]
    assert [number for _, _, body in calls for number in body["numbers"]] == numbers
    assert {(method, target) for method, target, _ in calls} == {("POST", "/v1/number_authorisation/mt/blacklist")}


@pytest.mark.parametrize("answer", [(200, b"removed"), (404, {"message": "not there"})])
def test_opting_in_takes_a_number_off_also_one_that_is_not_listed(answer):
    _, calls = play(lambda calls: authorisation.opt_in(calls, "+61491570156"), answer)
    assert calls == [("DELETE", "/v1/number_authorisation/mt/blacklist/%2B61491570156", None)]


def test_opted_out_numbers_are_gathered_over_all_pages_with_their_plus():
    pages = (
        {"numbers": ["61491570156", "+61491570157"], "pagination": {"page": "to ken", "next_uri": "/v1/…"}},
        {"numbers": ["61491570158"], "pagination": {"page": "", "next_uri": None}},
    )
    found, calls = play(authorisation.opted_out, *pages)
    assert found == ["+61491570156", "+61491570157", "+61491570158"]
    assert [target.partition("?")[2] for _, target, _ in calls] == ["", "token=to+ken"]


def test_authorisation_of_numbers_is_compared_by_digits():
    answer = {"numbers": [{"number": "61491570156", "authorised": False}, {"number": "+6421555", "authorised": True}]}
    found, [(_, target, _)] = play(
        lambda calls: authorisation.is_authorised(calls, ["+61491570156", "+6421555"]), answer
    )
    assert found == {"+61491570156": False, "+6421555": True}
    assert target == "/v1/number_authorisation/is_authorised/%2B61491570156,%2B6421555"


def test_many_numbers_are_asked_about_in_tens_and_what_is_not_told_is_left_out():
    numbers = [f"+6149157{n:04}" for n in range(12)]
    answers = (
        {"numbers": [{"number": numbers[0], "authorised": True}, {"number": numbers[1]}, "odd"]},
        {"numbers": [{"number": numbers[11], "authorised": False}, {"number": "+1", "authorised": False}]},
    )
    found, calls = play(lambda calls: authorisation.is_authorised(calls, numbers), *answers)
    assert found == {numbers[0]: True, numbers[11]: False}
    assert [target.count("%2B") for _, target, _ in calls] == [10, 2]


@pytest.mark.parametrize(
    ("fetch", "confirm", "path", "name", "ids"),
    [
        (reports.unconfirmed_replies, reports.confirm_replies, "/v1/replies", "replies", "reply_ids"),
        (
            reports.unconfirmed_reports,
            reports.confirm_reports,
            "/v1/delivery_reports",
            "delivery_reports",
            "delivery_report_ids",
        ),
    ],
)
def test_queues_are_read_and_confirmed(fetch, confirm, path, name, ids):
    found, calls = play(fetch, {name: [{"a": 1}, {"b": [2]}]})
    assert ([json.loads(each) for each in found], calls) == ([{"a": 1}, {"b": [2]}], [("GET", path, None)])
    _, calls = play(lambda calls: confirm(calls, ["x", "y"]), (202, b""))
    assert calls == [("POST", f"{path}/confirmed", {ids: ["x", "y"]})]


def test_webhooks_are_listed_over_all_pages_from_0():
    pages = [
        {"page": page, "pageSize": 2, "pageData": [{**HOOK, "id": f"w{page}{n}"} for n in range(2 if page < 2 else 1)]}
        for page in range(3)
    ]
    found, calls = play(webhooks.list_webhooks, *pages)
    assert [each.id for each in found] == ["w00", "w01", "w10", "w11", "w20"]
    assert [target for _, target, _ in calls] == [
        f"/v1/webhooks/messages?page={page}&page_size=100" for page in range(3)
    ]


def test_page_that_is_told_again_ends_the_list():
    page = {"page": 0, "pageSize": 1, "pageData": [HOOK]}
    found, calls = play(webhooks.list_webhooks, page, page)
    assert ([each.id for each in found], len(calls)) == (["w1"], 2)


def test_webhook_is_read_leniently():
    told = {**HOOK, "retries": "3", "headers": None, "read_timeout": 20000, "account": "x"}
    made, calls = play(lambda calls: webhooks.create_webhook(calls, {"url": "u"}), (201, told))
    assert (made.retries, made.headers, made.read_timeout, made.encoding) == (3, {}, 20000, None)
    assert calls == [("POST", "/v1/webhooks/messages", {"url": "u"})]
    _, calls = play(lambda calls: webhooks.update_webhook(calls, "w/1", {"template": "t"}), told)
    assert calls == [("PATCH", "/v1/webhooks/messages/w%2F1", {"template": "t"})]
    _, calls = play(lambda calls: webhooks.delete_webhook(calls, "w1"), (204, b""))
    assert calls == [("DELETE", "/v1/webhooks/messages/w1", None)]


def test_signature_keys_are_made_listed_and_enabled():
    made, calls = play(
        lambda calls: signature_keys.create_key(calls, "SHA512", "nz"),
        (201, {**KEY, "public_key": "MII", "digest": "SHA512"}),
    )
    assert (made.key_id, made.public_key, made.digest, made.account) == ("k1", "MII", "SHA512", "nz")
    assert calls == [("POST", "/v1/iam/signature_keys", {"digest": "SHA512", "cipher": "RSA"})]
    pages = [[{**KEY, "key_id": f"k{page}{n}"} for n in range(20 if page == 1 else 3)] for page in (1, 2)]
    found, calls = play(signature_keys.list_keys, *pages)
    assert len(found) == 23
    assert [target for _, target, _ in calls] == [f"/v1/iam/signature_keys?page={n}&page_size=20" for n in (1, 2)]
    enabled, _ = play(signature_keys.enabled_key, KEY)
    assert (enabled.key_id, enabled.enabled) == ("k1", True)
    nothing, _ = play(signature_keys.enabled_key, (404, {"message": "Currently no key is enabled"}))
    assert nothing is None
    _, calls = play(lambda calls: signature_keys.enable_key(calls, "k1"), KEY)
    assert calls == [("PATCH", "/v1/iam/signature_keys/enabled", {"key_id": "k1"})]
    _, calls = play(signature_keys.disable_keys, (204, b""))
    assert calls == [("DELETE", "/v1/iam/signature_keys/enabled", None)]
    _, calls = play(lambda calls: signature_keys.delete_key(calls, "k1"), (200, b""))
    assert calls == [("DELETE", "/v1/iam/signature_keys/k1", None)]


ADDRESSES = [
    {"id": "a1", "sender_address": "61491593156", "sender_address_type": "INTERNATIONAL", "usage_type": "DEDICATED",
     "account_id": "Acme", "label": "shop", "destination_countries": ["AU"]},
    {"id": "a2", "sender_address": "ACME", "sender_address_type": "ALPHANUMERIC", "usage_type": "ALPHANUMERIC"},
    {"id": "a3", "sender_address": "61491570999", "sender_address_type": "INTERNATIONAL", "usage_type": "OWN_NUMBER",
     "display_status": "EXPIRING", "number": {"type": "MOBILE", "capabilities": ["SMS", "MMS"]}},
    {"id": "a4", "sender_address": "12345", "sender_address_type": "SHORT_CODE", "usage_type": "DEDICATED"},
]  # fmt: skip
ASSIGNED = [
    {"assignment": {"id": "s1", "label": "desk"},
     "number": {"id": "n1", "phone_number": "61491593156", "type": "MOBILE", "capabilities": ["SMS", "MMS"]}},
    {"assignment": {"id": "s2", "label": None},
     "number": {"id": "n2", "phone_number": "61280000000", "type": "LANDLINE", "capabilities": ["TTS"]}},
]  # fmt: skip
NOBODY = ({"replies": []}, {"delivery_reports": []})


def test_senders_are_gathered_over_all_pages_and_shaped_as_the_connectors():
    """sinch-api.md 16.3, row by row."""
    answers = (
        {"data": ADDRESSES[:2], "pagination": {"page_size": 2, "next_token": "t/1"}},
        {"data": ADDRESSES[2:], "pagination": {"page_size": 2, "next_token": None}},
        {"data": ASSIGNED, "pagination": {"page_size": 50, "next_token": None}},
        {"replies": [{"vendor_account_id": {"vendor_id": "SinchEU", "account_id": "Acme"}}]},
    )
    found, calls = play(lambda calls: senders.gather_senders(calls, "+61491593156"), *answers)
    assert [target for _, target, _ in calls] == [
        "/v1/messaging/numbers/sender_address/addresses?page_size=100",
        "/v1/messaging/numbers/sender_address/addresses?page_size=100&token=t%2F1",
        "/v1/messaging/numbers/dedicated/assignments?page_size=100",
        "/v1/replies",
    ]
    assert found["pagination"] == {"page": 1, "page_size": 5, "total_count": 5, "page_count": 1}
    assert found["default_sender"] == {
        "type": "INTERNATIONAL", "number": "+61491593156", "source_type": "DEDICATED", "mms_capable": True,
    }  # fmt: skip
    assert (found["account_id"], found["vendor_id"]) == ("Acme", "SinchEU")
    keys = ("number", "number_id", "label", "type", "source_type", "display_type", "is_default", "mms_capable",
            "number_status")  # fmt: skip
    assert [tuple(sender[key] for key in keys) for sender in found["senders"]] == [
        ("+61491593156", "n1", "shop", "INTERNATIONAL", "DEDICATED", "Dedicated number (mobile)", True, True,
         "APPROVED"),
        ("ACME", "a2", None, "ALPHANUMERIC", "ALPHANUMERIC", "Alpha tag", False, False, "APPROVED"),
        ("+61491570999", "a3", None, "INTERNATIONAL", "OWN_NUMBER", "Own number (mobile)", False, True, "EXPIRING"),
        ("12345", "a4", None, "SHORTCODE", "DEDICATED", "Dedicated number", False, False, "APPROVED"),
        ("+61280000000", "n2", None, "INTERNATIONAL", "DEDICATED", "Dedicated number (landline)", False, False,
         "APPROVED"),
    ]  # fmt: skip


def test_account_without_dedicated_numbers_has_none_and_nothing_is_made_up():
    answers = ({"data": []}, (403, {"message": "This feature has not been enabled in your account."}), *NOBODY)
    found, _ = play(lambda calls: senders.gather_senders(calls, None), *answers)
    names = ("senders", "default_sender", "account_id", "vendor_id")
    assert [found[name] for name in names] == [[], None, None, None]
    assert found["pagination"]["total_count"] == 0


def test_default_sender_that_is_not_listed_is_told_as_configured():
    found, _ = play(lambda calls: senders.gather_senders(calls, "+6421555000"), {"data": []}, {"data": []}, *NOBODY)
    assert found["default_sender"] == {
        "type": None, "number": "+6421555000", "source_type": None, "mms_capable": False,
    }  # fmt: skip


def test_senders_are_told_where_the_queues_are_refused():
    answers = ({"data": ADDRESSES[:1]}, {"data": []}, (403, {"message": "no"}))
    found, _ = play(lambda calls: senders.gather_senders(calls, None), *answers)
    assert ([each["number"] for each in found["senders"]], found["vendor_id"]) == (["+61491593156"], None)


# --- refusals -------------------------------------------------------------------------------------------------------

BODIES = {
    "message and details": (
        {"message": "No.", "details": ["/a: bad", "/b: worse"]},
        "No (/a: bad; /b: worse)",
    ),
    "message": ({"message": "No good"}, "No good"),
    "title and detail": ({"title": "Bad", "detail": "very", "uuid": "u", "type": "t"}, "Bad: very"),
    "invalid fields": (
        {"title": "Bad", "invalidFields": [{"name": "url", "code": "c", "reason": "is long"}]},
        "Bad (url: is long)",
    ),
    "nothing": (b"", "without a message"),
    "a proxy's page": (b"<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
}
ADVICE = {
    400: "mend the request", 401: "`credentials`", 402: "no credit", 403: "switch it on", 404: "check the id",
    408: "try again later", 409: "exists already", 413: "send less", 415: "base_url", 422: "TLS 1.3", 429: "`limits`",
    500: "try again later", 503: "try again later",
}  # fmt: skip
KINDS = {
    400: "refused", 401: "unauthorised", 402: "refused", 403: "refused", 404: "refused", 408: "unknown", 409: "refused",
    413: "refused", 415: "refused", 422: "refused", 429: "limited", 500: "unknown", 503: "unknown",
}  # fmt: skip


@pytest.mark.parametrize("status", KINDS)
@pytest.mark.parametrize("shape", BODIES)
def test_refusal_is_one_readable_line_with_the_providers_words_and_what_to_do(status, shape):
    body, words = BODIES[shape]
    with pytest.raises(CallFailed) as failed:
        play(lambda calls: ask(calls, "GET", "/v1/x"), (status, body))
    failure = failed.value
    assert (failure.kind, failure.status) == (KINDS[status], status)
    line = failure.message
    assert line.startswith(f"HTTP {status}: ")
    assert line.count(f"HTTP {status}") == 1
    assert words in line
    assert ADVICE[status] in line
    assert line.isprintable()


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("", None), ("soon", None)])
def test_wish_for_a_pause_is_told(header, seconds):
    transport = httpx.MockTransport(lambda _: httpx.Response(429, headers={"Retry-After": header}))

    async def scenario():
        async with Client("https://sim.example", BasicKey(api_key="k", api_secret="s"), transport=transport) as client:
            await ask(client, "GET", "/v1/x")

    with pytest.raises(CallFailed) as failed:
        asyncio.run(scenario())
    assert failed.value.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "question",
    [
        lambda calls: messages.get_message(calls, ID),
        authorisation.opted_out,
        lambda calls: authorisation.is_authorised(calls, ["+61491570156"]),
        reports.unconfirmed_replies,
        reports.unconfirmed_reports,
        webhooks.list_webhooks,
        lambda calls: webhooks.create_webhook(calls, {}),
        signature_keys.list_keys,
        lambda calls: signature_keys.create_key(calls, "SHA256"),
        lambda calls: signature_keys.enable_key(calls, "k"),
        lambda calls: senders.gather_senders(calls, None, "SinchEU"),
    ],
)
@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 3_000, b"[1]", b'"text"', b"null", b'{"pageData": [5]}'])
def test_answer_of_another_shape_is_nothing_or_one_line_and_never_a_traceback(question, body):
    answers = [(200, body)] * 2

    def answer(_request: httpx.Request) -> httpx.Response:
        status, content = answers[0]
        return httpx.Response(status, content=content)

    async def scenario():
        key = BasicKey(api_key="k", api_secret="s")
        async with Client("https://sim.example", key, transport=httpx.MockTransport(answer)) as client:
            await question(client)

    failed = asyncio.run(failure_of(scenario))
    assert failed is None or failed.message.isprintable()


@pytest.mark.parametrize(
    "question",
    [
        authorisation.opted_out,
        lambda calls: authorisation.is_authorised(calls, ["+61491570156"]),
        webhooks.list_webhooks,
        signature_keys.list_keys,
        reports.unconfirmed_replies,
        reports.unconfirmed_reports,
        lambda calls: senders.gather_senders(calls, None, "SinchEU"),
    ],
)
@pytest.mark.parametrize("answer", [{}, {"message": "ok"}, "fine", None])
def test_success_that_tells_no_list_is_never_taken_for_an_empty_one(question, answer):
    with pytest.raises(CallFailed, match="check base_url"):
        play(question, answer)


ODD = [None, 5, "text", [], [5], {}, {"number": 5, "assignment": "x", "label": [], "sender_address": {}}]


@pytest.mark.parametrize("member", ODD, ids=repr)
def test_odd_members_of_senders_are_absent_ones(member):
    address = {"sender_address": "61491593156", "sender_address_type": "INTERNATIONAL", "number": member}
    page = {"data": [address, member], "pagination": member}
    assigned = {"data": [member, {"number": member, "assignment": member}], "pagination": member}
    found, _ = play(lambda calls: senders.gather_senders(calls, None), page, assigned, {"replies": [member]}, member)
    assert found["senders"][0]["number"] == "+61491593156"


async def failure_of(scenario) -> CallFailed | None:
    """What it raises of the kind that is shown to people; anything else fails the test."""
    try:
        await scenario()
    except CallFailed as failure:
        return failure
    return None
