"""The connector's actions from the shell, field by field (sinch-api.md 16.1 to 16.3), against a simulated Sinch."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sinchflow.simulate.bodies import ACCOUNT
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.senders import DedicatedNumber, SenderAddress

SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
source_number: "+61491593156"
timezone: Australia/Melbourne
"""
TO = "+61491570156"
PICTURE = "https://example.com/menu.png"
MMS = ("--format", "MMS", "--media", PICTURE, "--subject", "Lunch")
SENT = ("send", TO, "Our menu", *MMS, "--metadata", "Source=Shell")
TIMES = ("--scheduled", "2036-12-03T10:00+11:00", "--expires", "2036-12-04T10:00")
HOOK = ("--callback-url", "https://example.com/hook")


@pytest.fixture
def run(simulated, command, tmp_path) -> Callable[..., Any]:
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", simulated.url))
    return command({"API_SECRET": "s3cret"})


def answer(run: Callable[..., Any], *arguments: str) -> dict[str, Any]:
    ended = run(*arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        ((), "destination_number", TO),
        ((), "content", "Hi"),
        ((), "format", "SMS"),
        ((), "source_number", "+61491593156"),
        (("--source-number", "12345"), "source_number", "12345"),
        (("--source-number", "+61 491 593 157"), "source_number", "+61491593157"),
        (("--source-number", "ACME", "--source-number-type", "alphanumeric"), "source_number", "ACME"),
        (("--source-number", "ACME", "--source-number-type", "ALPHANUMERIC"), "source_number_type", "ALPHANUMERIC"),
        ((), "source_number_type", None),
        ((), "delivery_report", True),
        (("--no-delivery-report",), "delivery_report", False),
        (HOOK, "callback_url", "https://example.com/hook"),
        ((), "callback_url", None),
        (("--metadata", "a=1", "--metadata", "b=x=y"), "metadata", {"a": "1", "b": "x=y"}),
        (tuple(f"--metadata=k{n}=v" for n in range(10)), "metadata", {f"k{n}": "v" for n in range(10)}),
        ((), "metadata", None),
        (("--format", "tts"), "format", "TTS"),
        (("--format", "MMS", "--media", PICTURE, "--media", PICTURE), "media", [PICTURE, PICTURE]),
        (MMS, "subject", "Lunch"),
        (("--scheduled", "2036-12-03T10:00+11:00"), "scheduled", "2036-12-02T23:00:00.000Z"),
        (("--scheduled", "2036-12-03T10:00"), "scheduled", "2036-12-02T23:00:00.000Z"),
        (("--expires", "2036-12-03T00:00Z"), "message_expiry_timestamp", "2036-12-03T00:00:00.000Z"),
    ],
)  # fmt: skip
def test_input_of_send_reaches_the_provider(run, simulated, arguments, field, value):
    assert run("send", TO, "Hi", *arguments).code == 0
    (message,) = simulated.sim.messages
    assert getattr(message, field) == value


#: Output field, the value after SENT, TIMES and HOOK.
OUTPUTS = [
    ("callback_url", "https://example.com/hook"),
    ("delivery_report", True),
    ("destination_number", TO),
    ("format", "MMS"),
    ("message_expiry_timestamp", "2036-12-03T23:00:00.000Z"),
    ("message_flags", []),
    ("metadata", {"Source": "Shell"}),
    ("scheduled", "2036-12-02T23:00:00.000Z"),
    ("source_number", "+61491593156"),
    ("status", "scheduled"),
    ("content", "Our menu"),
    ("media", [PICTURE]),
    ("subject", "Lunch"),
]
#: What the documented answer of GET lacks (section 3.2).
NOT_TOLD = {"media": [], "subject": None}
FIELDS = {name for name, _ in OUTPUTS} | {"message_id"}


@pytest.mark.parametrize(("field", "value"), OUTPUTS)
def test_output_of_send_and_of_message_status(run, simulated, field, value):
    (sent,) = answer(run, *SENT, *TIMES, *HOOK)["messages"]
    asked = answer(run, "message", sent["message_id"])
    assert sent[field] == value
    assert asked[field] == NOT_TOLD.get(field, value)
    assert sent["message_id"] == asked["message_id"] == simulated.sim.messages[0].message_id


