"""Connections to a port of ours, and how long each may take: nobody holds a place by being slow or silent.

uvicorn serves what comes; here is what it leaves open. A request has one deadline from its first byte to its last,
headers included; one who says nothing, or does not read what we answer, is closed; heads are bounded. There is room for
a number of connections: when it is taken, strangers (who have not shown a token) give way, the oldest first, then known
ones that are idle. One look a second at all of them costs less than a timer for each.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from sinchflow.runtime.guard import WELCOME

#: Bytes of a request's line and headers, and of all that is between two pieces of a body.
MOST_HEAD_BYTES = 32 * 1024
MOST_HEADERS = 100
#: Requests of one connection that wait for the one before them.
_MOST_PIPELINED = 16

_WORDS = {
    400: "this is no HTTP request that can be understood",
    408: "the request did not arrive in time",
    431: f"the request's headers are more than {MOST_HEADERS}, or larger than {MOST_HEAD_BYTES} bytes",
    503: "there are too many connections: try again",
    505: "HTTP/1.1 is spoken here",
}


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a connection may take, in seconds. `request_s`: from a request's first byte to its last."""

    first_byte_s: float = 15.0
    request_s: float = 30.0
    keep_alive_s: float = 75.0  #: common proxies close theirs after 60 s; who closes first should be they
    unread_s: float = 30.0  #: for an answer that is not read
    linger_s: float = 2.0  #: after a refusal, so that it can be read; also for the rest of a body that nobody wanted
    look_every_s: float = 1.0


class Visitors:
    """All connections to one port.

    most: how many there may be. refused: told the status of each refusal that the application does not hear of.
    """

    def __init__(self, *, most: int, patience: Patience, refused: Callable[[int], None]) -> None:
        self.patience = patience
        self.refused = refused
        self._most = most
        self._here: dict[Visitor, None] = {}
        self._strangers: dict[Visitor, None] = {}
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(patience.look_every_s, self._look)

    def __call__(self, **how: Any) -> "Visitor":
        """A new connection; as uvicorn asks for one."""
        return Visitor(self, how)

    def __len__(self) -> int:
        return len(self._here)

    def enter(self, visitor: "Visitor") -> bool:
        """Whether there is room for one more, who is a stranger; makes room where that can be done."""
        if len(self._here) >= self._most and not self._make_room():
            return False
        self._here[visitor] = self._strangers[visitor] = None
        return True

    def welcome(self, visitor: "Visitor") -> None:
        """It is no stranger any more."""
        self._strangers.pop(visitor, None)

    def leave(self, visitor: "Visitor") -> None:
        """It is gone."""
        self._here.pop(visitor, None)
        self._strangers.pop(visitor, None)

    def close(self) -> None:
        """Look at nobody any more."""
        self._timer.cancel()

    def _make_room(self) -> bool:
        """Close the oldest stranger, or else a known one that is idle."""
        leaving = next(iter(self._strangers), None) or next((each for each in self._here if each.is_idle), None)
        if leaving is None:
            return False
        self.leave(leaving)
        leaving.dismiss(503)
        return True

    def _look(self) -> None:
        now = self._loop.time()
        for visitor in [each for each in self._here if each.due(now) <= now]:
            visitor.overdue()
        self._timer = self._loop.call_later(self.patience.look_every_s, self._look)


class _Refused(Exception):
    """The request is refused before the application hears of it."""

    def __init__(self, status: int) -> None:
        self.status = status


