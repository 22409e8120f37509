"""What a run asks the world to do, and what came of it.

A command's id is derived (`run:address:n`), so the same run at the same step always asks under the same id.
Texts are rendered; secrets travel as references (`SECRET_BEGIN NAME SECRET_END`) that `runtime.perform` fills in.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from sinchflow.model.flow import OnUnknown, OnUnknownCall, Retry


class SendMessage(msgspec.Struct, frozen=True, kw_only=True, tag="send", omit_defaults=True):
    """One message to one recipient.

    body: the Message object for POST /v1/messages without our own metadata, `destination_number` in E.164.
    expires_after: give up, unsent, when it could not leave within this time of the intent (the step's `timeout`).
    """

    id: str
    account: str
    to: str
    body: dict[str, Any]
    retry: Retry | None = None
    expires_after: timedelta | None = None
    is_urgent: bool = False  #: not held by quiet hours
    on_unknown: OnUnknown | None = None  #: these three: None is as the project says
    unknown_after: timedelta | None = None
    valid_for: timedelta | None = None


class CallUrl(msgspec.Struct, frozen=True, kw_only=True, tag="http", omit_defaults=True):
    """One HTTP call. `content` is the body to send as is; the headers carry its Content-Type."""

    id: str
    method: str
    url: str
    headers: dict[str, str] = {}
    query: list[tuple[str, str]] = []
    content: str | None = None
    basic_auth: tuple[str, str] | None = None
    expect: tuple[str, ...] = ("2xx",)
    follow_redirects: bool = False
    max_bytes: int = 1_048_576
    parse: Literal["auto", "json", "csv", "text"] = "auto"
    timeout: timedelta = timedelta(seconds=30)  #: of one attempt, from the first byte sent to the last received
    retry: Retry | None = None
    on_unknown: OnUnknownCall | None = None  #: as the step says


QuestionKind = Literal["message", "cancel", "senders", "opt_out", "opt_in"]


class AskProvider(msgspec.Struct, frozen=True, kw_only=True, tag="ask", omit_defaults=True):
    """A question to the provider, or a wish that may be repeated without harm. It waits for the account's throttle.

    subject: the message's id for `message` and `cancel`, the number in E.164 for `opt_out` and `opt_in`.
    expires_after: give up when there is no answer within this time, the wait for the throttle included.
    """

    id: str
    account: str
    what: QuestionKind
    subject: str = ""
    retry: Retry | None = None
    expires_after: timedelta | None = None


class Sleep(msgspec.Struct, frozen=True, kw_only=True, tag="sleep", omit_defaults=True):
    """Wake the run at this time, never before."""

    id: str
    until: datetime


class AwaitReply(msgspec.Struct, frozen=True, kw_only=True, tag="await_reply", omit_defaults=True):
    """An open wait for a message of `contact` to `our_number` (None: any of ours).

    messages: ids of the messages that an answer may name. The wait runs out at `until`, or `timeout` after the send
    `after` (a command's id of this run) has gone out.
    """

    id: str
    account: str
    contact: str
    our_number: str | None = None
    messages: tuple[str, ...] = ()
    until: datetime | None = None
    after: str | None = None
    timeout: timedelta | None = None


class AwaitReceipt(msgspec.Struct, frozen=True, kw_only=True, tag="await_receipt", omit_defaults=True):
    """An open wait for a receipt of this message with one of these statuses; one that came before counts."""

    id: str
    account: str
    message_id: str
    statuses: tuple[str, ...]
    until: datetime


class StartRun(msgspec.Struct, frozen=True, kw_only=True, tag="start", omit_defaults=True):
    """Begin a run of another flow. wait: this run goes on when that one has ended."""

    id: str
    flow: str
    inputs: dict[str, Any] = {}
    contact: str | None = None
    wait: bool = True


class KeepContact(msgspec.Struct, frozen=True, kw_only=True, tag="remember", omit_defaults=True):
    """Keep these with the contact; None forgets a name. Needs no outcome: stored with the run's new state."""

    id: str
    number: str
    values: dict[str, Any]


class LogLine(msgspec.Struct, frozen=True, kw_only=True, tag="log", omit_defaults=True):
    """A line for the daemon's log. Needs no outcome: the run has already gone on."""

    id: str
    text: str


#: Commands whose outcome the run waits for, and the log line, which it does not wait for.
Command = SendMessage | CallUrl | AskProvider | Sleep | AwaitReply | AwaitReceipt | StartRun | KeepContact | LogLine


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag="sent", omit_defaults=True):
    """The provider accepted the message; `message` has its answer's fields (`message_id`, `status`, …)."""

    command: str
    message: dict[str, Any]


class Skipped(msgspec.Struct, frozen=True, kw_only=True, tag="skipped", omit_defaults=True):
    """Not sent, on purpose: policy refused it or the recipient is no number. Does not fail the step."""

    command: str
    to: str
    reason: str


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag="answered", omit_defaults=True):
    """The URL answered with a status that the step expects. `json` is the parsed body, None when it is not JSON."""

    command: str
    status: int
    headers: dict[str, str]  #: lower-case names
    text: str
    json: Any = None
    rows: tuple[dict[str, str], ...] | None = None  #: of a CSV body that was asked for, by column name
    duration_s: float = 0.0


class Told(msgspec.Struct, frozen=True, kw_only=True, tag="told", omit_defaults=True):
    """The provider answered an `AskProvider`; `data` is the step's output."""

    command: str
    data: dict[str, Any]


class Woken(msgspec.Struct, frozen=True, kw_only=True, tag="woken", omit_defaults=True):
    """The time of a `Sleep` has come, or a wait has run out."""

    command: str


class Replied(msgspec.Struct, frozen=True, kw_only=True, tag="replied", omit_defaults=True):
    """A message for an open wait: its event, the category that it fits (None: none of them) and what that captured."""

    command: str
    event: int
    fields: dict[str, Any]
    category: str | None = None
    match: dict[str, Any] = {}


class ReceiptCame(msgspec.Struct, frozen=True, kw_only=True, tag="receipt", omit_defaults=True):
    """The receipt that a wait was for, with its event's fields."""

    command: str
    fields: dict[str, Any]


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, tag="ended", omit_defaults=True):
    """The run that a `StartRun` began: its id, and, where it was waited for, how it ended and what it gave."""

    command: str
    run: int
    status: str = "running"
    reason: str | None = None
    outputs: dict[str, Any] = {}


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", omit_defaults=True):
    """The command failed for good: not to be retried, or retries used up.

    kind: `timeout` `connection` `status` `refused` (400 of the provider) `unknown` `outbound` (address not allowed)
    `too_large` `parse` `expired` `secret`.
    """

    command: str
    kind: str
    message: str  #: one clear sentence
    status: int | None = None  #: HTTP status where there was one
    to: str | None = None  #: recipient, for a send
    is_unknown: bool = False  #: whether the other side may have acted on it all the same


Outcome = Sent | Skipped | Answered | Told | Woken | Replied | ReceiptCame | RunEnded | Failed


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the performing of a command has come; kept with the run so that retries survive a restart."""

    number: int = 1  #: attempts begun, from 1
    due: datetime | None = None  #: when the next attempt may begin; None: at once, or under way
    held: str | None = None  #: why it waits for a person: nobody knows what came of it
