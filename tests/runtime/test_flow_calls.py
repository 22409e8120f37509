"""Flows' own webhooks through the whole daemon: who may call, what a body may be, and what is answered."""

import asyncio
import base64
import hashlib
import hmac
import json

import pytest

from sinchflow.errors import JournalError

FLOWS = """\
name: bookings
on:
  webhook:
    path: /bookings
    token: "{{ secrets.BOOKING_TOKEN }}"
    dedupe: "{{ event.json.event_id }}"
inputs:
  number: {type: phone, value: "{{ event.json.phone }}"}
  people: {type: integer, value: "{{ event.json.people }}", default: 1}
contact: "{{ inputs.number }}"
steps:
  - reply: "Booked for {{ inputs.people }}."
---
name: open
on: {webhook: {path: /open/any, method: [GET, POST, PUT]}}
steps:
  - send_sms:
      to: "+61491570156"
      message: "{{ event | tojson }}"
---
name: signed
on:
  webhook:
    path: /signed
    hmac: {secret: "{{ secrets.SHOP_SECRET }}", header: X-Shop-Signature}
steps:
  - send_sms: {to: "+61491570156", message: signed}
---
name: choosy
on: {webhook: {path: /choosy}}
if: event.json.wanted
steps: [{log: x}]
---
name: rare
on: {webhook: {path: /rare}}
contact: "{{ event.json.phone }}"
throttle: {max: 1, per: 1h}
steps: [{reply: x}]
---
name: off
enabled: false
on: {webhook: {path: /off}}
steps: [{log: x}]
"""
TOKEN = {"X-Token": "t0ken"}
BOOKING = {"event_id": "e1", "phone": "+61491570156", "people": 2}


@pytest.fixture
def calls(play, house, monkeypatch):
    """Run a scenario with these flows."""
    monkeypatch.setenv("SINCHFLOW_SECRET_BOOKING_TOKEN", "t0ken")
    monkeypatch.setenv("SINCHFLOW_SECRET_SHOP_SECRET", "It's a Secret to Everybody")
    house.flow(FLOWS)
    return play


