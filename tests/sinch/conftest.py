"""A provider made of one scripted answer, on a loopback port."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest


class Scripted:
    """A server that reads each request in full, keeps it, and then writes `answer` as it is.

    hang: wait instead of closing or answering. reads: whether it waits for the request at all.
    """

    def __init__(self, answer: bytes, *, hang: bool = False, reads: bool = True) -> None:
        self.answer = answer
        self.hang = hang
        self.reads = reads
        self.requests: list[bytes] = []
        self.url = ""
        self._over = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while self.reads:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length")
                    ),
                    0,
                )
                self.requests.append(head + await reader.readexactly(length))
                writer.write(self.answer)
                await writer.drain()
                if self.hang:
                    await self._over.wait()
                if b"Connection: keep-alive" not in self.answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Scripted"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self._over.set()
            server.close()
            await server.wait_closed()


@pytest.fixture
def scripted() -> Callable[..., AbstractAsyncContextManager[Scripted]]:
    """Start a `Scripted` provider: `async with scripted(b"HTTP/1.1 …") as provider`."""
    return lambda answer=b"", **how: Scripted(answer, **how).running()
