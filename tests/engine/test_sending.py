"""What a message may look like is found out before any call: each input of the connector, made right or refused."""

from datetime import UTC, datetime

import pytest

from sinchflow.engine.interpreter import advance, start
from sinchflow.expression.template import Templates
from sinchflow.language.build import flow_from_source
from sinchflow.model.command import Sent
from sinchflow.model.event import Event
from sinchflow.model.message import MESSAGE_FIELDS
from sinchflow.model.run import Facts

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
TEMPLATES = Templates()
FACTS = Facts(country="AU", timezone="Australia/Melbourne", source_numbers={"default": "+61491593156"})
PIC = "media: https://shop.example/1.png, format: MMS, "


def begin(fields: str, **values) -> tuple:
    """A run of a flow with one message to somebody; `event.NAME` gives `values`."""
    source = f"on: manual\nsteps:\n  - id: it\n    send_sms: {{to: '+61491570156', {fields}}}\n"
    event = Event(id=1, kind="manual", key="k", received_at=NOW, fields=values)
    flow = flow_from_source(source, "a.yaml", 1)
    begun = start(flow, 7, event, {}, FACTS, NOW, TEMPLATES)
    return flow, event, begun.run, begun.commands


def body_of(fields: str, **values) -> dict:
    _, _, run, commands = begin(fields, **values)
    assert run.status == "running", run.reason
    [command] = commands
    return command.body


