"""sinch-api.md 16.4 and 16.5, row by row: every trigger field of the connector, from every source that has it.

Sources: our webhook template, a template that leaves absent members out (as the connector's own do), the vendor's
sample template, a per-message callback, and polling. What a source does not know is none, metadata is a mapping.
"""

import json
from datetime import UTC, datetime

import pytest

from sinchflow.model.event import EVENT_FIELDS
from sinchflow.sinch.payload import parse

MO = {
    "message_id": "877c19ef-fa2e-4cec-827a-e1df9b5509f7",
    "reply_id": "a175e797-2b54-468b-9850-41a3eab32f74",
    "status": None,
    "source_address": "+61491570156",
    "destination_address": "+61491593156",
    "content": "Café “yes”",
    "type": "SMS",
    "status_code": None,
    "submitted_date": None,
    "date_received": "2026-08-18T03:43:24.000Z",
    "attachments": [],
    "metadata": {"order": "12"},
}
DR = {
    "message_id": "877c19ef-fa2e-4cec-827a-e1df9b5509f7",
    "delivery_report_id": "693e87f2-1b2c-4d3e-8f90-a1b2c3d4e5f6",
    "status": "failed",
    "status_code": "330",
    "source_address": "+61491570156",
    "destination_address": None,
    "content": "We are open",
    "type": "SMS",
    "submitted_date": "2026-08-18T03:43:23.000Z",
    "date_received": "2026-08-18T03:43:24.000Z",
    "attachments": [],
    "metadata": {"order": "12"},
}
PAIRS = [{"metadata_key": "order", "metadata_value": "12"}]
PICTURE = {"attachment_type": "image/png", "attachment_content": "iVBORw0=", "attachment_name": "a.png"}
FILE = {"content_type": "image/png", "content": "iVBORw0=", "original_name": "a.png"}


def without(fields: dict, *names: str) -> dict:
    return {name: value for name, value in fields.items() if name not in names and value is not None}


def polled(fields: dict, **others) -> dict:
    """A reply or report as `/v1/replies` and `/v1/delivery_reports` give it."""
    renamed = {"source_address": "source_number", "destination_address": "destination_number"}
    known = without(fields, "type", "status_code", "attachments")
    if "delivery_report_id" in fields:
        renamed["content"] = "original_text"
    account = {"vendor_account_id": {"vendor_id": "SinchEU", "account_id": "Acme"}}
    return {renamed.get(name, name): value for name, value in known.items()} | account | others


INBOUND = {
    "our template": (
        {"event": "received", **{name: value or "" for name, value in MO.items()}, "metadata": PAIRS,
         "attachments": []},
        {},
    ),
    "our template, with what is expected to be empty": (
        {"event": "received", **MO, "metadata": PAIRS, "status": "s", "status_code": "7", "submitted_date": "d",
         "type": "MMS", "attachments": [PICTURE]},
        {"status": "s", "status_code": "7", "submitted_date": "d", "type": "MMS", "attachments": [PICTURE]},
    ),
    "a template like the connector's": (without(MO) | {"metadata": PAIRS}, {}),
    "the vendor's sample": (
        {"account_id": "Acme", "reply_id": MO["reply_id"], "destination_number": "+61491593156",
         "source_number": "+61491570156", "date_received": MO["date_received"], "message_id": MO["message_id"],
         "content": MO["content"], "metadata": {"order": "12"}},
        {},
    ),
    "the vendor's sample with attachments, which leaves the text out": (
        {"reply_id": MO["reply_id"], "destination_number": "+61491593156", "source_number": "+61491570156",
         "date_received": MO["date_received"], "message_id": MO["message_id"], "attachments": [FILE],
         "metadata": {"order": "12"}},
        {"content": None, "type": "MMS", "attachments": [PICTURE]},
    ),
    "a callback": (polled(MO, callback_url="https://a.example/cb"), {}),
    "a callback with attachments": (
        polled(MO, callback_url="https://a.example/cb", attachments=[FILE]), {"type": "MMS", "attachments": [PICTURE]}
    ),
    "polled": (polled(MO), {}),
    "polled, sent without a source number": (
        {name: value for name, value in polled(MO).items() if name != "destination_number"},
        {"destination_address": None},
    ),
}  # fmt: skip
RECEIPT = {
    "our template": (
        {"event": "delivery_report", **{name: value or "" for name, value in DR.items()}, "metadata": PAIRS,
         "attachments": [], "billing_units": "1"},
        {},
    ),
    "our template, with our side's number": (
        {"event": "delivery_report", **DR, "metadata": PAIRS, "destination_address": "61491593156"},
        {"destination_address": "+61491593156"},
    ),
    "a template like the connector's": (without(DR, "attachments") | {"metadata": PAIRS}, {}),
    "the vendor's sample": (
        polled(DR, error_code="330", delay="0", account_id="Acme"), {}
    ),
    "a callback": (polled(DR, error_code="330", callback_url="https://a.example/cb", billing_units=1, delay=0), {}),
    "polled": (polled(DR, billing_units=1), {"status_code": None}),
}  # fmt: skip


def rows(sources: dict, fields: dict) -> list:
    return [pytest.param(source, name, id=f"{source}: {name}") for source in sources for name in fields]


@pytest.mark.parametrize(("source", "name"), rows(INBOUND, MO))
def test_field_of_an_inbound_message(source, name):
    body, differences = INBOUND[source]
    event = parse(json.dumps(body).encode(), id=1, received_at=datetime(2026, 8, 18, tzinfo=UTC))
    assert (event.kind, event.key, event.contact) == ("inbound_sms", MO["reply_id"], "+61491570156")
    assert event.fields[name] == (MO | differences)[name]
    assert tuple(event.fields) == EVENT_FIELDS["inbound_sms"]


@pytest.mark.parametrize(("source", "name"), rows(RECEIPT, DR))
def test_field_of_a_delivery_receipt(source, name):
    body, differences = RECEIPT[source]
    event = parse(json.dumps(body).encode(), id=1, received_at=datetime(2026, 8, 18, tzinfo=UTC))
    assert (event.kind, event.key, event.contact) == ("delivery_receipt", DR["delivery_report_id"], "+61491570156")
    assert event.fields[name] == (DR | differences)[name]
    assert tuple(event.fields) == EVENT_FIELDS["delivery_receipt"]
