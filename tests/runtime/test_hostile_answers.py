"""Servers that mean no good: bombs, odd writings, and redirects that want what is not theirs."""

import asyncio
import base64
import gzip
import html
import json
import time
import tracemalloc
import zlib
from datetime import timedelta
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace

from sinchflow.model.command import Answered, CallUrl
from sinchflow.model.event import SECRET_BEGIN, SECRET_END
from sinchflow.runtime.outbound import Outbound, OutboundClient
from sinchflow.runtime.perform import call_url
from sinchflow.runtime.secrets import Secrets
from sinchflow.sinch.concealing import Veil

SECRET = "t0p/s3cret+key&more=="
HOOK = "https://hooks.example/services/T0000000/B0000000/xoxb-token-of-the-hook"
SECRETS = Secrets({"TOKEN": SECRET, "HOOK": HOOK})
TOKEN, AT_HOOK = (f"{SECRET_BEGIN}{name}{SECRET_END}" for name in ("TOKEN", "HOOK"))
GET = CallUrl(id="1:0:0", method="GET", url="/", timeout=timedelta(seconds=5))


@pytest.fixture
def call(answering):
    """Make the call against a server with these answers; gives the outcome and the server."""

    def run(command, *answers):
        async def scenario():
            async with answering(*answers) as url:
                client = OutboundClient(Outbound(["127.0.0.1", "localhost"]))
                try:
                    attempted = await call_url(client, replace(command, url=url.url + command.url), SECRETS)
                    return attempted.outcome, url
                finally:
                    await client.close()

        return asyncio.run(scenario())

    return run


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(bytes(12_000_000))),
        ("deflate", zlib.compress(bytes(12_000_000))),
        ("deflate", zlib.compress(bytes(12_000_000), wbits=-15)),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(12_000_000)))),
        (", ".join(["gzip"] * 500), gzip.compress(b"x")),
        ("br", b"\x00" * 100),
        ("zstd", b"\x28\xb5\x2f\xfd" * 100),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
@pytest.mark.parametrize("status", [200, 302])
def test_bomb_never_unpacks_further_than_the_limit(call, respond, encoding, body, status):
    answer = respond(body, status=status, Content_Encoding=encoding, Location="/")
    tracemalloc.start()
    try:
        outcome, _ = call(replace(GET, max_bytes=100_000, follow_redirects=True), answer)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcome.kind in {"too_large", "connection"}
    assert peak_bytes < 4_000_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"hello" * 50_000)),
        ("X-GZIP", gzip.compress(b"hello" * 50_000)),
        ("deflate", zlib.compress(b"hello" * 50_000)),
        ("deflate", zlib.compress(b"hello" * 50_000, wbits=-15)),
        ("identity", b"hello" * 50_000),
        ("gzip", gzip.compress(b"hello" * 50_000) + b"and more"),
    ],
)
def test_packed_answer_is_unpacked(call, respond, encoding, body):
    outcome, url = call(GET, respond(body, Content_Encoding=encoding))
    assert outcome.text == "hello" * 50_000
    assert b"accept-encoding: gzip, deflate\r\n" in url.requests[0].lower()


def test_packed_answer_without_its_end_is_no_answer(call, respond):
    outcome, _ = call(GET, respond(gzip.compress(b"hello" * 1_000)[:-20], Content_Encoding="gzip"))
    assert (outcome.kind, outcome.is_unknown) == ("connection", True)


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "undefined", "zlib", "x" * 5_000])
def test_charset_that_python_would_chew_on_is_read_as_utf_8(call, respond, charset):
    """60,000 characters of punycode take seconds, a megabyte takes hours."""
    body = b"a" * 60_000 + b"-" + b"b9" * 60_000
    began = time.monotonic()
    outcome, _ = call(GET, respond(body, content_type=f"text/plain; charset={charset}"))
    assert outcome.text == body.decode()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("header", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "9" * 5_000])
def test_wish_for_a_pause_that_no_clock_can_hold_is_no_trouble(call, respond, header):
    outcome, _ = call(GET, respond(status=503, Retry_After=header))
    assert outcome.kind == "status"


def redirected(answering, respond, command, status=302, host="localhost"):
    """What another host is asked when it is the target of a redirect, and the outcome."""

    async def scenario():
        async with answering() as other:
            answer = respond(status=status, Location=f"http://{host}:{other.port}/there")
            async with answering(answer) as url:
                client = OutboundClient(Outbound(["127.0.0.1", "localhost"]))
                there = replace(command, url=url.url + command.url, follow_redirects=True)
                try:
                    return (await call_url(client, there, SECRETS)).outcome, other.requests
                finally:
                    await client.close()

    return asyncio.run(scenario())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_redirect_to_another_host_carries_no_secret(answering, respond, host):
    headers = {"Authorization": "Bearer plain", "Cookie": "a=b", "X-Api-Key": TOKEN, "X-Other": "kept"}
    outcome, [request] = redirected(answering, respond, replace(GET, headers=headers), host=host)
    assert isinstance(outcome, Answered)
    assert b"x-other: kept" in request.lower()
    assert not {b"bearer", b"a=b", SECRET.encode(), b"x-api-key"} & set(request.lower().split())


