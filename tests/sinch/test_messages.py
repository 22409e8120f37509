"""POST /v1/messages: what each answer, and each way of getting none, means for the messages of the call."""

import asyncio
import base64
import json
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from sinchflow import __version__
from sinchflow.sinch.client import MAX_ANSWER_BYTES, BasicKey, Client, NotSent, Timeouts, Unknown
from sinchflow.sinch.messages import Accepted, Limited, Rejected, SendResult, Unauthorised, send
from sinchflow.sinch.services import SERVICES, UNPUBLISHED

DATA = Path(__file__).parent / "data"
SCHEMAS: dict[str, Any] = json.loads((DATA / "openapi-messages.json").read_text(encoding="utf-8"))
KEY = BasicKey(api_key="EXAMPLEKEY0000000001", api_secret="EXAMPLESECRET000000000000000001")
#: Connecting and writing take no time on loopback, unless the machine is busy.
QUICK = Timeouts(connect_s=5, read_s=0.2, write_s=5, pool_s=5, call_s=5)
TWO = [
    {"content": "Hello", "destination_number": "+61491570156", "metadata": {"sinchflow_id": "1"}},
    {"content": "Héllo 👋", "destination_number": "+61491570157", "delivery_report": True},
]
TAKEN = [
    {**body, "message_id": f"877c19ef-fa2e-4cec-827a-e1df9b5509f{index}", "status": "queued"}
    for index, body in enumerate(TWO)
]


