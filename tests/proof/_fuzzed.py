"""What is fuzzed: everything that reads bytes of others. Each is given one input, and may raise nothing at all.

A target is made in the process that plays it. It swallows the one exception that its function declares, and asserts
whatever must be true of what it gives.
"""

import asyncio
import base64
import random
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.proof import _fuzzed_outside as outside
from tests.proof._corpus import (
    ANSWER_PIECES,
    ANSWERS,
    BODIES,
    PROJECTS,
    REQUEST_PIECES,
    REQUESTS,
    SHAPES,
    TEMPLATE_PIECES,
    TEMPLATES,
    YAML_PIECES,
    as_json,
    files,
    lines,
)
from tests.proof._fuzzed_outside import NOW, Play


class Target(NamedTuple):
    """corpus: sound inputs. pieces: words of the input's language. weight: how many inputs it gets of N."""

    make: Callable[[Path], Play]
    corpus: Sequence[bytes]
    pieces: Sequence[bytes] = ()
    weight: float = 1.0
    longest: int = 60_000


# --- payloads, codec ------------------------------------------------------------------------------------------------


def _payload(_: Path) -> Play:
    from sinchflow.journal.rows import event_key, event_row
    from sinchflow.model import codec
    from sinchflow.sinch.payload import PayloadError, parse

    def play(data: bytes) -> None:
        try:
            event = parse(data, id=7, received_at=NOW)
        except PayloadError as error:
            outside.is_one_line(str(error), 1_000)
            return
        row = event_row(event, event_key(event))
        assert codec.decode_event(row[-1]) == event
        assert parse(data, id=7, received_at=NOW) == event

    return play


def _stored() -> list[bytes]:
    from sinchflow.model import codec
    from sinchflow.model.command import SendMessage
    from sinchflow.sinch.payload import parse

    events = [parse(body, id=number, received_at=NOW) for number, body in enumerate(BODIES)]
    sends = [
        SendMessage(id="1:0:0", account="default", to="+61491570156", body={"content": "x"}, unknown_after=timedelta(1))
    ]
    return [*map(codec.encode, events), *map(codec.encode, sends), *as_json(
        {"id": 1, "flow": "f", "digest": "d", "status": "waiting", "started_at": "2026-03-02T22:30:00Z",
        "account": "default",
         "event_id": 1, "contact": "+61491570156", "cursors": [], "trace": [], "vars": {}, "steps": {}},
    )]  # fmt: skip


def _codec(_: Path) -> Play:
    from sinchflow.model import codec

    def play(data: bytes) -> None:
        for decode in (codec.decode_event, codec.decode_run, codec.decode_send):
            try:
                record: Any = decode(data)
            except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
                continue
            encoded = codec.encode(record)
            assert decode(encoded) == record or b"null" in encoded
            assert codec.encode(decode(encoded)) == encoded

    return play


# --- templates, patterns --------------------------------------------------------------------------------------------


def _template(_: Path) -> Play:
    from sinchflow.expression import filters
    from sinchflow.expression.filters import TIMEZONE
    from sinchflow.expression.inspect import inspect_condition, inspect_template
    from sinchflow.expression.template import ExpressionError, Templates
    from sinchflow.model.flow import Condition, Text
    from sinchflow.model.origin import Origin

    origin = Origin("a.yaml", 1, 1)
    event = {"content": "Yes, please " * 20, "n": None, "l": list(range(300)), "m": {"a": {"b": "cde"}}, "t": NOW}
    scope = {
        "event": event,
        "vars": {"n": 2**70, "big": "9" * 9_000},
        "now": lambda: NOW,
        TIMEZONE: "Australia/Melbourne",
    }

    def play(data: bytes) -> None:
        source = data.decode("utf-8", "surrogateescape")
        templates = Templates()
        inspect_template(source)
        inspect_condition(source)
        for way in (
            lambda: templates.text(Text(source, origin), dict(scope)),
            lambda: templates.value(Text(source, origin), dict(scope)),
            lambda: templates.holds(Condition(source.strip("{} "), origin), dict(scope)),
        ):
            try:
                value = way()
            except ExpressionError:
                continue
            assert not isinstance(value, str) or len(value) <= max(filters.LONGEST_TEXT, len(source))
            msgspec.to_builtins(value)

    return play


