"""Our webhook templates: what the provider is told, and which variable each trigger field comes from when it renders
them (sinch-api.md 9.3, first column of 16.4 and 16.5)."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinchflow.simulate.velocity import Metadata, Template
from sinchflow.sinch.payload import parse
from sinchflow.sinch.webhooks import EVENTS, KINDS, TEMPLATES

HERE = Path(__file__).parent
DOCUMENTED = json.loads((HERE / "data" / "webhook-templates.json").read_text(encoding="utf-8"))
HANDSET = {"sourceAddress": "+61491570156"}
INBOUND = {
    "message_id": "messageId", "reply_id": "moId", "status": "status", "source_address": "sourceAddress",
    "destination_address": "destinationAddress", "content": "moContent", "type": "format",
    "status_code": "statusCode", "submitted_date": "submittedTimestamp", "date_received": "receivedTimestamp",
}  # fmt: skip
RECEIPT = {
    "message_id": "messageId", "delivery_report_id": "drId", "status": "status", "status_code": "statusCode",
    "source_address": "sourceAddress", "destination_address": "destinationAddress", "content": "mtContent",
    "type": "format", "submitted_date": "submittedTimestamp", "date_received": "receivedTimestamp",
}  # fmt: skip
OPT_OUT = {
    "notification_id": "notificationId", "source_address": "sourceAddress",
    "destination_address": "destinationAddress", "content": "moContent", "date_received": "receivedTimestamp",
}  # fmt: skip
ROWS = {"inbound": INBOUND, "receipts": RECEIPT, "opt-outs": OPT_OUT}


def fields(kind: str, variables: dict) -> dict:
    """Of the event that comes of a push with these variables."""
    body = Template(TEMPLATES[kind]).render(variables)
    return parse(body.encode(), id=1, received_at=datetime(2026, 8, 18, tzinfo=UTC)).fields


@pytest.mark.parametrize(("kind", "name"), [("inbound", "mo"), ("receipts", "dr"), ("opt-outs", "optout")])
def test_template_is_the_documented_one(kind, name):
    assert TEMPLATES[kind] == DOCUMENTED[name]


@pytest.mark.parametrize("kind", KINDS)
def test_page_for_people_who_register_by_hand_says_the_same(kind):
    page = json.loads((HERE.parents[1] / "docs" / "webhooks" / f"{kind}.json").read_text(encoding="utf-8"))
    assert (page["events"], page["template"]) == (list(EVENTS[kind]), TEMPLATES[kind])


@pytest.mark.parametrize(("kind", "field"), [(kind, field) for kind, rows in ROWS.items() for field in rows])
def test_field_is_what_its_variable_says(kind, field):
    value = "+61491593156" if field.endswith("_address") else "as told"
    assert fields(kind, HANDSET | {"messageId": "m"} | {ROWS[kind][field]: value})[field] == value


@pytest.mark.parametrize("kind", KINDS)
def test_fields_without_a_variable_are_none(kind):
    found = fields(kind, HANDSET | {"messageId": "m"})
    given = {"source_address": "+61491570156", "message_id": "m", "type": "SMS", "attachments": [], "metadata": {}}
    assert found == {name: given.get(name) for name in found}


@pytest.mark.parametrize("kind", ["inbound", "receipts"])
def test_deprecated_name_of_the_type_is_taken_where_the_other_is_not_told(kind):
    assert fields(kind, HANDSET | {"messageId": "m", "type": "MMS"})["type"] == "MMS"


@pytest.mark.parametrize("kind", ["inbound", "receipts"])
def test_metadata_pairs_become_a_mapping(kind):
    pairs = {"order": "12", 'say "hi"': "a\\b\n$x #if 👋", "empty": ""}
    assert fields(kind, HANDSET | {"messageId": "m", "metadata": Metadata(pairs)})["metadata"] == pairs | {
        "empty": None
    }


def test_attachments_have_the_connectors_names():
    files = [
        {"contentType": "image/png", "base64": "iVBORw0=", "originalName": 'a "b".png'},
        {"contentType": "image/gif", "base64": "R0lGODk=", "originalName": "c.gif"},
    ]
    assert fields("inbound", HANDSET | {"attachments": files})["attachments"] == [
        {"attachment_type": "image/png", "attachment_content": "iVBORw0=", "attachment_name": 'a "b".png'},
        {"attachment_type": "image/gif", "attachment_content": "R0lGODk=", "attachment_name": "c.gif"},
    ]