def raw(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> bytes:
    content = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", *lines, "", ""]).encode() + content


def run(main: Coroutine[Any, Any, SendResult]) -> SendResult:
    return asyncio.run(main)


@contextmanager
def no_more_files() -> Iterator[None]:
    """No file and no socket can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_has_left_while_no_file_can_be_opened(scheme: str) -> None:
    async def scenario() -> SendResult:
        async with Client(f"{scheme}://127.0.0.1:9", KEY, timeouts=QUICK) as client:
            with no_more_files():
                return await send(client, TWO)

    assert isinstance(run(scenario()), NotSent)


async def send_to(url: str, bodies: list[dict[str, Any]] | None = None, timeouts: Timeouts = QUICK) -> SendResult:
    async with Client(url, KEY, timeouts=timeouts) as client:
        return await send(client, TWO if bodies is None else bodies)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(raw(202, {"messages": TAKEN}), Accepted(messages=tuple(TAKEN)), id="all taken"),
        pytest.param(
            raw(200, {"messages": [{"message_id": "a"}, {"message_id": "b", "new": [1]}], "more": 1}),
            Accepted(messages=({"message_id": "a"}, {"message_id": "b", "new": [1]})),
            id="members that we do not know",
        ),
        pytest.param(
            raw(202, {"messages": TAKEN[:1]}),
            Unknown(reason="HTTP 202, but 1 message ids came for 2 messages"),
            id="fewer",
        ),
        pytest.param(
            raw(202, {"messages": [*TAKEN, *TAKEN]}),
            Unknown(reason="HTTP 202, but 4 message ids came for 2 messages"),
            id="more",
        ),
        pytest.param(
            raw(202, {"messages": [TAKEN[0], {"status": "queued"}]}),
            Unknown(reason="HTTP 202, but 1 message ids came for 2 messages"),
            id="one without an id",
        ),
        *(
            pytest.param(
                raw(202, body),
                Unknown(reason="HTTP 202, but its body cannot be read: messages may have been taken"),
                id=f"202 with {name}",
            )
            for name, body in {
                "nothing": "",
                "no JSON": "<html>ok</html>",
                "no messages": "{}",
                "null": '{"messages": null}',
                "an array": "[]",
                "texts": '{"messages": ["a", "b"]}',
                "half": '{"messages": [{"message_id": "a"}',
                "depth": "[" * 100_000,
            }.items()
        ),
        pytest.param(
            raw(400, {"message": "no", "details": ["/messages/1/content: is empty", "hm"]}),
            Rejected(
                message="no",
                details=("/messages/1/content: is empty", "hm"),
                faults={1: "content: is empty"},
                status=400,
            ),
            id="400 with a pointer",
        ),
        pytest.param(raw(400), Rejected(message="HTTP 400 without a message", status=400), id="400 with nothing"),
        pytest.param(
            raw(401, {"message": "Invalid authentication credentials"}),
            Unauthorised(message="Invalid authentication credentials"),
            id="401",
        ),
        *(
            pytest.param(
                raw(status, {"message": "no", "details": ["/messages/1/content: x"]}),
                Rejected(message="no", details=("/messages/1/content: x",), status=status),
                id=f"{status} refuses all",
            )
            for status in (402, 403, 404, 409, 413, 415, 422)
        ),
        pytest.param(raw(429), Limited(), id="429"),
        pytest.param(raw(429, Retry_After="17"), Limited(retry_after=timedelta(seconds=17)), id="429 with seconds"),
        pytest.param(
            raw(429, Date="Tue, 18 Aug 2026 03:43:24 GMT", Retry_After="Tue, 18 Aug 2026 03:44:24 GMT"),
            Limited(retry_after=timedelta(seconds=60)),
            id="429 with a date",
        ),
        pytest.param(
            raw(429, Date="Tue, 18 Aug 2026 03:43:24 GMT", Retry_After="Tue, 18 Aug 2026 03:40:00 GMT"),
            Limited(retry_after=timedelta(0)),
            id="429 with a date that has passed",
        ),
        pytest.param(raw(429, Retry_After="soon"), Limited(), id="429 with words"),
        pytest.param(raw(429, Retry_After="9" * 40), Limited(), id="429 with a number beyond reason"),
        pytest.param(raw(408), Unknown(reason="HTTP 408: without a message"), id="408"),
        pytest.param(raw(500, {"message": "oops"}), Unknown(reason="HTTP 500: oops"), id="500"),
        pytest.param(
            raw(502, "<html><h1>Bad Gateway</h1></html>"), Unknown(reason="HTTP 502: Bad Gateway"), id="502 of a proxy"
        ),
        pytest.param(raw(503, Retry_After="3"), Unknown(reason="HTTP 503: without a message"), id="503"),
        pytest.param(
            raw(301, Location="https://o.example/"),
            Rejected(
                message="HTTP 301, a redirect to https://o.example/, which is not followed: check base_url",
                status=301,
            ),
            id="301",
        ),
    ],
)
def test_answer_means(scripted: Callable[..., Any], answer: bytes, expected: SendResult) -> None:
    async def main() -> SendResult:
        async with scripted(answer) as provider:
            return await send_to(provider.url, timeouts=Timeouts())

    assert run(main()) == expected


@pytest.mark.parametrize(
    ("answer", "how", "reason"),
    [
        pytest.param(
            b"",
            {},
            "the connection to URL broke: Server disconnected without sending a response.",
            id="closed after reading",
        ),
        pytest.param(b"", {"hang": True}, "URL did not answer in time", id="hangs"),
        pytest.param(
            b"HTTP/1.1 202 X\r\nContent-", {"hang": True}, "URL did not answer in time", id="hangs in the headers"
        ),
        pytest.param(
            raw(202, {"messages": TAKEN})[:-40],
            {},
            "the connection to URL broke: peer closed connection without sending complete message body",
            id="cut body",
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", {}, "the connection to URL broke: ", id="no HTTP"),
        pytest.param(
            raw(202, b"not gzip, but long enough to find out", Content_Encoding="gzip"),
            {},
            "the answer of URL cannot be read: it cannot be unpacked: ",
            id="claims to be compressed",
        ),
        pytest.param(
            b"HTTP/1.1 202 X\r\nContent-Length: 99999999\r\n\r\n" + b" " * (MAX_ANSWER_BYTES + 1),
            {},
            f"the answer of URL is larger than {MAX_ANSWER_BYTES} bytes",
            id="endless",
        ),
    ],
)
def test_outcome_is_unknown_once_the_request_went_out(
    scripted: Callable[..., Any], answer: bytes, how: dict[str, Any], reason: str
) -> None:
    async def main() -> tuple[SendResult, str, int]:
        async with scripted(answer, **how) as provider:
            return await send_to(provider.url), provider.url, len(provider.requests)

    result, url, requests = asyncio.run(main())
    assert isinstance(result, Unknown)
    assert result.reason.startswith(reason.replace("URL", url))
    assert requests == 1


def test_outcome_is_unknown_when_the_answer_drips_beyond_the_calls_time(scripted: Callable[..., Any]) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            while True:
                writer.write(b"HTTP/1.1 202 X\r\nX-Drip: "[: 1 + len(drips) % 24])
                drips.append(1)
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    drips: list[int] = []

    async def main() -> SendResult:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with server:
            timeouts = Timeouts(read_s=5, call_s=0.15)
            return await send_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeouts=timeouts)

    assert isinstance(run(main()), Unknown)


def test_outcome_is_unknown_when_the_server_closes_a_kept_connection(scripted: Callable[..., Any]) -> None:
    async def main() -> tuple[SendResult, SendResult]:
        keeps = raw(202, {"messages": TAKEN}, Connection="keep-alive")
        async with scripted(keeps) as provider, Client(provider.url, KEY, timeouts=QUICK) as client:
            first = await send(client, TWO)
            provider.answer = b""
            return first, await send(client, TWO)

    first, second = asyncio.run(main())
    assert isinstance(first, Accepted)
    assert isinstance(second, Unknown)


def refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(refused, id="refused"),
        pytest.param(lambda: "ftp://127.0.0.1", id="another scheme"),
        pytest.param(lambda: "127.0.0.1", id="no scheme"),
        pytest.param(lambda: "http://", id="no host"),
        pytest.param(lambda: "http://[::1", id="broken"),
        pytest.param(lambda: "http://a b", id="blank"),
    ],
)
def test_nothing_was_sent_when_no_connection_came_about(url: Callable[[], str]) -> None:
    base_url = url()
    result = run(send_to(base_url))
    assert isinstance(result, NotSent)
    assert base_url in result.reason


def test_nothing_was_sent_when_tls_fails(scripted: Callable[..., Any]) -> None:
    async def main() -> SendResult:
        async with scripted(b"", reads=False) as provider:
            return await send_to(provider.url.replace("http:", "https:"), timeouts=Timeouts())

    assert isinstance(run(main()), NotSent)


def test_nothing_was_sent_when_all_connections_stay_busy(scripted: Callable[..., Any]) -> None:
    async def main() -> list[SendResult]:
        async with scripted(b"", hang=True) as provider:
            timeouts = Timeouts(pool_s=0.1, read_s=0.4, call_s=1)
            async with Client(provider.url, KEY, timeouts=timeouts) as client:
                results = await asyncio.gather(*(send(client, TWO) for _ in range(9)))
            assert len(provider.requests) == 8
            return list(results)

    results = asyncio.run(main())
    assert [type(result) for result in results].count(Unknown) == 8
    assert [type(result) for result in results].count(NotSent) == 1


def test_request_is_what_the_document_asks_for(scripted: Callable[..., Any]) -> None:
    async def main() -> bytes:
        async with scripted(raw(202, {"messages": TAKEN})) as provider:
            await send_to(provider.url + "/", timeouts=Timeouts())
            request: bytes = provider.requests[0]
            return request

    head, _, body = asyncio.run(main()).partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in rest)}
    assert line == "POST /v1/messages HTTP/1.1"
    assert headers["authorization"] == (
        "Basic RVhBTVBMRUtFWTAwMDAwMDAwMDE6RVhBTVBMRVNFQ1JFVDAwMDAwMDAwMDAwMDAwMDAwMQ=="
    )
    assert headers["accept"] == headers["content-type"] == "application/json"
    assert headers["user-agent"] == f"sinchflow/{__version__}"
    assert json.loads(body) == {"messages": TWO}
    Draft202012Validator({**SCHEMAS, "$ref": "#/components/schemas/Sendmessagesrequest"}).validate(json.loads(body))


def test_half_a_character_blames_its_message_alone(scripted: Callable[..., Any]) -> None:
    async def main() -> tuple[SendResult, list[bytes]]:
        async with scripted(raw(202)) as provider:
            return await send_to(provider.url, [TWO[0], {**TWO[1], "content": "\ud83d"}]), provider.requests

    result, requests = asyncio.run(main())
    assert isinstance(result, Rejected)
    assert list(result.faults) == [1]
    assert requests == []


def test_secret_is_not_shown() -> None:
    assert "SECRET" not in repr(KEY)
    assert base64.b64decode(KEY.headers("GET", "/", b"")["Authorization"][6:]) == (
        b"EXAMPLEKEY0000000001:EXAMPLESECRET000000000000000001"
    )


def test_surroundings_do_not_change_calls(scripted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", refused())
    monkeypatch.setenv("ALL_PROXY", refused())

    async def main() -> SendResult:
        async with scripted(raw(202, {"messages": TAKEN})) as provider:
            return await send_to(provider.url)

    assert isinstance(run(main()), Accepted)


def test_client_takes_a_transport_and_can_be_used_again_after_closing() -> None:
    async def main() -> list[SendResult]:
        transport = httpx.MockTransport(lambda request: httpx.Response(202, json={"messages": TAKEN}))
        client = Client(SERVICES["messagemedia"], KEY, transport=transport)
        first = await send(client, TWO)
        await client.close()
        second = await send(client, TWO)
        await client.close()
        await client.close()
        return [first, second]

    assert all(isinstance(result, Accepted) for result in asyncio.run(main()))


def test_cancelled_call_is_cancelled(scripted: Callable[..., Any]) -> None:
    async def main() -> bool:
        async with scripted(b"", hang=True) as provider, Client(provider.url, KEY) as client:
            task: Awaitable[SendResult] = asyncio.ensure_future(send(client, TWO))
            started = time.monotonic()
            try:
                await asyncio.wait_for(task, 0.1)
            except TimeoutError:
                return time.monotonic() - started < 1
            return False

    assert asyncio.run(main())


def test_services_are_https_hosts_or_known_to_have_none() -> None:
    assert all(url.startswith("https://") and not url.endswith("/") for url in SERVICES.values())
    assert {*SERVICES, *UNPUBLISHED} == {"messagemedia", "engage_eu", "engage_au", "etxt", "one_nz", "grouptext"}
