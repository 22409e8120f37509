"""As much of HTTP as the simulated Sinch needs, straight on ASGI: it shares two cores with what it is there to test."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from sinchflow.simulate.error_bodies import DOCUMENTED
from sinchflow.simulate.faults import Fault

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 10 * 1024 * 1024

_encode = msgspec.json.Encoder().encode


class Reply(msgspec.Struct, gc=False):
    """A status and a body that becomes JSON; None is an empty body, bytes go as they are."""

    status: int
    body: Any = None
    media_type: bytes = b"application/json"


async def read_body(receive: Receive) -> bytes | None:
    """The whole body; None when it is larger than `MAX_BODY_BYTES` or the caller went away."""
    event = await receive()
    body: bytes = event.get("body", b"")
    if event["type"] == "http.request" and not event.get("more_body"):
        return body if len(body) <= MAX_BODY_BYTES else None
    pieces = bytearray(body)
    while event["type"] == "http.request" and len(pieces) <= MAX_BODY_BYTES:
        if not event.get("more_body"):
            return bytes(pieces)
        event = await receive()
        pieces += event.get("body", b"")
    return None


async def answer(send: Send, reply: Reply) -> None:
    """Send the reply in full."""
    body = _written(reply)
    await _begin(send, reply.status, [(b"content-type", reply.media_type)], len(body))
    await send({"type": "http.response.body", "body": body})


async def answer_with_fault(receive: Receive, send: Send, fault: Fault, proper: Reply | None) -> None:
    """Answer the way the fault wants it. `proper`: what would have been answered, where the call was carried out."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    match fault.kind:
        case "answer":
            headers = [(name.lower().encode(), value.encode()) for name, value in fault.headers.items()]
            body = (
                _written(Reply(fault.status, DOCUMENTED.get(fault.status)))
                if fault.body is None
                else fault.body.encode()
            )
            await _begin(send, fault.status, headers or [(b"content-type", b"application/json")], len(body))
            await send({"type": "http.response.body", "body": body})
        case "reset":
            _tear_down(send)
        case "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
        case "cut" if proper is not None:
            body = _written(proper)
            await _begin(send, proper.status, [(b"content-type", proper.media_type)], len(body))
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            _tear_down(send)
        case "short" if proper is not None and isinstance(proper.body, dict) and "messages" in proper.body:
            await answer(send, Reply(proper.status, {"messages": proper.body["messages"][:-1]}))
        case _ if proper is not None:
            await answer(send, proper)


def _written(reply: Reply) -> bytes:
    if reply.body is None:
        return b""
    return reply.body if isinstance(reply.body, bytes) else _encode(reply.body)


async def _begin(send: Send, status: int, headers: list[tuple[bytes, bytes]], length: int) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", str(length).encode())],
        }
    )


def _tear_down(send: Send) -> None:
    # ASGI has no word for it. Under uvicorn `send` is a method of the exchange, which knows its transport; under
    # another server the exchange ends unanswered, which that server turns into a closed connection or a 500.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.close()
