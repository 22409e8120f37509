"""Requests to a URL over connections that are kept: a client that knows no more of HTTP/1.1 than pushing needs.

A general client costs 0.25 ms of processor per push, several times what it costs us to take a message, and the
simulated Sinch shares two cores with the daemon under test.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Self, cast
from urllib.parse import SplitResult, urlsplit

from httptools import HttpParserError, HttpResponseParser

#: Less than any server keeps an idle connection, so that none closes just as we write.
_KEEPALIVE_S = 2.0

_JSON = "Content-Type: application/json\r\n"

#: Given the request line and the body, more headers: each begins with CR LF.
Signer = Callable[[bytes, bytes], bytes]


class Poster:
    """One request at a time; a connection per server that it talks to."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str], _Connection] = {}
        self._heads: dict[tuple[str, str, str], tuple[SplitResult, bytes]] = {}

    async def post(
        self, url: str, body: bytes, *, method: str = "POST", headers: str = _JSON, sign: Signer | None = None
    ) -> int:
        """The status that the server answers with. Raises OSError or ValueError when none comes.

        headers: lines that each end with CR LF. sign: adds headers once the request line is known.
        """
        parts, head = self._head(url, method, headers)
        server = (parts.scheme, parts.netloc)
        connection = self._connections.get(server)
        if connection is None or not connection.is_usable:
            if connection is not None:
                connection.close()
            connection = self._connections[server] = await _Connection.open(parts)
        signed = b"" if sign is None else sign(head.partition(b"\r\n")[0], body)
        try:
            return await connection.exchange(b"%b%d%b\r\n\r\n%b" % (head, len(body), signed, body))
        except asyncio.CancelledError:
            connection.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _head(self, url: str, method: str, headers: str) -> tuple[SplitResult, bytes]:
        known = self._heads.get((url, method, headers))
        if known is None:
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or " " in url:
                raise ValueError(f"not a URL to push to: {url}")
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            head = (
                f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
                f"User-Agent: simulated-sinch\r\nAccept: */*\r\n{headers}Content-Length: "
            )
            if len(self._heads) > 1000:
                self._heads.clear()
            known = self._heads[url, method, headers] = (parts, head.encode())
        return known


class _Connection(asyncio.Protocol):
    """A connection and the answer that it waits for."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._waits: asyncio.Future[int] | None = None
        self._has_headers = False
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()

    @classmethod
    async def open(cls, parts: SplitResult) -> Self:
        context = ssl.create_default_context() if parts.scheme == "https" else None
        port = parts.port or (443 if context else 80)
        _, connection = await asyncio.get_running_loop().create_connection(cls, parts.hostname or "", port, ssl=context)
        return connection

    @property
    def is_usable(self) -> bool:
        is_open = self._transport is not None and not self._transport.is_closing()
        return is_open and self._loop.time() - self._used_at < _KEEPALIVE_S

    async def exchange(self, request: bytes) -> int:
        if self._transport is None:
            raise ConnectionResetError("closed before the request")
        self._has_headers = False
        self._waits = self._loop.create_future()
        self._transport.write(request)
        status = await self._waits
        self._used_at = self._loop.time()
        return status

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # --- what asyncio calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its type

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self.close()
            if self._waits is not None and not self._waits.done():
                self._waits.set_exception(ConnectionAbortedError(f"no HTTP answer: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._waits is not None and not self._waits.done():
            if self._has_headers and error is None:  # a body without a length ends with the connection
                self._waits.set_result(self._parser.get_status_code())
            else:
                self._waits.set_exception(ConnectionResetError("closed without an answer"))

    # --- what the parser calls --------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        self._has_headers = True

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._has_headers = False
            return
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
        if self._waits is not None and not self._waits.done():
            self._waits.set_result(status)
