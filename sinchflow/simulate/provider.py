"""A simulated Sinch: a real HTTP server that behaves as the documented API does, for what sinchflow uses of it.

It takes messages (POST /v1/messages, all or nothing, up to 100 a call), tells their status, cancels scheduled ones,
pushes delivery receipts and inbound messages to our webhooks, and can be told to misbehave. `dev` and the tests run
it inside their process, benchmarks as a process of its own: `python -m sinchflow.simulate.provider --help`.

What the documents leave open is decided so: a message with a `callback_url` is reported there and to the webhooks
too, under one id; callbacks reach this machine only, so that `dev` never calls out; a reply is matched to the last
message that went to that number from the number texted. Control endpoints are under `/_sim/` (see `control`).
"""

import asyncio
import base64
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

import msgspec

from sinchflow.simulate import bodies
from sinchflow.simulate.control import control
from sinchflow.simulate.fate import OUTCOMES, Outcome, Stage, Timeline, stages
from sinchflow.simulate.faults import Fault, FaultPlan
from sinchflow.simulate.message import Message, as_time, read_request
from sinchflow.simulate.pushes import Pusher
from sinchflow.simulate.web import Receive, Reply, Scope, Send, answer, answer_with_fault, read_body

_INVALID = "Request failed to parse correctly. Please ensure input is valid and try again."


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """Where the account's webhooks point; None: not registered."""

    inbound_url: str | None = None
    receipts_url: str | None = None


class CallRecord(msgspec.Struct, frozen=True, gc=False):
    """One call of POST /v1/messages: when (seconds since the epoch), how many messages were taken, what was answered.

    status is 0 when a fault kept the answer back.
    """

    at: float
    messages: int
    status: int


