"""Every request that we make, and the answers on which its tests rest, against the vendor's specification."""

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import ValidationError

from sinchflow.sinch import authorisation, messages, reports, senders, signature_keys, webhooks
from sinchflow.sinch.client import BasicKey, Client, HmacKey
from sinchflow.sinch.failure import CallFailed, ask_raw


def _load() -> Any:
    found = importlib.util.spec_from_file_location("specification", Path(__file__).with_name("specification.py"))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.Specification()


SPECIFICATION = _load()
ID = "877c19ef-fa2e-4cec-827a-e1df9b5509f7"
KEY_ID = "7ca628a8-08b0-4e42-aeb8-960b37049c31"
VENDOR = {"vendor_id": "SinchEU", "account_id": "Acme"}
MESSAGE = {
    "content": "Hello", "destination_number": "+61491570156", "delivery_report": True, "format": "SMS",
    "source_number": "+61491593156", "source_number_type": "INTERNATIONAL", "metadata": {"sinchflow": "1"},
    "callback_url": "https://a.example/cb", "scheduled": "2026-08-18T03:43:24.000Z",
    "message_expiry_timestamp": "2026-08-19T03:43:24.000Z",
}  # fmt: skip
PICTURE = {
    "content": "Look", "destination_number": "+61491570156", "format": "MMS", "subject": "Hi",
    "media": ["https://a.example/a.png"],
}  # fmt: skip
TAKEN = {**MESSAGE, "message_id": ID, "status": "queued"}
HOOK = {
    "url": "https://a.example/hooks/token/inbound", "method": "POST", "encoding": "JSON",
    "events": list(webhooks.EVENTS["inbound"]), "headers": {"X-Sinchflow": "x/inbound"},
    "template": webhooks.TEMPLATES["inbound"], "read_timeout": 10000, "retries": 5, "retry_delay": 60,
}  # fmt: skip
MADE = {**HOOK, "id": ID}
KEY = {"key_id": KEY_ID, "cipher": "RSA", "digest": "SHA256", "created": "2026-08-18T03:43:24.000Z", "enabled": True}
REPLY = {
    "reply_id": KEY_ID, "message_id": ID, "content": "Y", "source_number": "+61491570156",
    "destination_number": "+61491593156", "date_received": "2026-08-18T03:43:24.000Z", "metadata": {"a": "b"},
    "vendor_account_id": VENDOR,
}  # fmt: skip
REPORT = {
    "delivery_report_id": KEY_ID, "message_id": ID, "status": "delivered", "source_number": "+61491570156",
    "date_received": "2026-08-18T03:43:24.000Z", "submitted_date": "2026-08-18T03:43:23.000Z",
    "original_text": "Hello", "metadata": {}, "vendor_account_id": VENDOR, "delay": 0, "billing_units": 1,
}  # fmt: skip
ADDRESS = {
    "id": ID, "sender_address": "61491593156", "sender_address_type": "INTERNATIONAL", "usage_type": "DEDICATED",
    "destination_countries": ["AU"], "reason": "r", "label": "shop", "account_id": "Acme",
    "created_date": "2026-08-18T03:43:24.000Z", "last_modified_date": "2026-08-18T03:43:24.000Z",
}  # fmt: skip
ASSIGNED = {
    "assignment": {"id": ID, "number_id": KEY_ID, "label": "desk", "metadata": {}},
    "number": {"id": KEY_ID, "phone_number": "61491593156", "country": "AU", "type": "MOBILE",
               "classification": "BRONZE", "available_after": "2026-08-18T03:43:24.000Z", "capabilities": ["SMS"]},
}  # fmt: skip
BLACKLIST = "/v1/number_authorisation/mt/blacklist"
LISTED = {"uri": BLACKLIST, "numbers": ["61491570156"]}
AUTHORISED = {"uri": "/v1/…", "numbers": [{"number": "+61491570156", "authorised": False}]}

