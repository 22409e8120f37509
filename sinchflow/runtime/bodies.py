"""Bodies of requests while they arrive: each within its limit, and all together within another.

The first few bytes of each are free, so that messages get through while large bodies come in from everywhere.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sinchflow.runtime.guard import Refusal

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: An MMS's attachments come inside the body, in base64.
MAX_BODY_BYTES = 8 * 1024 * 1024
#: What all bodies that are under way hold together, the free part of each left out.
MOST_HELD_BYTES = 8 * MAX_BODY_BYTES
#: A text message's body has 1 to 2 KiB.
_FREE_BYTES = 16 * 1024
#: A body over a limit is read on, up to this, and thrown away: who is still sending would not see the refusal.
_MOST_DISCARDED = 64 * 1024 * 1024

#: In a scope: the bytes that its body holds.
_HELD = "sinchflow.held"


class Disconnected(Exception):
    """The client went away before its request was complete."""


class Bodies:
    """Reads bodies. What one holds is counted until `release`."""

    def __init__(self, max_bytes: int = MAX_BODY_BYTES, most_held: int = MOST_HELD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._most_held = most_held
        self.held = 0  #: bytes of all bodies that are under way

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body. Raises Refusal when it is too large or there is no room, Disconnected."""
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > _MOST_DISCARDED:
                raise self._too_large()
        message = await _receive(receive)
        body: bytes = message.get("body", b"")
        if not message.get("more_body") and len(body) <= _FREE_BYTES:
            return body
        return await self._read_on(message, scope, receive)

    def release(self, scope: Scope) -> None:
        """The request is answered."""
        if _HELD in scope:
            self.held -= scope.pop(_HELD)

    async def _read_on(self, message: MutableMapping[str, Any], scope: Scope, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size_bytes, refusal = 0, None
        while True:
            part = message.get("body", b"")
            size_bytes += len(part)
            if size_bytes > _MOST_DISCARDED:
                raise self._too_large()
            if size_bytes > self._max_bytes:
                refusal = self._too_large()
            elif refusal is None and not self._hold(scope, size_bytes - _FREE_BYTES):
                refusal = Refusal(503, "there is no room for a body of this size right now: try again", headers=_LATER)
            if refusal is None:
                parts.append(part)
            elif parts:
                parts.clear()
                self.release(scope)
            if not message.get("more_body"):
                break
            message = await _receive(receive)
        if refusal is not None:
            raise refusal
        return b"".join(parts)

    def _hold(self, scope: Scope, size_bytes: int) -> bool:
        more = size_bytes - scope.get(_HELD, 0)
        if more <= 0:
            return True
        if self.held + more > self._most_held:
            return False
        self.held += more
        scope[_HELD] = size_bytes
        return True

    def _too_large(self) -> Refusal:
        return Refusal(413, f"the body is larger than {self._max_bytes} bytes", headers=((b"connection", b"close"),))


#: Sooner than a provider gives up, later than a body takes.
_LATER = ((b"retry-after", b"5"),)


async def _receive(receive: Receive) -> MutableMapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message