class SimulatedSinch:
    """The provider. `app` is its ASGI side; pushes begin with `start` (the app's lifespan calls it, and `stop`).

    api_key, api_secret: what Basic auth must show; None takes any.
    receipts: push delivery receipts for messages that ask for them. number: the account's default number.
    keep: remember this many messages and calls; None: all.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        api_secret: str | None = None,
        hooks: Hooks | None = None,
        receipts: bool = True,
        timeline: Timeline | None = None,
        outcomes: Sequence[Outcome] = OUTCOMES,
        number: str = "+61491593156",
        keep: int | None = None,
        pusher: Pusher | None = None,
    ) -> None:
        self.hooks = hooks or Hooks()
        self.number = number
        self.messages: list[Message] = []
        self.calls: list[CallRecord] = []
        self.pusher = pusher or Pusher()
        self.outcomes = self._outcomes = tuple(outcomes)
        self.dropped = 0
        self._receipts = receipts
        self._timeline = timeline or Timeline()
        self._keep = keep
        self._faults = FaultPlan()
        self._subscribers: list[Callable[[Message], None]] = []
        self._last: dict[tuple[str, str], Message] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._round = 0
        self._begin_ids()
        self._credentials: bytes | None = None
        if api_key is not None:
            pair = f"{api_key}:{api_secret or ''}".encode()
            self._credentials = b"Basic " + base64.b64encode(pair)

    # --- what people and tests do -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to push."""
        await self.pusher.start()

    async def stop(self) -> None:
        """Stop pushing, and forget what was to become of messages."""
        self._round += 1
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        await self.pusher.stop()

    def subscribe(self, callback: Callable[[Message], None]) -> Callable[[], None]:
        """Call back for each message taken, in order, before the caller gets its answer. Gives what ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def fail_next(self, fault: Fault) -> None:
        """Let the next `fault.times` calls of POST /v1/messages meet this fault."""
        self._faults.add(fault)

    async def text_in(
        self, from_: str, content: str, *, to: str | None = None, attachments: Sequence[bodies.Attachment] = ()
    ) -> str:
        """A customer texts us: push it to the inbound webhook and give its `reply_id`.

        It answers the last message that went to the customer from the number texted (`to`, or the account's own),
        and carries that message's id and metadata.
        """
        number = to or self.number
        answered = self._last.get((from_, number))
        reply = bodies.Reply(
            reply_id=str(uuid.uuid4()),
            source=from_,
            destination=number,
            content=content,
            date_received=bodies.written(datetime.now(UTC)),
            answers=answered,
            attachments=attachments,
        )
        if self.hooks.inbound_url is not None:
            self.pusher.push(self.hooks.inbound_url, bodies.inbound_body(reply))
        if answered is not None and answered.callback_url is not None and _is_here(answered.callback_url):
            self.pusher.push(answered.callback_url, bodies.callback_reply_body(reply, answered))
        return reply.reply_id

    def reset(self) -> None:
        """Forget messages, calls, faults and changed outcomes; what is on its way to our webhooks still arrives."""
        self._round += 1
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self.messages.clear()
        self.calls.clear()
        self._last.clear()
        self._faults.clear()
        self.outcomes = self._outcomes
        self.dropped = 0
        self._begin_ids()

    # --- HTTP -------------------------------------------------------------------------------------------------------

    @property
    def app(self) -> Self:
        """The ASGI application: the object itself."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI exchange."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        method: str = scope["method"]
        body = await read_body(receive)
        if body is None:
            await answer(send, Reply(413, _api_error("payload_too_large", "Payload too large", "at most 10 MiB")))
        elif path == "/v1/messages" and method == "POST":
            await self._post_messages(dict(scope["headers"]), body, receive, send)
        elif path.startswith("/_sim/"):
            await answer(send, await control(self, method, path.removeprefix("/_sim/"), scope["query_string"], body))
        else:
            await answer(send, self._other(method, path, dict(scope["headers"]), body))

    async def _post_messages(self, headers: dict[bytes, bytes], body: bytes, receive: Receive, send: Send) -> None:
        fault = self._faults.next()
        taken = len(self.messages) + self.dropped
        proper = self._take(headers, body) if fault is None or fault.is_answered_first else None
        taken = len(self.messages) + self.dropped - taken
        if fault is None or fault.kind in {"delay", "short"}:
            status = proper.status if proper is not None else 0
        else:
            status = fault.status if fault.kind == "answer" else 0
        self.calls.append(CallRecord(time.time(), taken, status))
        self._forget()
        if fault is not None:
            await answer_with_fault(receive, send, fault, proper)
        elif proper is not None:
            await answer(send, proper)

    def _refusal(self, headers: dict[bytes, bytes]) -> Reply | None:
        shown = headers.get(b"authorization", b"")
        is_known = shown.startswith(b"Basic ") if self._credentials is None else shown == self._credentials
        return None if is_known else Reply(401, {"message": "Invalid authentication credentials"})

    def _take(self, headers: dict[bytes, bytes], body: bytes) -> Reply:
        if (refusal := self._refusal(headers)) is not None:
            return refusal
        if not headers.get(b"content-type", b"").startswith(b"application/json"):
            return Reply(415, _api_error("unsupported_media_type", "Unsupported media type", "send application/json"))
        messages = read_request(body)
        if isinstance(messages, tuple):
            return Reply(400, {"message": _INVALID, "details": messages})
        now = datetime.now(UTC)
        at_once: list[Message] = []
        for message in messages:
            message.message_id = self._next_id()
            message.status = "queued"
            wait_s = _seconds_until(message.scheduled, now)
            if wait_s > 0:
                message.status = "scheduled"
                self._schedule(message, wait_s)
            else:
                at_once.append(message)
            self._last[message.destination_number, message.source_number or self.number] = message
        self.messages.extend(messages)
        self._set_off(at_once)
        for subscriber in tuple(self._subscribers):
            for message in messages:
                subscriber(message)
        return Reply(202, {"messages": messages})

    def _other(self, method: str, path: str, headers: dict[bytes, bytes], body: bytes) -> Reply:
        if (refusal := self._refusal(headers)) is not None:
            return refusal
        message = self._find(path.removeprefix("/v1/messages/")) if path.startswith("/v1/messages/") else None
        if message is None:
            return Reply(404, {"message": "Resource not found."})
        match method:
            case "GET":
                shown = {k: v for k, v in msgspec.to_builtins(message).items() if k not in {"media", "subject"}}
                return Reply(200, shown)
            case "PUT":
                return self._cancel(message, body)
            case _:
                return Reply(405, _api_error("method_not_allowed", "Method not allowed", f"{method} is not allowed"))

    def _cancel(self, message: Message, body: bytes) -> Reply:
        try:
            asked = msgspec.json.decode(body, type=dict[str, str]).get("status")
        except (ValueError, RecursionError):
            return Reply(400, {"message": _INVALID, "details": ["Failed to parse message body."]})
        if asked != "cancelled":
            return Reply(400, {"message": _INVALID, "details": ["/status: must be cancelled"]})
        if message.status != "scheduled":
            return Reply(400, {"message": _INVALID, "details": [f"the message is {message.status}, not scheduled"]})
        message.status = "cancelled"
        self._timers.pop(message.message_id or "").cancel()
        return Reply(200)

    # --- what becomes of messages -----------------------------------------------------------------------------------

    def _schedule(self, message: Message, wait_s: float) -> None:
        def due() -> None:
            self._timers.pop(message.message_id or "", None)
            message.status = "queued"
            self._set_off([message])

        loop = asyncio.get_running_loop()
        self._timers[message.message_id or ""] = loop.call_later(wait_s, due)

    def _set_off(self, messages: list[Message]) -> None:
        """Let the messages go their ways; those of one call that change at one time share a timer."""
        now = datetime.now(UTC)
        together: dict[float, list[tuple[Message, Stage]]] = {}
        for message in messages:
            for stage in stages(message, self._timeline, self.outcomes, now):
                together.setdefault(stage.after_s, []).append((message, stage))
        loop = asyncio.get_running_loop()
        for after_s, changes in together.items():
            loop.call_later(after_s, self._change, changes, self._round)

    def _change(self, changes: list[tuple[Message, Stage]], round_: int) -> None:
        if round_ != self._round:
            return
        at = bodies.written(datetime.now(UTC))
        for message, stage in changes:
            message.status = stage.status
            if self._receipts and message.delivery_report:
                self._report(message, stage, at)

    def _report(self, message: Message, stage: Stage, at: str) -> None:
        report = bodies.Report(self._next_id(), message, stage.status, stage.status_code, at, at)
        if self.hooks.receipts_url is not None:
            self.pusher.push(self.hooks.receipts_url, bodies.receipt_body(report))
        if message.callback_url is not None and _is_here(message.callback_url):
            self.pusher.push(message.callback_url, bodies.callback_report_body(report))

    # --- memory -----------------------------------------------------------------------------------------------------

    def _begin_ids(self) -> None:
        self._id_prefix = str(uuid.uuid4())[:24]
        self._id_count = 0

    def _next_id(self) -> str:
        # A counter in the last group: a random UUID would cost a system call for each message.
        self._id_count += 1
        return f"{self._id_prefix}{self._id_count:012x}"

    def _find(self, message_id: str) -> Message | None:
        return next((one for one in reversed(self.messages) if one.message_id == message_id), None)

    def _forget(self) -> None:
        if self._keep is None:
            return
        surplus = len(self.messages) - self._keep
        if surplus > 0:
            for message in self.messages[:surplus]:
                pair = (message.destination_number, message.source_number or self.number)
                if self._last.get(pair) is message:
                    del self._last[pair]
            del self.messages[:surplus]
            self.dropped += surplus
        if len(self.calls) > self._keep:
            del self.calls[: -self._keep]


def _seconds_until(scheduled: str | None, now: datetime) -> float:
    time_ = None if scheduled is None else as_time(scheduled)
    return 0.0 if time_ is None else (time_ - now).total_seconds()


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _api_error(type_: str, title: str, detail: str) -> dict[str, str]:
    return {"uuid": str(uuid.uuid4()), "type": type_, "title": title, "detail": detail}


if __name__ == "__main__":
    from sinchflow.simulate.serve import main

    main()
