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
from sinchflow.runtime.acknowledging import LATER, Acknowledging
from sinchflow.runtime.bodies import Bodies, Disconnected, Receive, Scope
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.flow_calls import FlowCalls, is_flow_call
from sinchflow.runtime.guard import WELCOME, Door, Guard, Refusal
from sinchflow.runtime.stats import Stats
from sinchflow.sinch.payload import PayloadError, parse

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = structlog.get_logger("sinchflow")

_JSON = (b"content-type", b"application/json")
_ACCEPTED = b'{"status":"accepted"}'
_REPEAT = b'{"status":"known"}'


class Ingress:
    """The ASGI application of the webhook port.

    guard: who may push, as a function because a reload may change it.
    take: told about each new event once it is stored. flow_calls: answers calls of flows' own webhooks.
    That a request arrives in time is the `visitors`' to see to.
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
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._guard = guard
        self._take = take
        self._flow_calls = flow_calls
        self._bodies = Bodies()
        self._acknowledging = Acknowledging(loop)

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
        except Disconnected:
            return
        finally:
            self._bodies.release(scope)

    async def _respond(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Refusal."""
        if self._flow_calls is not None and is_flow_call(scope["path"]):
            return await self._flow_calls.answer(scope, lambda: self._read_call(scope, receive))
        guard = self._guard()
        door = guard.door(scope["path"])
        _welcome(scope)
        if scope["method"] == "GET":
            return 200, self._self_test(guard, door, scope)
        if scope["method"] != "POST":
            raise Refusal(
                405,
                f"method {scope['method'][:20]} is not allowed: webhooks are POST",
                headers=((b"allow", b"GET, POST"),),
            )
        guard.check_secret(door, scope["headers"])
        self._acknowledging.check()
        body = await self._bodies.read(scope, receive)
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
            if not answer.done():
                answer.set_result(result)

        self._acknowledging.begin(answer)
        try:
            self._journal.accept(event, accepted)
            stored = await answer
        except TimeoutError:
            reason = "this is not stored yet: try again; if it is by then, that is known as a repeat"
            raise Refusal(503, reason, headers=LATER) from None
        finally:
            self._acknowledging.end(answer)
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
        return Refusal(503, "this cannot be stored right now: try again", headers=LATER)

    async def _read_call(self, scope: Scope, receive: Receive) -> bytes:
        """The body of a call of a flow's webhook, whose caller has shown the token."""
        _welcome(scope)
        self._acknowledging.check()
        return await self._bodies.read(scope, receive)


def _welcome(scope: Scope) -> None:
    """The connection is none of a stranger's."""
    state = scope.get("state")
    if state and WELCOME in state:
        state[WELCOME]()


async def _answer(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})
