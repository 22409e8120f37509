"""One `http` call against a real server: what it sends, and what it makes of each way to be answered."""

import asyncio
import gzip
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from sinchflow.model.command import Answered, CallUrl, Failed
from sinchflow.model.event import SECRET_BEGIN, SECRET_END
from sinchflow.runtime.outbound import Outbound, OutboundClient
from sinchflow.runtime.perform import call_url, is_expected, retry_after
from sinchflow.runtime.secrets import Secrets

TOKEN = f"{SECRET_BEGIN}TOKEN{SECRET_END}"
SECRETS = Secrets({"TOKEN": "t0ps3cret", "ODD": "a b\nc"})
GET = CallUrl(id="1:0:0", method="GET", url="/", timeout=timedelta(seconds=5))


@pytest.fixture
def call(answering):
    """Make the call against a server with these answers; gives the attempt and the server."""

    def run(command: CallUrl, *answers):
        async def scenario():
            async with answering(*answers) as url:
                client = OutboundClient(Outbound(["127.0.0.1"]))
                try:
                    command_there = replace(
                        command, url=url.url + command.url if command.url[0] == "/" else command.url
                    )
                    return await asyncio.wait_for(call_url(client, command_there, SECRETS), 20), url
                finally:
                    await client.close()

        return asyncio.run(scenario())

    return run


@pytest.mark.parametrize(
    ("answer", "expect", "kind", "words"),
    [
        ({"status": 200}, ("2xx",), None, ""),
        ({"status": 409}, ("2xx", "409"), None, ""),
        ({"status": 204}, ("200",), "status", "answered 204"),
        ({"status": 404, "body": b"no\n\tsuch  thing"}, ("2xx",), "status", "answered 404: no such thing"),
        ({"status": 500, "body": b"x" * 999}, ("2xx",), "status", "x" * 200),
        ({"status": 302, "Location": "/there"}, ("2xx",), "status", "answered 302"),
    ],
)
def test_status_that_is_not_expected_fails_with_the_servers_words(call, respond, answer, expect, kind, words):
    attempted, _ = call(replace(GET, expect=expect), respond(**answer))
    assert getattr(attempted.outcome, "kind", None) == kind
    assert attempted.outcome.status == answer["status"]
    assert words in getattr(attempted.outcome, "message", "")
    assert len(getattr(attempted.outcome, "message", "")) < 300


def test_answer_carries_status_headers_text_and_data(call, respond):
    attempted, _ = call(GET, respond(b'{"a": [1, "\xc3\xa9"]}', content_type="application/problem+json", X_Y="Z"))
    outcome = attempted.outcome
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.json, outcome.text) == (200, {"a": [1, "é"]}, '{"a": [1, "é"]}')
    assert outcome.headers["x-y"] == "Z"
    assert outcome.duration_s > 0


@pytest.mark.parametrize(
    ("parse", "content_type", "body", "data"),
    [
        ("auto", "text/plain", b"[1]", None),
        ("auto", "application/json", b"", None),
        ("auto", "application/json", b"not json", None),
        ("json", "text/plain", b"[1]", [1]),
        ("text", "application/json", b"[1]", None),
        ("json", "application/json", b"", "parse"),
        ("json", "application/json", b"<html>", "parse"),
        ("json", "application/json", b"[" * 200_000, "parse"),
        ("auto", "application/json", b"[" * 200_000, None),
        ("json", "application/json; charset=nonsense", b"[1]", [1]),
        ("json", "application/json; charset=idna", b"[1]", [1]),
        ("json", "application/json; charset=undefined", b"[1]", [1]),
        ("json", "application/json; charset=utf-16", '["é"]'.encode("utf-16"), ["é"]),
        ("json", "application/json; charset=base64", b"[1]", [1]),
        ("auto", "application/json", b'"\xff\xfe"', "\ufffd\ufffd"),
    ],
)
def test_body_is_read_as_asked(call, respond, parse, content_type, body, data):
    attempted, _ = call(replace(GET, parse=parse), respond(body, content_type=content_type))
    if data == "parse":
        assert attempted.outcome.kind == "parse"
        assert "is not JSON" in attempted.outcome.message
    else:
        assert isinstance(attempted.outcome, Answered)
        assert attempted.outcome.json == data