def _regex(_: Path) -> Play:
    import re2

    from sinchflow.expression.pattern import NumberPattern, compile_regex, contains, first_word, regex_fault, words

    def play(data: bytes) -> None:
        source = data.decode("utf-8", "replace")
        text = source * 20
        fault = regex_fault(source)
        try:
            found = compile_regex(source)
        except re2.error:
            assert fault
        else:
            assert fault is None
            found.search(text[:2_000])
        NumberPattern(source[:60]).matches("1" * 60)
        NumberPattern(source[:60]).matches(source)
        contains(words(text[:5_000]), words(source[:100]))
        first_word(source)

    return play


def _signature(_: Path) -> Play:
    from email.utils import format_datetime

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    from sinchflow.sinch.signature import BadKey, SignatureKey, Verifier

    private = rsa.generate_private_key(65537, 2048)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = base64.b64encode(private.public_key().public_bytes(serialization.Encoding.DER, form)).decode()
    verifier = Verifier([SignatureKey(key_id="k1", public_key=public, digest="SHA512")])
    line, date, body = b"POST /hooks/x HTTP/1.1", format_datetime(NOW, usegmt=True).encode(), b'{"a": 1}'
    signed = base64.b64encode(private.sign(line + date + body, padding.PKCS1v15(), hashes.SHA512()))
    names = [b"date", b"x-messagemedia-signature", b"x-messagemedia-key-id", b"x-messagemedia-digest-type"]
    sound = dict(zip(names, [date, signed, b"k1", b"SHA512"], strict=True))
    assert verifier.reason(line, sound, body, NOW) is None

    def play(data: bytes) -> None:
        chance = random.Random(data)
        for name in (*names, b"x-messagemedia-cipher-type"):
            reason = verifier.reason(line, {**sound, name: data}, body, NOW)
            assert reason is not None or data.decode("latin-1").strip().upper().replace("-", "") in (
                sound.get(name, b"RSA").decode().upper(),
                "RSA",
            ), name
            assert reason is None or (reason.isprintable() and len(reason) < 200)
        assert data == body or verifier.reason(line, sound, data, NOW) is not None
        assert verifier.reason(data, sound, body, NOW) is not None
        cut = {name: value for name, value in sound.items() if chance.random() < 0.7}
        assert verifier.reason(line, cut, body, NOW) is None or cut != sound or body
        try:
            Verifier([SignatureKey(key_id="k", public_key=data.decode("latin-1"), digest="SHA256")])
        except BadKey:
            return

    return play


# --- what the provider answers --------------------------------------------------------------------------------------


