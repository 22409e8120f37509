"""Reads the body of an answer, unpacked, and never more of it than was said: bombs end at the limit.

httpx unpacks each piece whole before anybody can look at its size, and as often as the server says it is packed: a
kilobyte of `gzip, gzip` may become a gigabyte. Here each step of unpacking gives at most one piece.
"""

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

#: What requests ask for. Brotli and zstd are left out: their ratio is a million to one.
ACCEPTED = "gzip, deflate"

#: Unpacked at once, in bytes.
_PIECE = 64 * 1024
#: Window sizes for zlib: gzip alone, zlib alone, no wrapping.
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class TooLarge(Exception):
    """The body is over the limit."""


class Unreadable(Exception):
    """The body is packed in another way than was asked for, or broken."""


async def read_body(response: "httpx.Response", most_bytes: int) -> bytes:
    """The body, unpacked. Raises TooLarge as soon as it is over `most_bytes`, Unreadable, and what httpx raises."""
    body = bytearray()
    if response.is_stream_consumed:  # it never was on a wire
        body += response.content
    else:
        unpack = _unpacking(response.headers.get("content-encoding", ""))
        async for piece in response.aiter_raw():
            if unpack is None:
                body += piece
            else:
                unpack.into(body, piece, most_bytes)
            if len(body) > most_bytes:
                break
        if unpack is not None and len(body) <= most_bytes:
            unpack.end()
    if len(body) > most_bytes:
        raise TooLarge
    return bytes(body)


def _unpacking(said: str) -> "_Unpacking | None":
    ways = [way for each in said.lower().split(",") if (way := each.strip()) not in ("", "identity")]
    if not ways:
        return None
    if len(ways) > 1 or ways[0] not in ("gzip", "x-gzip", "deflate"):
        raise Unreadable(f'it is packed as "{said[:50]}", which was not asked for')
    return _Unpacking(is_gzip=ways[0] != "deflate")


class _Unpacking:
    """One layer of gzip or deflate. Whatever follows the end of the packed data is ignored."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._stream: zlib._Decompress | None = None
        self._head = b""

    def into(self, body: bytearray, piece: bytes, most_bytes: int) -> None:
        """Unpack a piece, until `body` is over the limit."""
        if self._stream is None:
            self._head += piece
            if len(self._head) < 2:
                return
            piece = self._head
            self._stream = zlib.decompressobj(self._window())
        try:
            while piece and len(body) <= most_bytes and not self._stream.eof:
                body += self._stream.decompress(piece, _PIECE)
                piece = self._stream.unconsumed_tail
        except zlib.error as error:
            raise Unreadable(f"it cannot be unpacked: {error}") from None

    def end(self) -> None:
        """Raises Unreadable when the packed data goes on. No data at all is an empty body."""
        if self._head and (self._stream is None or not self._stream.eof):
            raise Unreadable("it cannot be unpacked: its end is missing")

    def _window(self) -> int:
        """Servers say `deflate` for both: with zlib's two bytes before it, and without (RFC 9110 section 8.4.1.2)."""
        if self._is_gzip:
            return _GZIP
        first, second = self._head[:2]
        return _ZLIB if first & 0x0F == 8 and (first << 8 | second) % 31 == 0 else _RAW