def test_message_has_every_field_though_the_provider_tells_few(run, simulated):
    (sent,) = answer(run, "send", TO, "Hi", "--no-delivery-report")["messages"]
    assert set(sent) >= FIELDS
    assert set(answer(run, "message", sent["message_id"])) >= FIELDS
    assert (sent["metadata"], sent["media"], sent["message_flags"], sent["subject"]) == ({}, [], [], None)


def test_cancelled_message_has_them_too(run):
    (sent,) = answer(run, *SENT, *TIMES)["messages"]
    cancelled = answer(run, "cancel", sent["message_id"])
    assert set(cancelled) >= FIELDS
    assert (cancelled["status"], cancelled["message_id"]) == ("cancelled", sent["message_id"])


ADDRESSES = (
    SenderAddress(sender_address="+61491593156", label="Shop"),
    SenderAddress(sender_address="ACME", sender_address_type="ALPHANUMERIC", usage_type="ALPHANUMERIC"),
    SenderAddress(sender_address="19900", sender_address_type="SHORT_CODE", usage_type="HOSTED_NUMBER"),
    SenderAddress(sender_address="+61491570111", usage_type="OWN_NUMBER", display_status="EXPIRING"),
)
DEDICATED = (
    DedicatedNumber(phone_number="+61491593156", capabilities=("SMS", "MMS")),
    DedicatedNumber(phone_number="+61491593999", type="TOLL_FREE", label="Free"),
)


@pytest.fixture
def found(run, simulated) -> dict[str, Any]:
    simulated.sim.senders, simulated.sim.dedicated = ADDRESSES, DEDICATED
    return answer(run, "senders")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("pagination.page", 1),
        ("pagination.page_size", 5),
        ("pagination.total_count", 5),
        ("pagination.page_count", 1),
        ("default_sender.type", "INTERNATIONAL"),
        ("default_sender.number", "+61491593156"),
        ("default_sender.source_type", "DEDICATED"),
        ("default_sender.mms_capable", True),
        ("senders.number", ["+61491593156", "ACME", "19900", "+61491570111", "+61491593999"]),
        ("senders.number_id", [DEDICATED[0].id, *(each.id for each in ADDRESSES[1:]), DEDICATED[1].id]),
        ("senders.label", ["Shop", None, None, None, "Free"]),
        ("senders.type", ["INTERNATIONAL", "ALPHANUMERIC", "SHORTCODE", "INTERNATIONAL", "INTERNATIONAL"]),
        ("senders.source_type", ["DEDICATED", "ALPHANUMERIC", "HOSTED_NUMBER", "OWN_NUMBER", "DEDICATED"]),
        ("senders.display_type", ["Dedicated number (mobile)", "Alpha tag", "Hosted number", "Own number", "Dedicated number (toll-free)"]),  # noqa: E501
        ("senders.is_default", [True, False, False, False, False]),
        ("senders.mms_capable", [True, False, False, False, False]),
        ("senders.number_status", ["APPROVED", "APPROVED", "APPROVED", "EXPIRING", "APPROVED"]),
        ("account_id", ACCOUNT),
        ("vendor_id", None),
    ],
)  # fmt: skip
def test_output_of_sender_ids(found, path, value):
    for name in path.split("."):
        found = [each[name] for each in found] if isinstance(found, list) else found[name]
    assert found == value


def test_vendor_id_comes_from_a_report_that_waits(run, simulated):
    report = {"vendor_account_id": {"vendor_id": "SinchEU", "account_id": ACCOUNT}}
    body = json.dumps({"delivery_reports": [report]})
    simulated.sim.fail_next(Fault(status=200, body=body, method="GET", path="/v1/delivery_reports"))
    assert answer(run, "senders")["vendor_id"] == "SinchEU"


@pytest.mark.parametrize(
    ("field", "value"), [("message_flags", ["LATE"]), ("media", [PICTURE]), ("subject", "Lunch"), ("new_one", {"a": 1})]
)
def test_what_is_undocumented_is_passed_through(run, simulated, field, value):
    message_id = "877c19ef-fa2e-4cec-827a-e1df9b5509f7"
    message = {"message_id": message_id, "status": "queued", field: value}
    simulated.sim.fail_next(Fault(status=202, body=json.dumps({"messages": [message]})))
    assert answer(run, "send", TO, "Hi")["messages"][0][field] == value
    simulated.sim.fail_next(Fault(status=200, body=json.dumps(message), method="GET"))
    assert answer(run, "message", message_id)[field] == value