def _provider(_: Path) -> Play:
    from sinchflow.sinch import authorisation, detail_reports, messages, reports, senders, signature_keys, webhooks
    from sinchflow.sinch.client import Answer, NotSent, Unknown
    from sinchflow.sinch.errors import faults_by_message, read_error
    from sinchflow.sinch.failure import CallFailed

    loop = asyncio.new_event_loop()
    since = NOW - timedelta(hours=1)

    class Provider:
        def __init__(self, data: bytes) -> None:
            head, _, self.body = data.partition(b"\n")
            status, _, wish = head.decode("latin-1").partition(" ")
            self.status = int(status) if re.fullmatch("[0-9]{3}", status) else 200
            self.headers = {"retry-after": wish, "date": wish, "location": wish}
            self.left = 4

        async def call(self, *_: Any) -> Answer | NotSent | Unknown:
            self.left -= 1
            if self.left < 0:
                return NotSent(reason="enough")
            return Answer(status=self.status, headers=self.headers, body=self.body)

    questions: list[Callable[[Any], Any]] = [
        lambda calls: messages.send(calls, [{"content": "x"}] * 2),
        lambda calls: messages.get_message(calls, "m"),
        lambda calls: messages.cancel_message(calls, "m"),
        lambda calls: detail_reports.find(calls, "sinchflow_id", ["1"], since, NOW),
        reports.unconfirmed_replies, reports.unconfirmed_reports, webhooks.list_webhooks, signature_keys.list_keys,
        signature_keys.enabled_key, authorisation.opted_out,
        lambda calls: authorisation.is_authorised(calls, ["+61491570156"]),
        lambda calls: senders.gather_senders(calls, None),
        lambda calls: webhooks.create_webhook(calls, {}),
        lambda calls: signature_keys.create_key(calls, "SHA512"),
    ]  # fmt: skip

    async def ask(data: bytes) -> None:
        for question in questions:
            try:
                await question(Provider(data))
            except CallFailed as failure:
                outside.is_one_line(failure.message, 5_000)

    def play(data: bytes) -> None:
        loop.run_until_complete(ask(data))
        error = read_error(400, data.partition(b"\n")[2])
        assert error.message
        faults_by_message(error.details, 100)

    return play


TARGETS: dict[str, Target] = {
    "payload": Target(_payload, BODIES),
    "codec": Target(_codec, _stored()),
    "template": Target(_template, TEMPLATES, TEMPLATE_PIECES, weight=0.25, longest=4_000),
    "regex": Target(
        _regex, [b"^(yes|no)$", b"\\d{4,6}", b"(?P<code>[A-Z]+)-(?P<n>\\d+)", b"+614*", b"*1*1*1*1",
        b"(a|b)*c{2,5}[^x]"],
        [b"(", b")*", b"{1000}", b"[", b"]", b"|", b"\\p{L}", b"\\b", b"(?i)", b".*", b"*", b"?", b"*1"], weight=0.5,
        longest=2_000,
    ),
    "signature": Target(_signature, [b"SHA512", b"k1", b"Mon, 02 Mar 2026 22:30:00 GMT", b"aGVsbG8=", b'{"a": 1}'],
    weight=0.5),
    "call": Target(outside.call, lines([*BODIES, b"a=b&c=d", b"text", b"[1, 2]"], b"a=1&b=2",
    b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01")),
    "doors": Target(outside.doors, REQUESTS, REQUEST_PIECES, weight=0.1),
    "answers": Target(outside.answers, ANSWERS, ANSWER_PIECES, weight=0.25),
    "rows": Target(
        outside.rows, [b"number,name\n+61491570156,Jo\n0491570157,\"A \"\"B\"\", C\"\n",
                b"date,name\n2026-01-01,New Year\n",
                b"number,timezone\n+61491570156,Australia/Melbourne\n"], [b'"', b",", b"\n", b"\r", b'""', b"\n\n",
                b"number"], weight=0.25,
    ),
    "provider": Target(_provider, lines(as_json(*SHAPES), b"200 7", b"202", b"400 Mon, 02 Mar 2026 22:31:00 GMT",
    b"500", b"302 //x"), weight=0.25),
    "keys": Target(outside.keys, as_json({"keys": [{"key_id": "k", "public_key": "TUlJ", "digest": "SHA512"}]}),
    weight=0.25),
    "flow file": Target(outside.project("flows/a.yaml"), files("flows/*.yaml", "tests/cases/validate/ok/*.yaml"),
    YAML_PIECES, weight=0.05),
    "project file": Target(
        outside.project("sinchflow.yaml"), PROJECTS, YAML_PIECES, weight=0.05,
    ),
    "test file": Target(
        outside.project("flows/own.test.yaml"), files("flows/*.test.yaml", "flows/*/*.test.yaml"), YAML_PIECES,
        weight=0.05,
    ),
}  # fmt: skip
