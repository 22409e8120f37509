"""What `sinchflow send` does: arguments made into messages, handed over in batches, and what became of each.

A command imports this module when it runs, not when the command line is built.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from sinchflow.engine.caller import ActionError, Caller
from sinchflow.engine.sending import send_commands
from sinchflow.errors import UsageError
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import SendMessage, Skipped
from sinchflow.model.flow import SendSms, Step, Text
from sinchflow.model.message import as_message
from sinchflow.model.origin import Origin
from sinchflow.model.project import Project
from sinchflow.runtime.connections import Connection
from sinchflow.sinch import messages
from sinchflow.sinch.apart import apart
from sinchflow.sinch.client import Calls, NotSent, Unknown
from sinchflow.sinch.failure import with_advice

#: In a flow one of the ten is ours.
MOST_METADATA = 10
_HERE = Origin(file="the command line", line=1, column=1)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says, field by field as `send_sms` has it; no text is a template."""

    to: tuple[str, ...]
    message: str
    source_number: str | None = None
    source_number_type: Literal["INTERNATIONAL", "ALPHANUMERIC", "SHORTCODE"] | None = None
    delivery_report: bool = True
    callback_url: str | None = None
    metadata: dict[str, str] = {}
    format: Literal["SMS", "MMS", "TTS"] = "SMS"
    media: tuple[str, ...] = ()
    subject: str | None = None
    scheduled: str | None = None
    message_expiry_timestamp: str | None = None


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one message. `message`: the provider's, when it was accepted; else `reason` says why not."""

    to: str
    state: Literal["accepted", "refused", "unknown", "not sent", "skipped"]
    message: dict[str, Any] = {}
    reason: str = ""


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """What a letter comes to: a Message object for each number, and what was left out."""

    bodies: list[dict[str, Any]]
    skipped: tuple[Skipped, ...]


def messages_of(letter: Letter, connection: Connection, project: Project) -> Messages:
    """A message for each number, checked as those of a `send_sms` step are. Raises UsageError, before any call."""
    if letter.source_number_type is not None and letter.source_number is None:
        raise UsageError("--source-number-type says nothing without --source-number")
    scope: dict[str, Any] = {}

    def hole(name: str, value: Any) -> Text:
        """The value where the engine expects a template, so that braces of its own mean nothing."""
        scope[name] = value
        return Text(source=f"{{{{ {name} }}}}", origin=_HERE)

    def hole_or_none(name: str) -> Text | None:
        value = getattr(letter, name)
        return None if value is None else hole(name, value)

    action = SendSms(
        to=(hole("to", list(letter.to)),),
        message=hole("message", letter.message),
        source_number=hole_or_none("source_number"),
        source_number_type=letter.source_number_type,
        delivery_report=letter.delivery_report,
        callback_url=hole_or_none("callback_url"),
        metadata={key: hole(f"metadata_{n}", value) for n, (key, value) in enumerate(letter.metadata.items())},
        format=letter.format,
        media=tuple(hole(f"media_{n}", url) for n, url in enumerate(letter.media)),
        subject=hole_or_none("subject"),
        scheduled=hole_or_none("scheduled"),
        message_expiry_timestamp=hole_or_none("message_expiry_timestamp"),
    )
    caller = Caller(
        run_id="0",
        account=connection.account,
        contact=None,
        our_number=None,
        country=project.country,
        source_numbers={} if connection.source_number is None else {connection.account: connection.source_number},
        timezone=project.timezone,
        now=datetime.now(UTC),
        most_metadata=MOST_METADATA,
    )
    try:
        asked = send_commands(action, Step(address="0", origin=_HERE, action=action), caller, scope, Templates())
    except (ActionError, ExpressionError) as error:
        raise UsageError(str(error)) from error
    bodies = [command.body for command in asked.commands if isinstance(command, SendMessage)]
    if not bodies:
        raise UsageError(f"none of these is a phone number: {', '.join(each.to for each in asked.skipped)}")
    return Messages(bodies=bodies, skipped=asked.skipped)


class Delivery:
    """Messages on their way to the provider, in batches, and what is known of each at any time.

    `fates` has what is known so far, by the message's place. `trouble` says why the rest was not sent, if so.
    """

    def __init__(self, bodies: Sequence[dict[str, Any]], batch: int) -> None:
        self.fates: dict[int, Fate] = {}
        self.trouble: str | None = None
        self._bodies = bodies
        self._batch = batch
        self._in_call: Sequence[int] = ()

    async def run(self, calls: Calls, progress: Callable[[int], None]) -> None:
        """Hand all over, until done or in trouble. `progress` is told how many are settled, after each call."""
        count = len(self._bodies)
        parts = deque[Sequence[int]](
            range(start, min(start + self._batch, count)) for start in range(0, count, self._batch)
        )
        while parts and self.trouble is None:
            self._in_call = parts.popleft()
            result = await messages.send(calls, [self._bodies[index] for index in self._in_call])
            parts.extendleft(reversed(self._settle(self._in_call, result)))
            self._in_call = ()
            progress(len(self.fates))
        self._give_up()

    def interrupt(self) -> None:
        """Somebody ended `run`: nobody knows about the messages of the call under way."""
        self.trouble = "interrupted"
        self._set(self._in_call, "unknown", self.trouble)
        self._give_up()

    def _settle(self, part: Sequence[int], result: messages.SendResult) -> list[Sequence[int]]:
        """Note what a call's result says of its messages; what of them is to be handed over again."""
        match result:
            case messages.Accepted():
                for index, message in zip(part, result.messages, strict=True):
                    self.fates[index] = Fate(to=self._to(index), state="accepted", message=as_message(message))
            case messages.Rejected(status=400 | None):
                found = apart(result, len(part))
                for place, words in found.refused.items():
                    self._set([part[place]], "refused", words)
                return [[part[place] for place in again] for again in found.parts]
            case messages.Rejected():
                self.trouble = _refusal(result)
            case messages.Unauthorised():
                self.trouble = with_advice(401, result.message)
            case messages.Limited():
                wish = f", which asks to wait {result.retry_after.total_seconds():g} s" if result.retry_after else ""
                self.trouble = with_advice(429, f"too many calls for the provider{wish}")
            case NotSent():
                self.trouble = result.reason
            case Unknown():
                self.trouble = result.reason
                self._set(part, "unknown", result.reason)
        return []

    def _give_up(self) -> None:
        if self.trouble is not None:
            rest = [index for index in range(len(self._bodies)) if index not in self.fates]
            self._set(rest, "not sent", self.trouble)

    def _set(self, part: Iterable[int], state: Literal["refused", "unknown", "not sent"], reason: str) -> None:
        for index in part:
            self.fates[index] = Fate(to=self._to(index), state=state, reason=reason)

    def _to(self, index: int) -> str:
        to: str = self._bodies[index]["destination_number"]
        return to


def fates_as_data(fates: Iterable[Fate]) -> dict[str, Any]:
    """For programs. `unknown` is apart from `skipped`: what may have gone out must not be sent again blindly."""
    lists: Mapping[str, list[dict[str, Any]]] = {"messages": [], "skipped": [], "unknown": []}
    for fate in fates:
        if fate.state == "accepted":
            lists["messages"].append(fate.message)
        else:
            name = "unknown" if fate.state == "unknown" else "skipped"
            lists[name].append({"to": fate.to, "reason": fate.reason})
    return dict(lists)


def _refusal(result: messages.Rejected) -> str:
    """The words for a call that was refused for another reason than its messages."""
    if result.status is None or result.status < 400:  # a redirect's words say all of it
        return result.message
    return with_advice(result.status, result.message, result.details)