async def call(house, path, body=None, method="POST", headers=None, kind="application/json"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:{house.daemon.port}/flows{path}"
    headers = {**({} if kind is None else {"Content-Type": kind}), **(headers or {})}
    return await house.http.request(method, url, content=content, headers=headers)


def test_a_call_begins_a_run_and_is_answered_with_its_id(calls, eventually):
    async def scenario(house):
        answer = await call(house, "/bookings", BOOKING, headers=TOKEN)
        assert answer.status_code == 202
        assert list(answer.json()) == ["run"]
        assert await eventually(house.got) == [("+61491570156", "Booked for 2.")]
        [send] = await house.sends()
        assert send["run"] == answer.json()["run"]

    calls(scenario)


def test_a_repeat_gets_the_same_answer_at_once_later_and_after_a_restart(calls, eventually, house, monkeypatch):
    answers = []

    async def at_once(house):
        both = await asyncio.gather(*(call(house, "/bookings", BOOKING, headers=TOKEN) for _ in range(5)))
        answers.extend(both)
        answers.append(await call(house, "/bookings", {**BOOKING, "people": 9}, headers=TOKEN))
        await eventually(house.got)

    async def later(house):
        answers.append(await call(house, "/bookings", BOOKING, headers=TOKEN))
        other = await call(house, "/bookings", {**BOOKING, "event_id": "e2"}, headers=TOKEN)
        assert other.json() != answers[0].json()
        await eventually(lambda: len(house.got()) == 2)

    calls(at_once)
    calls(later)
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert house.daemon.stats.repeats == 1


@pytest.mark.parametrize(
    ("path", "how", "status", "words"),
    [
        ("/bookings", {}, 401, "the header X-Token is missing"),
        ("/bookings", {"headers": {"X-Token": "t0ke"}}, 401, "does not hold the token"),
        ("/bookings", {"headers": {b"X-Token": b"t\xf6ken"}}, 401, "does not hold the token"),
        ("/bookings", {"headers": {"Authorization": "Bearer t0ken"}}, 401, "the header X-Token is missing"),
        ("/bookings", {"method": "GET", "headers": TOKEN}, 405, "this webhook takes POST"),
        ("/open/any", {"method": "DELETE"}, 405, "this webhook takes GET, POST, PUT"),
        ("/nobody", {}, 404, "no such path"),
        ("/off", {}, 404, "no such path"),
        ("/open/any/", {}, 404, "no such path"),
        ("/", {}, 404, "no such path"),
        ("/bookings", {"headers": TOKEN, "body": b"{"}, 400, "cannot be read"),
        ("/bookings", {"headers": TOKEN, "body": b""}, 400, "cannot be read"),
        ("/bookings", {"headers": TOKEN, "body": b"[" * 100_000}, 400, "cannot be read"),
        ("/open/any", {"kind": "text/plain", "body": b"\xff"}, 400, "not UTF-8"),
        ("/open/any", {"kind": "multipart/form-data; boundary=x", "body": b"--x"}, 415, "is not taken"),
        ("/open/any", {"kind": "application/x-www-form-urlencoded", "body": b"a=%ff"}, 400, "the form cannot be read"),
        ("/open/any", {"kind": "application/x-www-form-urlencoded", "body": b"a=1&" * 1_001}, 400, "the form cannot"),
        ("/open/any?a=%ff", {}, 400, "the query cannot be read"),
        ("/open/any", {"kind": None, "body": b"x" * (8 * 1024 * 1024 + 1)}, 413, "larger than"),
        ("/signed", {}, 401, "the header X-Shop-Signature is missing"),
        ("/signed", {"headers": {"X-Shop-Signature": "no"}}, 401, "holds no HMAC-SHA256"),
        ("/signed", {"headers": {"X-Shop-Signature": "sha256=" + "0" * 64}}, 401, "does not fit the body"),
    ],
)
def test_what_is_refused_says_why_and_stores_nothing(calls, house, path, how, status, words):
    async def scenario(house):
        answer = await call(house, path, **{"body": {}, **how})
        assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
        if status == 405:
            assert answer.headers["allow"] == answer.json()["error"].partition("takes ")[2]
        assert house.daemon.stats.refused_requests == {status: 1}
        assert house.daemon.stats.runs_started == 0
        assert house.daemon.stats.internal_errors == 0
        assert not house.daemon.stats.events

    calls(scenario)


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({**BOOKING, "phone": "12"}, ['input "number": "12" is not a phone number']),
        ({**BOOKING, "phone": "12", "people": "many"}, ['input "number"', 'input "people": a whole number']),
        ({"phone": "+61491570156", "people": 1}, ["dedupe: `event.json.event_id` has no value"]),
        ({**BOOKING, "event_id": ""}, ["dedupe: it is empty"]),
        ({**BOOKING, "event_id": None}, ["dedupe: "]),
        ([], ["dedupe: ", 'input "number": ']),  # people has a default
    ],
)
def test_all_that_keeps_the_flow_from_starting_is_said_at_once(calls, body, problems):
    async def scenario(house):
        answer = await call(house, "/bookings", body, headers=TOKEN)
        assert answer.status_code == 422
        assert answer.json()["error"] == 'flow "bookings" cannot start with this'
        found = answer.json()["problems"]
        assert len(found) == len(problems), found
        assert all(words in each for words, each in zip(problems, found, strict=True)), found
        assert not house.daemon.stats.events
        again = await call(house, "/bookings", BOOKING, headers=TOKEN)
        assert again.status_code == 202

    calls(scenario)


SECRET = b"It's a Secret to Everybody"
BODY = b"Hello, World!"
#: The vector of GitHub's documentation ("Validating webhook deliveries").
DIGEST = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


@pytest.mark.parametrize(
    "shown",
    [
        DIGEST,
        DIGEST.upper(),
        f"sha256={DIGEST}",
        base64.b64encode(bytes.fromhex(DIGEST)).decode(),
        base64.urlsafe_b64encode(bytes.fromhex(DIGEST)).decode().rstrip("="),
        f"sha256={base64.b64encode(bytes.fromhex(DIGEST)).decode()}",
    ],
)
def test_a_signature_over_the_raw_body_lets_in(calls, shown):
    assert hmac.digest(SECRET, BODY, hashlib.sha256).hex() == DIGEST

    async def scenario(house):
        headers = {"X-Shop-Signature": shown}
        assert (await call(house, "/signed", BODY, headers=headers, kind="text/plain")).status_code == 202
        assert (await call(house, "/signed", BODY + b" ", headers=headers, kind="text/plain")).status_code == 401

    calls(scenario)


