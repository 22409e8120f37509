"""Messages from customers' programs: taken, asked about, cancelled, and what becomes of them (sinch-api.md section 3).

POST /v1/messages is the hot path: the simulated Sinch shares two cores with the program that it is there to test.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from sinchflow.simulate import bodies
from sinchflow.simulate.account import Account
from sinchflow.simulate.call import Call, bad_request, not_allowed, not_found
from sinchflow.simulate.error_bodies import INVALID, api_error
from sinchflow.simulate.events import Events
from sinchflow.simulate.fate import Outcome, Stage, Timeline, stages
from sinchflow.simulate.features import Features
from sinchflow.simulate.message import Message, as_time, read_request
from sinchflow.simulate.web import Reply

#: Members of a message that the answer about its status does not have.
_NOT_SHOWN = frozenset({"media", "subject", "status_code", "changed"})


class Ids:
    """UUIDs in order. A counter in the last group: a random one would cost a system call for each message."""

    def __init__(self) -> None:
        self.begin()

    def begin(self, prefix: str | None = None) -> None:
        """Start a new series. prefix: the first 24 characters of each."""
        self._prefix = prefix or str(uuid.uuid4())[:24]
        self._count = 0

    def next(self) -> str:
        """One more."""
        self._count += 1
        return f"{self._prefix}{self._count:012x}"


class Traffic:
    """The messages of all accounts. `outcomes` and `features` may change at any time.

    receipts: report on messages that ask for it. number: what messages without a source go out from.
    """

    def __init__(
        self,
        *,
        events: Events,
        receipts: bool,
        timeline: Timeline,
        outcomes: Sequence[Outcome],
        number: str,
        features: Features,
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.features = features
        self.taken = 0  #: messages of all accounts
        self.subscribers: list[Callable[[Message], None]] = []
        self.ids = Ids()
        self._events = events
        self._receipts = receipts
        self._timeline = timeline
        self._number = number
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._round = 0

    def post(self, account: Account, media_type: bytes, body: bytes) -> Reply:
        """POST /v1/messages: all or nothing."""
        if not media_type.startswith(b"application/json"):
            return Reply(415, api_error("unsupported_media_type", "Unsupported media type", "send application/json"))
        messages = read_request(body)
        if isinstance(messages, tuple):
            return Reply(400, {"message": INVALID, "details": messages})
        now = datetime.now(UTC)
        at_once: list[Message] = []
        for message in messages:
            message.message_id = self.ids.next()
            message.status = "queued"
            wait_s = _seconds_until(message.scheduled, now)
            if wait_s > 0:
                message.status = "scheduled"
                self._schedule(account, message, wait_s)
            else:
                at_once.append(message)
            account.last[message.destination_number, message.source_number or self._number] = message
        account.take(messages)
        self.taken += len(messages)
        self._set_off(account, at_once)
        for subscriber in tuple(self.subscribers):
            for message in messages:
                subscriber(message)
        return Reply(202, {"messages": messages})

    def answer_one(self, call: Call) -> Reply:
        """GET and PUT of /v1/messages/ID."""
        if call.path == "/v1/messages":
            return not_allowed(call)
        message = call.account.find(call.path.removeprefix("/v1/messages/"))
        if message is None:
            return not_found()
        match call.method:
            case "GET":
                shown = {k: v for k, v in msgspec.to_builtins(message).items() if k not in _NOT_SHOWN}
                return Reply(200, shown)
            case "PUT":
                return self._cancel(message, call)
            case _:
                return not_allowed(call)

    def stop(self) -> None:
        """Forget what was to become of messages."""
        self._round += 1
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def reset(self) -> None:
        """Begin again."""
        self.stop()
        self.taken = 0
        self.ids.begin()

    def _cancel(self, message: Message, call: Call) -> Reply:
        asked = call.json()
        if asked is None:
            return bad_request("Failed to parse message body.")
        if asked.get("status") != "cancelled":
            return bad_request("/status: must be cancelled")
        if message.status != "scheduled":
            return bad_request(f"the message is {message.status}, not scheduled")
        message.status = "cancelled"
        self._timers.pop(message.message_id or "").cancel()
        return Reply(200)

    # --- what becomes of messages -----------------------------------------------------------------------------------

    def _schedule(self, account: Account, message: Message, wait_s: float) -> None:
        def due() -> None:
            self._timers.pop(message.message_id or "", None)
            message.status = "queued"
            self._set_off(account, [message])

        loop = asyncio.get_running_loop()
        self._timers[message.message_id or ""] = loop.call_later(wait_s, due)

    def _set_off(self, account: Account, messages: list[Message]) -> None:
        """Let the messages go their ways; those of one call that change at one time share a timer."""
        now = datetime.now(UTC)
        listed = account.opted_out if self.features.opt_out_blocks and len(account.opted_out) else ()
        together: dict[float, list[tuple[Message, Stage]]] = {}
        for message in messages:
            is_opted_out = bool(listed) and message.destination_number in listed
            for stage in stages(message, self._timeline, self.outcomes, now, is_opted_out=is_opted_out):
                together.setdefault(stage.after_s, []).append((message, stage))
        loop = asyncio.get_running_loop()
        for after_s, changes in together.items():
            loop.call_later(after_s, self._change, account, changes, self._round)

    def _change(self, account: Account, changes: list[tuple[Message, Stage]], round_: int) -> None:
        if round_ != self._round:
            return
        at = bodies.written(datetime.now(UTC))
        units = 1 if self.features.billing_units else None
        for message, stage in changes:
            message.status = stage.status
            message.status_code = stage.status_code
            message.changed = at
            if self._receipts and message.delivery_report:
                report = bodies.Report(self.ids.next(), message, stage.status, stage.status_code, at, at, units)
                self._events.report(account, report)


def _seconds_until(scheduled: str | None, now: datetime) -> float:
    time_ = None if scheduled is None else as_time(scheduled)
    return 0.0 if time_ is None else (time_ - now).total_seconds()
