"""The simulated Sinch on a loopback port, and webhooks that keep what is pushed to them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from jsonschema import Draft202012Validator

from sinchflow.simulate.provider import SimulatedSinch


class Webhooks:
    """A server that keeps (path, body) of each push and answers with the next of `statuses`, then 204."""

    def __init__(self, *statuses: int) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.heads: list[str] = []
        self.url = ""
        self._statuses = list(statuses)
        self._more = asyncio.Condition()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
                body = await reader.readexactly(length)
                async with self._more:
                    self.heads.append(head)
                    self.got.append((head.split(" ")[1], body))
                    self._more.notify_all()
                status = self._statuses.pop(0) if self._statuses else 204
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Webhooks"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def arrived(self, count: int) -> list[tuple[str, bytes]]:
        """Wait until so many pushes have come."""
        async with asyncio.timeout(5), self._more:
            await self._more.wait_for(lambda: len(self.got) >= count)
        return self.got


@asynccontextmanager
async def _serve(sim: SimulatedSinch) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(sim, log_level="critical", access_log=False, timeout_graceful_shutdown=1)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.fixture
def serve() -> Callable[[SimulatedSinch], AbstractAsyncContextManager[str]]:
    """Serve a simulated Sinch on loopback: `async with serve(sim) as url`."""
    return _serve


@pytest.fixture
def webhooks() -> Callable[..., AbstractAsyncContextManager[Webhooks]]:
    """Run webhooks that answer with the given statuses first: `async with webhooks(500) as hook`."""
    return lambda *statuses: Webhooks(*statuses).running()


@pytest.fixture
def fits() -> Callable[[str, Any], None]:
    """Hold an answer against a schema of the vendor's specification, and its members against the schema's."""
    path = Path(__file__).parent / "data" / "openapi-sim.json"
    schemas: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    def check(name: str, data: Any) -> None:
        validator = Draft202012Validator({**schemas, "$ref": f"#/components/schemas/{name}"})
        validator.validate(data)
        if isinstance(data, dict):
            assert set(data) <= set(schemas["components"]["schemas"][name]["properties"])

    return check


@pytest.fixture
def talk() -> Callable[..., Any]:
    """Run `main(http)` with a client of the simulated Sinch's API, in this process and without sockets.

    While `main` runs the simulated Sinch pushes.
    """

    def run(sim: SimulatedSinch, main: Callable[[httpx.AsyncClient], Awaitable[Any]], **how: Any) -> Any:
        async def whole() -> Any:
            transport = httpx.ASGITransport(app=sim)  # type: ignore[arg-type]
            how.setdefault("auth", ("k", "s"))
            await sim.start()
            try:
                async with (
                    asyncio.timeout(20),
                    httpx.AsyncClient(transport=transport, base_url="http://sinch", **how) as http,
                ):
                    return await main(http)
            finally:
                await sim.stop()

        return asyncio.run(whole())

    return run