def test_marks_of_secret_references_in_an_answer_are_taken_out(call, respond):
    body = f'{{"{TOKEN}": "{TOKEN}"}}'.encode()
    attempted, _ = call(GET, respond(body, content_type="application/json"))
    assert attempted.outcome.json == {"\ufffdTOKEN\ufffd": "\ufffdTOKEN\ufffd"}
    assert SECRET_BEGIN not in attempted.outcome.text


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("hang", "timeout", "no complete answer within 0.3 s"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc", "connection", "broke"),
        (None, "connection", ""),
        (b"nonsense\r\n\r\n", "connection", ""),
        (b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "connection", ""),
    ],
)
def test_call_without_a_whole_answer_says_what_went_wrong(call, answer, kind, words):
    attempted, url = call(replace(GET, timeout=timedelta(seconds=0.3)), answer)
    assert attempted.outcome.kind == kind
    assert words in attempted.outcome.message
    assert attempted.outcome.message.startswith(f"GET {url.url}/: ")


def test_refused_connection_and_unknown_host_are_connection_failures(call):
    refused, _ = call(replace(GET, url="http://127.0.0.1:1/"))
    unknown, _ = call(replace(GET, url="http://no-such-host.invalid/"))
    assert (refused.outcome.kind, unknown.outcome.kind) == ("connection", "connection")
    assert "Connect call failed" in refused.outcome.message or "refused" in refused.outcome.message
    assert "cannot be resolved" in unknown.outcome.message


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"x" * 2_000),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"\0" * 2_000_000, 9)),
        ({"Content-Encoding": "deflate"}, zlib.compress(b"\0" * 2_000_000, 9)),
    ],
)
def test_answer_over_the_limit_is_cut_off(call, respond, headers, body):
    attempted, _ = call(replace(GET, max_bytes=1_000), respond(body, **headers))
    assert attempted.outcome.kind == "too_large"
    assert "larger than 1000 bytes (max_bytes)" in attempted.outcome.message


def test_answer_at_the_limit_is_read(call, respond):
    attempted, _ = call(replace(GET, max_bytes=1_000), respond(b"x" * 1_000))
    assert attempted.outcome.text == "x" * 1_000


@pytest.mark.parametrize(("follow", "status"), [(True, 200), (False, 302)])
def test_redirect_is_followed_only_when_asked(call, respond, follow, status):
    command = replace(GET, follow_redirects=follow, expect=("2xx", "3xx"))
    attempted, url = call(command, respond(status=302, Location="/there"), respond(b"arrived"))
    assert attempted.outcome.status == status
    assert len(url.requests) == 1 + follow


@pytest.mark.parametrize("location", ["/", "http://[::1", "ftp://127.0.0.1/", "http://a:b@127.0.0.1:1/", "//"])
def test_redirects_in_a_circle_or_to_nowhere_fail(call, respond, location):
    attempted, url = call(replace(GET, follow_redirects=True), respond(status=302, Location=location))
    assert isinstance(attempted.outcome, Failed)
    assert len(url.requests) < 30


def test_secret_goes_into_every_part_of_the_request(call, respond):
    command = CallUrl(
        id="1:0:0",
        method="POST",
        url=f"/{TOKEN}",
        query=[("q", TOKEN)],
        headers={"Content-Type": "application/json", "X-Token": f"Bearer {TOKEN}"},
        basic_auth=("me", TOKEN),
        content=f'{{"t": "{TOKEN}"}}',
    )
    _, url = call(command, respond())
    [request] = url.requests
    assert request.startswith(b"POST /t0ps3cret?q=t0ps3cret HTTP/1.1\r\n")
    assert b"x-token: Bearer t0ps3cret\r\n" in request
    assert b"authorization: Basic bWU6dDBwczNjcmV0\r\n" in request
    assert request.endswith(b'\r\n\r\n{"t": "t0ps3cret"}')