class Visitor(HttpToolsProtocol):
    """One connection."""

    def __init__(self, visitors: Visitors, how: dict[str, Any]) -> None:
        super().__init__(**{**how, "app_state": {WELCOME: self._welcome}})
        self._visitors = visitors
        self._refusal: int | None = None
        self._pending_bytes = 0  # since the last of a body, or the end of a request
        self._request_since = math.inf  # of the request that is arriving
        self._idle_since = self.loop.time()
        self._unread_since = math.inf
        self._closed_at = math.inf
        self._is_new = True
        self._is_answered = False  # although the request is still arriving

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked and nothing is owed."""
        return self._request_since == math.inf and not self._is_owed

    @property
    def _is_owed(self) -> bool:
        """Whether the answer to a request is not complete."""
        return self.cycle is not None and not (self.cycle.response_complete or self.cycle.disconnected)

    def due(self, now: float) -> float:
        """When this has taken too long, as the loop counts time; infinite where it is ours to act."""
        patience = self._visitors.patience
        if self.transport.is_closing() or (self._refusal is not None and not self._is_owed):
            self._closed_at = min(self._closed_at, now)
            return self._closed_at + patience.linger_s
        due = min(self._request_since + patience.request_s, self._unread_since + patience.unread_s)
        if due == math.inf and not self._is_owed:
            return self._idle_since + (patience.first_byte_s if self._is_new else patience.keep_alive_s)
        return due

    def overdue(self) -> None:
        """It has taken too long."""
        if self._refusal is not None or self.transport.is_closing() or self._unread_since != math.inf:
            self.transport.abort()
        elif self.is_idle or self._is_answered:
            self.transport.close()
        else:
            self._refuse(408)

    def dismiss(self, status: int) -> None:
        """Close at once; one whose request is arriving is told why."""
        if self.is_idle:
            self._visitors.refused(status)
        else:
            self._refuse(status)
        if not self._is_owed:
            self.transport.close()

    def _welcome(self) -> None:
        self._visitors.welcome(self)

    # --- what the transport tells -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or say that there is none."""
        super().connection_made(transport)
        if not self._visitors.enter(self):
            self._refuse(503)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place free."""
        self._visitors.leave(self)
        super().connection_lost(exc)
        self.app_state = {}  # it refers back to this

    def data_received(self, data: bytes) -> None:
        """Parse what came, within bounds."""
        if self._refusal is not None:
            return
        self._pending_bytes += len(data)
        try:
            self.parser.feed_data(data)
            if self._pending_bytes > MOST_HEAD_BYTES or len(self.headers or ()) > MOST_HEADERS:
                self._refuse(431)
        except httptools.HttpParserUpgrade:  # nothing else is spoken here; what follows the request is none of it
            if self.cycle is not None:
                self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _Refused) else 400)

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._unread_since = math.inf

    # --- what the parser tells --------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._is_answered = False
        self._request_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The application gets to work, unless the head is out of bounds."""
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            raise _Refused(505)
        if len(self.headers) > MOST_HEADERS or (
            self._pending_bytes > MOST_HEAD_BYTES
            and len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES
        ):
            raise _Refused(431)
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise _Refused(503)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request's last byte."""
        self._pending_bytes = 0
        self._request_since = math.inf
        super().on_message_complete()

    # --- answers ----------------------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        """The next request that waits, if there is one; else the time of idleness begins."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._is_new = False
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = now = self.loop.time()
        self._is_answered = self._request_since != math.inf and self.cycle.more_body
        if self._is_answered:  # before all of it was read: the rest is not waited for long
            patience = self._visitors.patience
            self._request_since = min(self._request_since, now - patience.request_s + patience.linger_s)

    def _refuse(self, status: int) -> None:
        """Say why nothing more is heard; closed a little later, since what is unread would take the answer with it."""
        self._refusal = status
        self._visitors.refused(status)
        self.pipeline.clear()
        is_owed = self._is_owed
        if is_owed and not self.cycle.more_body:  # what came before is answered first, and that is the end
            self.cycle.keep_alive = False
            return
        if is_owed:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing() or (is_owed and self.cycle.response_started):
            self.transport.close()
            return
        self.transport.write(_answer(status))
        self.transport.write_eof()


def _answer(status: int) -> bytes:
    body = msgspec.json.encode({"error": _WORDS[status]})
    retry = b"retry-after: 5\r\n" if status == 503 else b""
    return b"%bcontent-type: application/json\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n%b" % (
        STATUS_LINE[status], len(body), retry, body,
    )  # fmt: skip