#: Name: the question, and the provider's answers to its calls in turn.
QUESTIONS: dict[str, tuple[Any, list[tuple[int, Any]]]] = {
    "send": (lambda c: messages.send(c, [MESSAGE, PICTURE]), [(202, {"messages": [TAKEN, {**PICTURE, **TAKEN}]})]),
    "get a message": (lambda c: messages.get_message(c, ID), [(200, TAKEN)]),
    "cancel a message": (
        lambda c: messages.cancel_message(c, ID), [(200, b""), (200, {**TAKEN, "status": "cancelled"})]
    ),
    "unconfirmed replies": (reports.unconfirmed_replies, [(200, {"replies": [REPLY]})]),
    "confirm replies": (lambda c: reports.confirm_replies(c, [KEY_ID]), [(202, b"")]),
    "unconfirmed reports": (reports.unconfirmed_reports, [(200, {"delivery_reports": [REPORT]})]),
    "confirm reports": (lambda c: reports.confirm_reports(c, [KEY_ID]), [(202, b"")]),
    "list webhooks": (
        webhooks.list_webhooks,
        [(200, {"page": 0, "pageSize": 1, "pageData": [MADE]}), (200, {"page": 1, "pageSize": 1, "pageData": []})],
    ),
    "create a webhook": (lambda c: webhooks.create_webhook(c, HOOK), [(201, MADE)]),
    "update a webhook": (
        lambda c: webhooks.update_webhook(c, ID, {n: HOOK[n] for n in ("template", "events", "headers", "encoding")}),
        [(200, MADE)],
    ),
    "delete a webhook": (lambda c: webhooks.delete_webhook(c, ID), [(204, b"")]),
    "create a key": (
        lambda c: signature_keys.create_key(c, "SHA256"), [(201, {**KEY, "public_key": "MIG…", "enabled": False})]
    ),
    "list keys": (signature_keys.list_keys, [(200, [KEY])]),
    "the enabled key": (signature_keys.enabled_key, [(200, KEY)]),
    "enable a key": (lambda c: signature_keys.enable_key(c, KEY_ID), [(200, KEY)]),
    "disable keys": (signature_keys.disable_keys, [(204, b"")]),
    "delete a key": (lambda c: signature_keys.delete_key(c, KEY_ID), [(200, b"")]),
    "opt out": (lambda c: authorisation.opt_out(c, ["+61491570156"]), [(201, LISTED)]),
    "opt in": (lambda c: authorisation.opt_in(c, "+61491570156"), [(200, b"The number has been deleted.")]),
    "opted out": (
        authorisation.opted_out,
        [(200, {**LISTED, "pagination": {"page": "7", "next_uri": f"{BLACKLIST}?token=7"}}), (200, LISTED)],
    ),
    "is authorised": (lambda c: authorisation.is_authorised(c, ["+61491570156", "+61491570157"]), [(200, AUTHORISED)]),
    "senders": (
        lambda c: senders.gather_senders(c, "+61491593156"),
        [
            (200, {"data": [ADDRESS], "pagination": {"page_size": 1, "next_token": "eyJ"}}),
            (200, {"data": [ADDRESS], "pagination": {"page_size": 1}}),
            (200, {"data": [ASSIGNED], "pagination": {"page_size": 50}}),
            (200, {"replies": []}),
            (200, {"delivery_reports": []}),
        ],
    ),
}  # fmt: skip
KEYS = {"basic": BasicKey(api_key="k", api_secret="s"), "hmac": HmacKey(api_key="k", api_secret="s")}


def play(question, answers, key=KEYS["basic"]) -> list[tuple[httpx.Request, int, Any]]:
    """Each request that the question made, with what it was answered."""
    made: list[tuple[httpx.Request, int, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        status, data = answers[len(made)]
        made.append((request, status, data))
        return httpx.Response(status, content=data if isinstance(data, bytes) else json.dumps(data).encode())

    async def scenario() -> Any:
        async with Client("https://sim.example", key, transport=httpx.MockTransport(answer)) as client:
            return await question(client)

    asyncio.run(scenario())
    assert len(made) == len(answers)
    return made


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_requests_and_the_answers_they_expect_are_documented(name, key):
    for request, status, data in play(*QUESTIONS[name], key):
        target = request.url.raw_path.decode()
        SPECIFICATION.request_fits(request.method, target, dict(request.headers), request.content)
        SPECIFICATION.answer_fits(request.method, target, status, data)


def test_every_operation_that_is_kept_is_asked_for():
    asked = {
        (request.method.lower(), SPECIFICATION.operation(request.method, request.url.raw_path.decode())[0])
        for question in QUESTIONS.values()
        for request, _, _ in play(*question)
    }
    kept = {(method, path) for path, operations in SPECIFICATION.paths.items() for method in operations}
    assert kept - asked == {
        ("get", "/v1/iam/signature_keys/{key_id}"),  # the list tells the same of every key
        ("post", "/v2-preview/reporting/messages/detail"),  # for sends whose outcome is unknown
    }


def _refusals() -> list[Any]:
    return [
        pytest.param(method.upper(), path.replace("{", "").replace("}", ""), status, id=f"{method} {path} {status}")
        for path, operations in SPECIFICATION.paths.items()
        for method, operation in operations.items()
        for status in map(int, operation["responses"])
        if status >= 400
    ]


@pytest.mark.parametrize(("method", "target", "status"), _refusals())
def test_every_documented_refusal_is_one_line_with_the_providers_words(method, target, status):
    body = {"message": "The provider's words", "details": ["/a: because"]}
    SPECIFICATION.answer_fits(method, target, status, body)
    with pytest.raises(CallFailed) as failed:
        play(lambda calls: ask_raw(calls, method, target), [(status, body)])
    assert failed.value.message.startswith(f"HTTP {status}: The provider's words (/a: because); ")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/v1/messages", {"messages": [{"content": "x"}]}),
        ("POST", "/v1/messages", {"messages": [{**MESSAGE, "message": "x"}]}),
        ("POST", "/v1/webhooks/messages", {**HOOK, "events": []}),
        ("POST", "/v1/webhooks/messages", {**HOOK, "retries": 6}),
        ("PATCH", f"/v1/webhooks/messages/{ID}", {"retries": 3}),
        ("POST", "/v1/replies/confirmed", {"ids": [ID]}),
        ("POST", "/v1/replies/confirmed", None),
        ("GET", "/v1/webhooks/messages?page=first", None),
        ("GET", "/v1/webhooks/messages?size=3", None),
        ("GET", "/v1/iam/signature_keys", None),
        ("GET", "/v1/messages", None),
        ("GET", "/v1/message", None),
    ],
)
def test_request_that_the_specification_forbids_does_not_fit(method, target, body):
    """The yardstick measures."""
    headers = {"accept": "application/json", "content-type": "application/json"}
    with pytest.raises((ValidationError, AssertionError, LookupError, ValueError)):
        SPECIFICATION.request_fits(method, target, headers, b"" if body is None else json.dumps(body).encode())