@pytest.mark.parametrize(
    ("fields", "value", "expected"),
    [
        ("source_number: '{{ event.v }}'", "0491 593 999", {"source_number": "+61491593999"}),
        ("source_number: '{{ event.v }}'", "+61 491 593 999", {"source_number": "+61491593999"}),
        ("source_number: '{{ event.v }}'", " ACME ", {"source_number": "ACME"}),
        ("source_number: '{{ event.v }}'", "12345", {"source_number": "12345"}),
        ("source_number: '{{ event.v }}'", None, {"source_number": "+61491593156"}),
        ("source_number: '{{ event.v }}'", "", {"source_number": "+61491593156"}),
        ("source_number: A, source_number_type: ALPHANUMERIC", None, {"source_number_type": "ALPHANUMERIC"}),
        (
            "source_number: '{{ event.v }}', source_number_type: ALPHANUMERIC",
            None,
            {"source_number": "+61491593156", "source_number_type": None},
        ),
        ("callback_url: '{{ event.v }}'", "https://x.example/a?b=c", {"callback_url": "https://x.example/a?b=c"}),
        ("callback_url: '{{ event.v }}'", "  ", {"callback_url": None}),
        ("callback_url: '{{ event.v }}'", None, {"callback_url": None}),
        ("scheduled: '{{ event.v }}'", "2026-03-03T10:00:00+11:00", {"scheduled": "2026-03-02T23:00:00.000Z"}),
        ("scheduled: '{{ event.v }}'", "2026-03-03T10:00", {"scheduled": "2026-03-02T23:00:00.000Z"}),
        ("scheduled: '{{ event.v }}'", "2026-03-02 23:00:00.5Z", {"scheduled": "2026-03-02T23:00:00.500Z"}),
        ("scheduled: '{{ now() }}'", None, {"scheduled": None}),
        ("scheduled: '{{ event.v }}'", "2026-03-02T22:29:30Z", {"scheduled": None}),
        ("scheduled: '{{ event.v }}'", None, {"scheduled": None}),
        (
            "message_expiry_timestamp: '{{ event.v }}'",
            "2026-03-02T22:31Z",
            {"message_expiry_timestamp": "2026-03-02T22:31:00.000Z"},
        ),
        (f"{PIC} subject: '{{{{ event.v }}}}'", "Your picture", {"subject": "Your picture"}),
        (f"{PIC} subject: '{{{{ event.v }}}}'", None, {"subject": None}),
        (
            "format: MMS, media: ['{{ event.v }}', https://x.example/b.gif]",
            ["https://x.example/a.png"],
            {"media": ["https://x.example/a.png", "https://x.example/b.gif"]},
        ),
        ("format: TTS", None, {"format": "TTS"}),
        ("delivery_report: false", None, {"delivery_report": False}),
        ("metadata: {order: '{{ event.v }}'}", 5, {"metadata": {"order": "5"}}),
    ],
)
def test_input_becomes_a_member_of_the_message(fields, value, expected):
    body = body_of(f"message: Hi, {fields}", v=value)
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "value", "reason"),
    [
        ("message: '{{ event.v }}'", " ", "the message is empty"),
        ("message: '{{ event.v }}'", "x" * 5_001, "the message has 5001 characters; at most 5000"),
        ("message: Hi, callback_url: '{{ event.v }}'", "crm.example/x", 'callback_url: "crm.example/x" is no address'),
        ("message: Hi, callback_url: '{{ event.v }}'", "ftp://crm.example", "is no address of the form https://"),
        ("message: Hi, source_number: '{{ event.v }}'", "+61 4", 'source_number: "+61 4" is no phone number'),
        ("message: Hi, source_number: '{{ event.v }}'", "04 no number", 'source_number: "04 no number" is no phone'),
        ("message: Hi, source_number: '{{ event.v }}'", "A\nB", "and no name (up to 11 letters, digits or spaces)"),
        ("message: Hi, scheduled: '{{ event.v }}'", "0001-01-01T00:00+14:00", "is no ISO 8601 time"),
        ("message: Hi, message_expiry_timestamp: '{{ event.v }}'", "9999-12-31T23:59-12:00", "is no ISO 8601 time"),
        ("message: Hi, scheduled: '{{ event.v }}'", "tomorrow", 'scheduled: "tomorrow" is no ISO 8601 time'),
        ("message: Hi, scheduled: '{{ event.v }}'", 5, 'scheduled: "5" is no ISO 8601 time'),
        ("message: Hi, scheduled: '{{ event.v }}'", "2026-03-02T22:28Z", "scheduled is in the past: 2026-03-02T22:28"),
        ("message: Hi, message_expiry_timestamp: '{{ event.v }}'", "2026-03-02T22:30Z", "would expire in the past"),
        (
            "message: Hi, scheduled: 2026-03-02T23:00Z, message_expiry_timestamp: '{{ event.v }}'",
            "2026-03-02T23:00Z",
            "would expire before it is sent",
        ),
        ("message: Hi, format: MMS, media: '{{ event.v }}'", None, "an MMS needs at least one URL in `media`"),
        ("message: Hi, format: MMS, media: '{{ event.v }}'", "picture.png", 'media: "picture.png" is no address'),
        ("message: Hi, media: '{{ event.v }}'", "https://x.example/a.png", "media can only go with `format: MMS`"),
        ("message: Hi, subject: '{{ event.v }}'", "Hello", "subject can only go with `format: MMS`"),
        (f"message: Hi, {PIC} subject: '{{{{ event.v }}}}'", "x" * 65, "the subject has more than 64 characters"),
        (
            f"message: Hi, metadata: {{{', '.join(f'k{n}: v' for n in range(10))}}}",
            None,
            "10 metadata pairs; at most 9 fit, one more is sinchflow's own",
        ),
        ("message: Hi, metadata: {order: '{{ event.v }}'}", "x" * 257, 'metadata "order": a key has at most 100'),
        (f"message: Hi, metadata: {{{'k' * 101}: v}}", None, "a key has at most 100 characters, a value at most 256"),
    ],
)
def test_what_the_provider_would_refuse_fails_the_step_before_any_call(fields, value, reason):
    _, _, run, _ = begin(fields, v=value)
    assert run.status == "failed"
    assert reason in run.reason
    assert "a.yaml:4:5" in run.error.place


def test_output_has_every_field_of_the_connectors_message():
    """sinch-api.md 16.1: what the provider leaves out is none, so a template may ask for it."""
    flow, event, run, _ = begin("message: Hi")
    answer = {"message_id": "m1", "status": "queued", "destination_number": "+61491570156", "extra": 1}
    after = advance(flow, run, event, Sent(command="7:0:0", message=answer), FACTS, NOW, TEMPLATES).run
    [message] = after.outputs["it"]["messages"]
    assert message.keys() == {*MESSAGE_FIELDS, "extra"}
    assert {name: value for name, value in message.items() if value not in (None, [], {})} == answer
    assert (message["message_flags"], message["metadata"], message["media"]) == ([], {}, [])
    assert (after.outputs["it"]["message_id"], after.outputs["it"]["status"]) == ("m1", "queued")
