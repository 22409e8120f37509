"""What ours is compared with on the same machine: a hand-written auto-reply service that stores nothing.

Starlette takes the webhook, aiohttp makes one call a message with at most 64 at once. It answers before it sends, it
loses what it holds when it dies, and it knows one rule. Also a bare ASGI application, which shows what the HTTP server
alone costs.

    python -m tests.benchmarks.baseline service|bare SINCH_URL     # prints its port
"""

import asyncio
import base64
import socket
import sys
from typing import Any

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_HEADERS = {"Authorization": "Basic " + base64.b64encode(b"key:secret").decode()}


def service(sinch_url: str) -> Starlette:
    """The hand-written service."""
    sessions: list[aiohttp.ClientSession] = []
    slots = asyncio.Semaphore(64)
    sending: set[asyncio.Task[None]] = set()

    async def send(number: str) -> None:
        body = {"messages": [{"content": "Hi there, we are open Mon-Fri 8am-6pm.", "destination_number": number}]}
        async with slots:
            if not sessions:
                sessions.append(aiohttp.ClientSession(headers=_HEADERS))
            async with sessions[0].post(f"{sinch_url}/v1/messages", json=body) as answer:
                await answer.json()

    async def inbound(request: Request) -> JSONResponse:
        event = await request.json()
        if event["content"].split()[0].upper() in {"HOURS", "OPEN"}:
            task = asyncio.create_task(send(event["source_address"]))
            sending.add(task)
            task.add_done_callback(sending.discard)
        return JSONResponse({"status": "accepted"}, 202)

    async def waiting(_request: Request) -> JSONResponse:
        return JSONResponse({"waiting": len(sending)})

    return Starlette(routes=[Route("/hooks/bench/inbound", inbound, methods=["POST"]), Route("/waiting", waiting)])


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read nothing but the message, answer 202."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def main() -> None:
    kind, sinch_url = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        bare if kind == "bare" else service(sinch_url), loop="uvloop", http="httptools", lifespan="off",
        log_config=None, access_log=False, server_header=False, date_header=False, proxy_headers=False, ws="none",
    )  # fmt: skip
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
