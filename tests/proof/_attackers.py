"""Who attacks a port: slow clients, idle sockets, bodies of 20 MB. A process of its own, until it is ended.

python -m tests.proof._attackers PORT PATH SLOW IDLE LARGE
"""

import asyncio
import contextlib
import os
import resource
import sys

_LARGE_BYTES = 20 * 1000 * 1000
#: Connections that are opened in one go, so that the attackers do not trip over each other.
_AT_ONCE = 100


class Attackers:
    """path: of a webhook; the token in it is the right one, so that bodies are read."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path.encode()
        self._opening = asyncio.Semaphore(_AT_ONCE)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._opening:
            return await asyncio.open_connection("127.0.0.1", self._port)

    async def for_ever(self, attack: str, number: int) -> None:
        """The same again whenever it is thrown out, but not more than once a second."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await self._open()
                try:
                    await getattr(self, attack)(reader, writer, number)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(1)

    async def idle(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _number: int) -> None:
        """Says nothing."""
        await reader.read()

    async def slow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """Half of them drip their headers, half of them a body."""
        head = b"POST " + self._path + b" HTTP/1.1\r\nHost: x\r\n"
        writer.write(head + (b"Content-Length: 1000000\r\n\r\n" if number % 2 else b"X-Slow: "))
        while not reader.at_eof():
            writer.write(b"x")
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await reader.read(1000)

    async def large(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _number: int) -> None:
        """A body of 20 MB."""
        writer.write(b"POST " + self._path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % _LARGE_BYTES)
        piece = b'{"x": "' + b"x" * 100_000
        for _ in range(_LARGE_BYTES // len(piece)):
            writer.write(piece)
            await writer.drain()
        writer.write(b"x" * (_LARGE_BYTES % len(piece)))
        await reader.readuntil(b"}")


async def attack(port: int, path: str, slow: int, idle: int, large: int) -> None:
    """Until the process is ended."""
    attackers = Attackers(port, path)
    counts = {"slow": slow, "idle": idle, "large": large}
    await asyncio.gather(
        *(attackers.for_ever(kind, number) for kind, count in counts.items() for number in range(count))
    )


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(10)  # they would come from other machines: what they use of this one is none of theirs
    asyncio.run(attack(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])))
