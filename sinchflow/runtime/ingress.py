"""The webhook port: takes what Sinch pushes, and answers 2xx only once it is on disk.

Raw ASGI: this is the hottest path of the program. A request costs one parse, one place in the journal's next group
commit, and one small answer. What a body is shows in its keys (`sinch.payload`), the path's last part is for people.
Who may push is the `Guard`'s to say. A GET of a webhook's address shows that it is this daemon that is reached there.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

import msgspec
import structlog

from sinchflow import __version__
from sinchflow.journal.journal import Changes, Journal, Quarantined
from sinchflow.model.event import Event
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.flow_calls import FlowCalls, is_flow_call
from sinchflow.runtime.guard import Door, Guard, Refusal
from sinchflow.runtime.stats import Stats
from sinchflow.sinch.payload import PayloadError, parse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger("sinchflow")

#: An MMS's attachments come inside the body, in base64.
MAX_BODY_BYTES = 8 * 1024 * 1024
#: A body over that is read on, up to this, and thrown away: who is still sending would not see the refusal.
_MOST_DISCARDED = 64 * 1024 * 1024

_JSON = (b"content-type", b"application/json")
_ACCEPTED = b'{"status":"accepted"}'
_REPEAT = b'{"status":"known"}'


class Ingress:
    """The ASGI application of the webhook port.

    guard: who may push, as a function because a reload may change it.
    take: told about each new event once it is stored. flow_calls: answers calls of flows' own webhooks.
    deadline_s: for the whole of a request's body to arrive.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        guard: Callable[[], Guard],
        take: Callable[[Event], None],
        flow_calls: FlowCalls | None = None,
        deadline_s: float = 30.0,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._guard = guard
        self._take = take
        self._flow_calls = flow_calls
        self._deadline_s = deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        began = perf_counter()
        try:
            status, body = await self._respond(scope, receive)
            await _answer(send, status, body)
            self._stats.acknowledge_seconds.observe(perf_counter() - began)
        except Refusal as refusal:
            self._stats.refused_requests[refusal.status] += 1
            if refusal.alarm is not None:
                self._alarm(refusal.alarm)
            problems = {"problems": refusal.problems} if refusal.problems else {}
            content = msgspec.json.encode({"error": refusal.reason, **problems})
            await _answer(send, refusal.status, content, refusal.headers)
        except _Disconnected:
            return

    async def _respond(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Refusal."""
        if self._flow_calls is not None and is_flow_call(scope["path"]):
            return await self._flow_calls.answer(scope, lambda: self._read(scope, receive))
        guard = self._guard()
        door = guard.door(scope["path"])
        if scope["method"] == "GET":
            return 200, self._self_test(guard, door, scope)
        if scope["method"] != "POST":
            raise Refusal(
                405,
                f"method {scope['method'][:20]} is not allowed: webhooks are POST",
                headers=((b"allow", b"GET, POST"),),
            )
        guard.check_secret(door, scope["headers"])
        body = await self._read(scope, receive)
        guard.check_signature(door, scope, body, self._clock.now)
        answer = await self._accept(body, door)
        return 202 if answer is _ACCEPTED else 200, answer

    def _self_test(self, guard: Guard, door: Door, scope: Scope) -> bytes:
        """What `apply` looks for at the public address."""
        return msgspec.json.encode(
            {
                "sinchflow": __version__,
                "account": door.account,
                "kind": door.kind,
                "instance": self._journal.identity,
                "secret": guard.secret_state(scope["headers"]),
            }
        )

    def _alarm(self, words: str) -> None:
        """A push from somebody who knows the token is refused: the provider's events may be getting lost."""
        if self._stats.troubles.get("webhooks") != words:
            log.error("a webhook was refused", reason=words)
        self._stats.troubles["webhooks"] = words

    async def _accept(self, body: bytes, door: Door) -> bytes:
        """Store the event; the answer's body once it is durable."""
        try:
            event = parse(body, id=self._journal.new_id(), received_at=self._clock.now(), account=door.account)
        except PayloadError as error:
            await self._quarantine(body, door, error.reason)
            raise Refusal(400, error.reason) from error
        answer: asyncio.Future[bool | Exception] = self._loop.create_future()

        def accepted(result: bool | Exception) -> None:
            if result is True:
                self._stats.events[event.kind] += 1
                self._take(event)
            elif result is False:
                self._stats.repeats += 1
            if not answer.cancelled():
                answer.set_result(result)

        self._journal.accept(event, accepted)
        stored = await answer
        if isinstance(stored, Exception):
            raise self._not_stored(stored)
        if self._stats.troubles:
            self._stats.troubles.pop("journal", None)
            self._stats.troubles.pop("webhooks", None)
        return _ACCEPTED if stored else _REPEAT

    async def _quarantine(self, body: bytes, door: Door, reason: str) -> None:
        """Keep what cannot be read, so that nothing is lost while a template is mended."""
        self._stats.quarantined += 1
        kind = door.kind if door.account == DEFAULT_ACCOUNT else f"{door.account}/{door.kind}"
        self._stats.troubles["quarantine"] = f"a webhook body could not be read ({kind}): {reason}"
        log.error(
            "a webhook body could not be read; kept in quarantine", path=kind, reason=reason, size_bytes=len(body)
        )
        kept = Quarantined(
            id=self._journal.new_id(), received_at=self._clock.now(), path=kind, reason=reason, body=body
        )
        answer: asyncio.Future[Exception | None] = self._loop.create_future()

        def stored(error: Exception | None) -> None:
            if not answer.cancelled():
                answer.set_result(error)

        self._journal.commit(Changes(quarantined=(kept,)), stored)
        error = await answer
        if error is not None:
            raise self._not_stored(error)

    def _not_stored(self, error: Exception) -> Refusal:
        self._stats.troubles["journal"] = str(error)
        return Refusal(503, "this cannot be stored right now: try again", headers=((b"retry-after", b"5"),))

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body. Raises Refusal when it is too large or takes too long."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await _read(scope, receive)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {self._deadline_s:g} s") from None


class _Disconnected(Exception):
    """The client went away before its request was complete."""


async def _read(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises Refusal when it is too large."""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > _MOST_DISCARDED:
            raise _too_large()
    message = await _receive(receive)
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts, size_bytes = [body], len(body)
    while message.get("more_body"):
        message = await _receive(receive)
        part = message.get("body", b"")
        size_bytes += len(part)
        if size_bytes <= MAX_BODY_BYTES:
            parts.append(part)
        elif size_bytes > _MOST_DISCARDED:
            raise _too_large()
    if size_bytes > MAX_BODY_BYTES:
        raise _too_large()
    return b"".join(parts)


async def _receive(receive: Receive) -> MutableMapping[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _Disconnected
    return message


def _too_large() -> Refusal:
    return Refusal(413, f"the body is larger than {MAX_BODY_BYTES} bytes", headers=((b"connection", b"close"),))


async def _answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})
