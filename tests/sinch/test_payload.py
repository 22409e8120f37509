"""Bodies that Sinch pushes: one case per documented shape in data/payloads.json, what is refused, and noise."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.model.codec import decode_event, encode
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.sinch.payload import PayloadError, parse
from tests.examples import examples

DATA = Path(__file__).parent / "data"
CASES: list[dict[str, Any]] = json.loads((DATA / "payloads.json").read_text(encoding="utf-8"))
TEMPLATES: dict[str, str] = json.loads((DATA / "webhook-templates.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


def read(body: bytes) -> Event:
    return parse(body, id=7, received_at=NOW, account="nz")


def reason(body: bytes) -> str:
    with pytest.raises(PayloadError) as caught:
        read(body)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "utf-8"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_body_becomes_its_event(case: dict[str, Any], ascii_only: bool) -> None:
    event = read(json.dumps(case["body"], ensure_ascii=ascii_only).encode())
    assert {
        "name": case["name"],
        "body": case["body"],
        "kind": event.kind,
        "key": None if event.key.startswith("sha256:") else event.key,
        "contact": event.contact,
        "our_number": event.our_number,
        "fields": event.fields,
    } == case
    assert tuple(event.fields) == EVENT_FIELDS[event.kind]
    assert (event.id, event.account, event.received_at) == (7, "nz", NOW)
    assert decode_event(encode(event)) == event


@pytest.mark.parametrize(
    ("template", "kind"), [("mo", "inbound_sms"), ("dr", "delivery_receipt"), ("optout", "opt_out")]
)
def test_every_key_of_our_templates_is_read_or_known_to_be_left(template: str, kind: str) -> None:
    ours = {"event", "original_content", "account_id", "retry_count", "billing_units"}
    spare = {"attachments", "message_id", "type", "submitted_date", "metadata"}  # in the template, not in the event
    keys = set(re.findall(r'[{,]"(\w+)":', TEMPLATES[template]))
    inner = {"attachment_type", "attachment_content", "attachment_name", "metadata_key", "metadata_value"}
    assert keys - ours - inner - spare <= set(EVENT_FIELDS[kind]) <= keys | ours


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"\xff{}", "the body is not UTF-8: byte 0 begins no character"),
        (b'{"zz": "\xed\xa0\x80"}', "the body is not UTF-8: byte 8 begins no character"),
        (b"content=hi", "the body is not JSON: invalid character (byte 0)"),
        (b'{"content": "hi', "the body is not JSON: it ends too early (byte 15)"),
        (b'{"content": "a\nb"}', "the body is not JSON: invalid character (byte 14)"),
        (b"{} {}", "the body is not JSON: trailing characters (byte 4)"),
        (b'{"a":' * 5000, "the body is nested too deeply"),
        (b'{"other":' + b"[" * 200_000, "the body is nested too deeply"),
        (b"[{}]", "the body is an array, not a JSON object"),
        (b'"hi"', "the body is a text, not a JSON object"),
        (b"17", "the body is a number, not a JSON object"),
        (b"{}", "the body is no event that we know: it has no members"),
        (b'{"a": 1, "b": 2}', "the body is no event that we know: it has the members a, b"),
        (b'{"message_id": {}}', "message_id is an object where a text belongs"),
        (b'{"reply_id": "r", "content": ["x"]}', "content is an array where a text belongs"),
        (b'{"attachments": [3]}', "attachments[0] is a number where an object belongs"),
        (b'{"metadata": 3}', "metadata is a number where an object or an array of objects belongs"),
        (
            b'{"reply_id": "r", "source_address": "+61491570156", "metadata": "a=b"}',
            "metadata is a text, neither an object nor an array of metadata_key and metadata_value",
        ),
        (
            b'{"reply_id": "r", "source_address": "+61491570156", "metadata": [{"k": "v"}]}',
            "metadata holds an entry without metadata_key",
        ),
        (
            b'{"reply_id": "r", "source_address": "+61491570156", "attachments": "a.png"}',
            "attachments is a text, not an array",
        ),
        (
            b'{"event": "received", "source_address": "$sourceAddress"}',
            "the inbound message names no sender: source_address (or source_number) is missing or empty",
        ),
        (
            b'{"notification_id": "n"}',
            "the opt-out names no sender: source_address (or source_number) is missing or empty",
        ),
        (
            b'{"delivery_report_id": "d"}',
            "the delivery receipt names no sender: source_address (or source_number) is missing or empty",
        ),
    ],
)
def test_unreadable_body_is_refused_with_its_reason(body: bytes, expected: str) -> None:
    assert reason(body) == expected


def test_refusal_lists_few_keys_and_cuts_long_ones() -> None:
    body = json.dumps({f"key {index} {'x' * 60}\n": 1 for index in range(30)}).encode()
    assert reason(body).endswith(" and 10 more")
    assert len(reason(body)) < 1000
    assert "\n" not in reason(body)


def test_byte_order_mark_is_taken_off() -> None:
    assert (
        read(b'\xef\xbb\xbf{"reply_id": "r", "source_number": "61491570156", "content": "x"}').contact == "+61491570156"
    )


@pytest.mark.parametrize(
    ("spelt", "expected"),
    [
        (rb"a\ud83d\ude00b", "a😀b"),
        (rb"a\ud83db", "a�b"),
        (rb"\udc00", "�"),
        (rb"\ud83d\ud83d\ude00", "�😀"),
        (rb"\\ud83d\ud83d", "\\ud83d�"),
    ],
)
def test_lone_surrogates_become_replacement_characters(spelt: bytes, expected: str) -> None:
    event = read(b'{"reply_id": "r", "source_address": "+61491570156", "content": "' + spelt + b'"}')
    assert event.fields["content"] == expected


def test_event_without_an_id_is_known_by_its_body_whatever_the_retry_count() -> None:
    def key(content: str, count: str) -> str:
        return read(
            b'{"event":"received","reply_id":"","source_address":"+61491570156","content":"%b","retry_count":"%b"}'
            % (content.encode(), count.encode())
        ).key

    assert key("Y", "0") == key("Y", "3")
    assert key("Y", "0") != key("N", "0")
    assert key("Y", "0").startswith("sha256:")


OTHER_KEYS = {"event", "source_number", "destination_number", "original_text", "notification_id", "error_code"}
KEYS = st.sampled_from(sorted({*EVENT_FIELDS["inbound_sms"], *EVENT_FIELDS["delivery_receipt"], *OTHER_KEYS}))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["received", "delivery_report", "opt_out", "+61491570156", "$moId", "\ufdd0X\ufdd1", "\ud800"])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


def holds(body: bytes) -> None:
    """Either an event that survives storage and has all of its fields, or a one-line reason; nothing else."""
    try:
        event = read(body)
    except PayloadError as error:
        if not error.reason.isprintable():
            raise
        return
    assert tuple(event.fields) == EVENT_FIELDS[event.kind]
    assert decode_event(encode(event)) == event
    assert b"\xef\xb7\x90" not in encode(event)
    assert b"\xef\xb7\x91" not in encode(event)


@settings(max_examples=examples(300), deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8), st.booleans())
def test_any_json_gives_an_event_or_a_reason(data: dict[str, Any], ascii_only: bool) -> None:
    holds(json.dumps(data, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(CASES), st.integers(0), st.binary(max_size=4), st.integers(0, 3))
def test_damaged_bodies_give_an_event_or_a_reason(case: dict[str, Any], at: int, piece: bytes, cut: int) -> None:
    body = json.dumps(case["body"]).encode()
    at %= len(body)
    holds(body[:at] + piece + body[at + cut :])


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_give_an_event_or_a_reason(body: bytes) -> None:
    holds(body)


@pytest.mark.parametrize("digits", [400, 4_000, 5_000, 100_000])
def test_long_numbers_give_an_event_or_a_reason(digits: int) -> None:
    number = b"1" * digits
    holds(b'{"message_id": %b, "source_number": %b, "reply_id": "r"}' % (number, number))
    holds(b'{"metadata": {"n": %b}, "source_number": "1", "reply_id": "r"}' % number)