@pytest.mark.parametrize(
    "where",
    [
        {"url": f"/{TOKEN}"},
        {"query": [("q", TOKEN)]},
        {"headers": {"X": TOKEN}},
        {"content": TOKEN, "method": "POST"},
        {"basic_auth": ("me", TOKEN)},
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_secret_that_the_server_echoes_is_hidden_everywhere(call, respond, where, status):
    answer = respond(b'{"echo": "t0ps3cret"}', status=status, content_type="application/json", X_Echo="t0ps3cret")
    attempted, _ = call(replace(GET, **where), answer)
    assert "t0ps3cret" not in repr(attempted)
    assert "***" in repr(attempted.outcome)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"url": f"/{SECRET_BEGIN}GONE{SECRET_END}"}, "secret"),
        ({"url": "ftp://127.0.0.1/"}, "value"),
        ({"url": "http://"}, "value"),
        ({"url": "nowhere"}, "value"),
        ({"url": "http://127.0.0.1:t0ps3cret/"}, "value"),
        ({"url": f"http://127.0.0.1:{TOKEN}/"}, "value"),
        ({"url": f"http://{SECRET_BEGIN}ODD{SECRET_END}/"}, "value"),
        ({"headers": {"X": "line\r\nInjected: yes"}}, "value"),
        ({"headers": {"X": f"{TOKEN}\n"}}, "value"),
        ({"headers": {"X": "é😀"}}, "value"),
        ({"headers": {"X Y": "1"}}, "value"),
        ({"headers": {"": "1"}}, "value"),
        ({"method": "POST", "content": "half \ud800"}, "value"),
        ({"method": "GE T"}, "value"),
    ],
)
def test_call_that_cannot_be_made_fails_and_shows_no_secret(call, respond, change, kind):
    attempted, url = call(replace(GET, **change), respond())
    assert (attempted.outcome.kind, url.requests) == (kind, [])
    if change.get("url") != "http://127.0.0.1:t0ps3cret/":
        assert "t0ps3cret" not in attempted.outcome.message


def test_user_and_password_in_a_url_are_basic_auth(call, respond, answering):
    async def scenario():
        async with answering(respond()) as url:
            client = OutboundClient(Outbound(["127.0.0.1"]))
            command = replace(GET, url=f"http://me:pass@127.0.0.1:{url.port}/")
            attempted = await call_url(client, command, SECRETS)
            await client.close()
            return attempted, url.requests

    attempted, requests = asyncio.run(scenario())
    assert isinstance(attempted.outcome, Answered)
    assert b"authorization: Basic bWU6cGFzcw==\r\n" in requests[0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7),
        (" 7 ", 7),
        ("999999999", 86_400),
        ("-7", None),
        ("soon", None),
        ("Mon, 02 Mar 2026 22:31:00 GMT", 60),
        ("Mon, 02 Mar 2026 22:31:00 -0000", 60),
        ("Mon, 02 Mar 2026 22:29:00 GMT", 0),
        ("Mon, 99 Mar 2026 22:29:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value, seconds):
    wait = retry_after(value, datetime(2026, 3, 2, 22, 30, tzinfo=UTC))
    assert (None if wait is None else wait.total_seconds()) == seconds


def test_retry_after_of_an_unexpected_answer_is_handed_on(call, respond):
    attempted, _ = call(GET, respond(status=429, Retry_After="7"))
    assert attempted.retry_after == timedelta(seconds=7)


def test_expected_statuses_are_codes_and_classes():
    assert is_expected(204, ("2xx",))
    assert is_expected(409, ("2xx", "409"))
    assert not is_expected(400, ("2xx", "409"))