@pytest.mark.parametrize(
    ("status", "content_type"),
    [(307, "text/plain"), (308, "application/json"), (307, "application/x-www-form-urlencoded")],
)
def test_body_with_a_secret_is_not_sent_on_to_another_host(answering, respond, status, content_type):
    content = quote(TOKEN) if "form" in content_type else f'"{TOKEN}"'
    command = replace(GET, method="POST", content=content, headers={"Content-Type": content_type})
    outcome, requests = redirected(answering, respond, command, status)
    assert (outcome.kind, requests) == ("outbound", [])
    assert "the body holds a secret" in outcome.message


@pytest.mark.parametrize(
    "echo", ["Cannot GET /services/T0000000/B0000000/xoxb-token-of-the-hook", "xoxb-token-of-the-hook?"]
)
def test_part_of_a_secret_address_is_hidden_too(call, respond, echo):
    outcome, _ = call(replace(GET, headers={"X": AT_HOOK}), respond(echo.encode(), status=404))
    assert "xoxb" not in outcome.message


def test_login_that_the_server_sends_back_as_it_came_is_hidden(call, respond):
    def echo(request):
        line = next(each for each in request.split(b"\r\n") if each.lower().startswith(b"authorization"))
        return respond(line, status=401, X_Echo=line.decode())

    outcome, _ = call(replace(GET, basic_auth=("me", TOKEN)), echo)
    assert outcome.message.endswith("answered 401: authorization: Basic ***")


@pytest.mark.parametrize(
    "flood", [b"HTTP/1.1 200 X\r\n" + b"A: b\r\n" * 5_000, b"HTTP/1.1 200 X\r\nA: " + b"b" * 30_000, b"\0" * 30_000]
)
def test_flood_of_headers_is_cut_off(call, flood):
    outcome, _ = call(GET, flood)
    assert (outcome.kind, outcome.is_unknown) == ("connection", True)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 X\r\n", b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n"])
def test_answer_that_drips_is_waited_for_no_longer_than_the_step_says(start, answering):
    async def scenario():
        async def drip(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            try:
                writer.write(start)
                while not writer.is_closing():
                    writer.write(b"X")
                    await asyncio.sleep(0.02)
            finally:
                writer.close()

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        client = OutboundClient(Outbound(["127.0.0.1"]))
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        try:
            return (await call_url(client, replace(GET, url=url, timeout=timedelta(seconds=0.3)), SECRETS)).outcome
        finally:
            await client.close()
            server.close()
            await asyncio.sleep(0.05)

    began = time.monotonic()
    outcome = asyncio.run(scenario())
    assert (outcome.kind, outcome.is_unknown) == ("timeout", True)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text, quote, lambda text: quote(quote(text)), json.dumps,
        lambda text: json.dumps(json.dumps(text)), repr,
        html.escape, lambda text: html.escape(html.escape(text)), lambda text: text.encode().hex(),
        *(lambda text, more=more: base64.b64encode((more + text + "and on").encode()).decode() for more in ("", "a",
        "ab")),
    ],
)  # fmt: skip
def test_value_is_hidden_however_it_is_written(write):
    value = "k0123456789abcdef/+\"&'=%<x>\\ é👍\n"
    hidden = Veil([value, "k0123456789"]).hide(f"you said {write(value)}!")
    assert "***" in hidden
    assert not any(part in hidden for part in ("0123456789", write("k0123456789abcdef")[2:14]))


def test_text_that_quotes_nobody_stays_as_it_is():
    text = "nothing of interest " * 1_000
    assert Veil(["t0ps3cret", "a b", "\n"]).hide(text) is text


@pytest.mark.parametrize("charset", ["a\0b", "utf-8\0", "\x7f", "'" * 9, "é"])
def test_charset_that_is_no_name_is_read_as_utf_8(charset):
    """Given to httpx as it is: the network's client would refuse some of these itself."""
    headers = {"Content-Type": f"text/plain; charset={charset}".encode("latin-1")}
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, content="schön".encode()))

    async def scenario():
        client = OutboundClient(Outbound(), lambda _: answer)
        try:
            return (await call_url(client, replace(GET, url="https://a.example/"), SECRETS)).outcome
        finally:
            await client.close()

    assert asyncio.run(scenario()).text == "schön"