@pytest.mark.parametrize(
    ("kind", "body", "fields"),
    [
        ("application/json", b'{"a": [1, null]}', {"json": {"a": [1, None]}}),
        ("application/cloudevents+json; charset=utf-8", b"1", {"json": 1}),
        ("application/x-www-form-urlencoded", b"a=1&b=%C3%BC+&b=2&c=", {"form": {"a": "1", "b": ["ü ", "2"], "c": ""}}),
        ("text/plain", "h\u00fc".encode(), {"body": "hü"}),
        ("text/plain", b'{"a": 1}', {"json": {"a": 1}, "body": '{"a": 1}'}),
        (None, b"{not json}", {"body": "{not json}"}),
        (None, b"", {}),
        ("application/json", json.dumps("\ufdd0NAME\ufdd1").encode(), {"json": "\ufffdNAME\ufffd"}),
    ],
)  # fmt: skip
def test_the_event_holds_what_came_without_who_came(calls, eventually, kind, body, fields):
    async def scenario(house):
        headers = {"X-Token": "x", "Authorization": "Basic x", "Cookie": "x", "X-Other": "y"}
        answer = await call(house, "/open/any?q=1&q=2&r=%20", body, "PUT", headers, kind)
        assert answer.status_code == 202, answer.text
        [(_, text)] = await eventually(house.got)
        event = json.loads(text)
        names = {"method", "path", "query", "headers", "json", "form", "body"}
        wanted = {"method": "PUT", "path": "/open/any", "query": {"q": ["1", "2"], "r": " "}}
        kept = event.pop("headers")
        assert {name: event[name] for name in names - {"headers"}} == {
            **dict.fromkeys(names - {"headers"}), **wanted, **fields,
        }  # fmt: skip
        assert kept["x-other"] == "y"
        assert not kept.keys() & {"x-token", "authorization", "cookie"}

    calls(scenario)


def test_a_get_needs_no_body(calls, eventually):
    async def scenario(house):
        assert (await call(house, "/open/any", b"", "GET", kind=None)).status_code == 202
        await eventually(house.got)

    calls(scenario)


def test_a_call_that_begins_no_run_is_told_why(calls):
    async def scenario(house):
        answer = await call(house, "/choosy", {"wanted": False})
        assert answer.status_code == 202
        assert answer.json()["run"] is None
        assert "its `if` does not hold" in answer.json()["reason"]
        phone = {"phone": "+61491570156"}
        assert (await call(house, "/rare", phone)).json()["run"] is not None
        assert (await call(house, "/rare", phone)).json() == {"run": None, "reason": "throttled"}

    calls(scenario)


def test_nothing_is_acknowledged_that_the_journal_does_not_take(calls, house, eventually):
    async def scenario(house):
        journal = house.daemon.journal
        accept = journal.accept
        journal.accept = lambda event, done: done(JournalError("the disk is full"))
        answer = await call(house, "/bookings", BOOKING, headers=TOKEN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await house.health())["troubles"] == {"journal": "the disk is full"}
        journal.accept = accept
        assert (await call(house, "/bookings", BOOKING, headers=TOKEN)).status_code == 202
        await eventually(house.got)
        assert (await house.health())["troubles"] == {}

    calls(scenario)


def test_a_call_accepted_before_a_crash_is_routed_by_the_next_start(calls, house, eventually):
    async def crashing(house):
        """The event is stored; the daemon dies before it is routed."""
        starts = house.daemon.worker.starts
        starts._begin = lambda event: (_ for _ in ()).throw(RuntimeError("the power is gone"))
        assert (await call(house, "/bookings", BOOKING, headers=TOKEN)).status_code == 503
        assert house.daemon.stats.runs_started == 0
        again = await call(house, "/bookings", BOOKING, headers=TOKEN)  # 202 would say that there is no run for it
        assert (again.status_code, again.json()) == (
            503, {"error": "this call came before, and its run has not begun yet: try again"}
        )  # fmt: skip
        assert (await house.health())["troubles"].keys() <= {"journal"}

    async def next_start(house):
        await eventually(house.got)
        assert house.got() == [("+61491570156", "Booked for 2.")]
        [send] = await house.sends()
        answer = await call(house, "/bookings", BOOKING, headers=TOKEN)
        assert answer.json() == {"run": send["run"]}

    calls(crashing)
    calls(next_start)


def test_a_missing_secret_keeps_the_daemon_from_starting(house):
    house.flow(FLOWS)
    house.settings()

    async def scenario():
        async with house.at_work():
            pass

    with pytest.raises(Exception, match="secret BOOKING_TOKEN is missing") as refusal:
        asyncio.run(scenario())
    assert "SHOP_SECRET" in str(refusal.value)
