"""What a flow is once it has been read: triggers, filters, steps and actions.

A `Flow` is built from one YAML document by `language.build` and never stored: the journal keeps the document's
source by digest, and a run is pinned to that digest. Templates stay text here; `expression` compiles them lazily.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from sinchflow.model.origin import Origin


class Text(msgspec.Struct, frozen=True):
    """A text of the user's, perhaps with `{{ holes }}`; `origin` is where the scalar begins in the file."""

    source: str
    origin: Origin

    @property
    def is_template(self) -> bool:
        """Whether rendering can give anything but `source` itself."""
        return "{{" in self.source or "{%" in self.source or "{#" in self.source


class Wording(msgspec.Struct, frozen=True):
    """One text in several languages; `by_language` is keyed by lower-case BCP 47 tags, in the order of the file."""

    by_language: dict[str, Text]
    origin: Origin


#: A text for people: in one language, or in several.
Words = Text | Wording


class Condition(msgspec.Struct, frozen=True):
    """A bare expression (`if:`), without braces."""

    source: str
    origin: Origin


#: JSON-like data whose texts may be templates: `json:`, `vars:`, `set:`, `metadata:`.
Value = None | bool | int | float | Text | tuple["Value", ...] | dict[str, "Value"]


# --- triggers -------------------------------------------------------------------------------------------------------


class ListName(msgspec.Struct, frozen=True):
    """`{list: NAME}` in a filter: any number of one of the project's lists."""

    name: str


#: A number, a glob (`+614*`), or a list of numbers.
NumberFilter = str | ListName


class InboundSms(msgspec.Struct, frozen=True, kw_only=True):
    """Someone texted us. A filter is a tuple of alternatives, empty when not given; several filters mean all of."""

    origin: Origin
    keyword: tuple[str, ...] = ()  #: the first word
    exact: tuple[str, ...] = ()  #: the whole message
    contains: tuple[str, ...] = ()  #: whole words or phrases, in order
    starts_with: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()  #: RE2, searched; named groups go to `match`
    from_: tuple[NumberFilter, ...] = ()  #: numbers or globs (`+614*`), of the customer
    to: tuple[NumberFilter, ...] = ()  #: numbers or globs, ours
    type: tuple[str, ...] = ()  #: SMS, MMS, …
    metadata: Mapping[str, tuple[NumberFilter, ...]] = {}  #: values, globs, or a list whose numbers are meant

    @property
    def has_text_filter(self) -> bool:
        """Whether the message's text decides (routing tries these flows before those that take any text)."""
        return bool(self.keyword or self.exact or self.contains or self.starts_with or self.regex)


class DeliveryReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The provider reports what became of a message. Filters as in `InboundSms`."""

    origin: Origin
    status: tuple[str, ...] = ()
    status_code: tuple[str, ...] = ()
    from_: tuple[NumberFilter, ...] = ()  #: our number
    to: tuple[NumberFilter, ...] = ()  #: the recipient's number
    metadata: Mapping[str, tuple[NumberFilter, ...]] = {}
    flow: tuple[str, ...] = ()  #: names of flows of ours, one of which sent the message


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """Someone asked the provider for no more messages. Filters as in `InboundSms`."""

    origin: Origin
    from_: tuple[NumberFilter, ...] = ()  #: the customer's number
    to: tuple[NumberFilter, ...] = ()  #: our number


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Time itself: `cron` (in `timezone`, else the project's) or `every` (counted from midnight UTC 1970).

    missed: what happens to ticks that passed while no daemon ran: `once` for all of them together, or `skip`.
    """

    origin: Origin
    cron: str | None = None
    timezone: str | None = None
    every: timedelta | None = None
    missed: Literal["once", "skip"] = "once"


class Hmac(msgspec.Struct, frozen=True, kw_only=True):
    """The body's signature in a header: hex or base64 of an HMAC over the raw body, perhaps after `sha256=`."""

    secret: Text
    header: str = "X-Signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody calls `/flows/PATH` on the webhook port. Without `token` and `hmac` anybody may."""

    origin: Origin
    path: str  #: with its leading slash
    method: tuple[str, ...] = ("POST",)
    token: Text | None = None  #: in the header `X-Token`
    hmac: Hmac | None = None
    dedupe: Text | None = None  #: calls for which it renders alike are one


class Manual(msgspec.Struct, frozen=True, kw_only=True):
    """Started by a person or a program: `sinchflow start FLOW` or the admin API."""

    origin: Origin


Trigger = InboundSms | DeliveryReceipt | OptOut | Schedule | Webhook | Manual


# --- actions --------------------------------------------------------------------------------------------------------


#: What to do with a message when nobody knows whether it went out: look it up; leave it to a person; send it again,
#: perhaps twice; go on without it, perhaps unsent.
OnUnknown = Literal["check", "hold", "resend", "skip"]
#: The same for an `http` call; nobody can look it up.
OnUnknownCall = Literal["hold", "resend", "skip"]


class SendSms(msgspec.Struct, frozen=True, kw_only=True):
    """`send_sms` and `reply`. Field names and limits are those of the provider's POST /v1/messages."""

    to: tuple[Text, ...] | None  #: None is `reply`: the run's contact, from the number that was texted
    message: Words
    source_number: Text | None = None
    source_number_type: Literal["INTERNATIONAL", "ALPHANUMERIC", "SHORTCODE"] | None = None
    delivery_report: bool = True  #: the connector's default; the API's own is false
    callback_url: Text | None = None
    metadata: dict[str, Text] = {}
    format: Literal["SMS", "MMS", "TTS"] = "SMS"
    media: tuple[Text, ...] = ()
    subject: Text | None = None
    scheduled: Text | None = None
    message_expiry_timestamp: Text | None = None
    account: str | None = None  #: through which of the project's accounts; None: the run's
    urgent: bool = False  #: not held by quiet hours
    on_unknown: "OnUnknown | None" = None  #: what to do when nobody knows whether it went out; None: the project's
    unknown_after: timedelta | None = None  #: how long that is looked up; None: the project's
    valid_for: timedelta | None = None  #: not sent later than this after it was asked for; None: the project's


class GetMessageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the provider for a message and what has become of it."""

    message_id: Text
    account: str | None = None


class GetSenderIds(msgspec.Struct, frozen=True, kw_only=True):
    """Ask the provider for the numbers and names that the account may send from."""

    account: str | None = None


class CancelMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Take back a message that is scheduled for later."""

    message_id: Text
    account: str | None = None


class SetOptOut(msgspec.Struct, frozen=True, kw_only=True):
    """`opt_out` and `opt_in`: put a number on the provider's list of opted-out numbers, or take it off."""

    is_opted_out: bool
    number: Text | None = None  #: None: the run's contact
    account: str | None = None


class Http(msgspec.Struct, frozen=True, kw_only=True):
    """Call a URL. At most one of `json`, `form`, `body` is given."""

    method: str
    url: Text
    headers: dict[str, Text] = {}
    query: dict[str, Value] = {}
    json: Value = None
    has_json: bool = False  #: `json: null` is a body too
    form: dict[str, Value] | None = None
    body: Text | None = None
    auth: "BasicAuth | BearerAuth | None" = None
    expect: tuple[str, ...] = ("2xx",)  #: status codes or classes (`2xx`) that mean success
    follow_redirects: bool = False
    max_bytes: int = 1_048_576  #: of the answer's body; more fails the step
    parse: Literal["auto", "json", "csv", "text"] = "auto"  #: auto: by the answer's Content-Type
    idempotency_key: Text | None = None  #: sent as the header `Idempotency-Key`
    on_unknown: "OnUnknownCall | None" = None  #: None: by method and key


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP Basic, RFC 7617."""

    username: Text
    password: Text


class BearerAuth(msgspec.Struct, frozen=True, kw_only=True):
    """`Authorization: Bearer`, RFC 6750."""

    bearer: Text


class SetVars(msgspec.Struct, frozen=True, kw_only=True):
    """Assign to `vars`, in order; a later entry sees the earlier ones."""

    values: dict[str, Value]


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of `choose`; `condition` None is `else`."""

    condition: Condition | None
    steps: tuple["Step", ...]


class Choose(msgspec.Struct, frozen=True, kw_only=True):
    """The first branch whose condition holds runs."""

    branches: tuple[Branch, ...]


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """A line in the daemon's log and the run's trace."""

    text: Text


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """End the run well; the text is the reason shown."""

    text: Text


class Fail(msgspec.Struct, frozen=True, kw_only=True):
    """End the run as failed; the text is the error's message. Not retried and not caught by its own `on_error`."""

    text: Text


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of answer, by the same filters as `inbound_sms`, and `answer`: sets (`yes`, `no`) or whole messages."""

    name: str
    filters: InboundSms
    answer: tuple[str, ...] = ()


class Otherwise(msgspec.Struct, frozen=True, kw_only=True):
    """What is said to an answer that fits no category, and how often before the wait gives up with `other`."""

    reply: Words
    attempts: int = 2


class WaitForReply(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for the next message of the contact (or of `from_`). Without categories any message is an answer."""

    timeout: timedelta
    from_: Text | None = None
    categories: tuple[Category, ...] = ()
    otherwise: Otherwise | None = None


class WaitForReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for a receipt of a message with one of these statuses (none given: one that is final)."""

    message_id: Text
    status: tuple[str, ...] = ()
    timeout: timedelta


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """Wait for a while, or `until` a time, `before` or `after` it by so much."""

    duration: timedelta | None = None
    until: Text | None = None
    before: timedelta = timedelta()
    after: timedelta = timedelta()
    if_past: Literal["continue", "skip", "stop"] = "continue"  #: `skip`: the next step too


class Remember(msgspec.Struct, frozen=True, kw_only=True):
    """Keep with the contact, across runs; a value of null forgets the name."""

    values: dict[str, Value]


class ForEach(msgspec.Struct, frozen=True, kw_only=True):
    """The steps once for each item, in order, up to `parallel` at a time; `until` is asked after each."""

    items: Value
    as_: str
    steps: tuple["Step", ...]
    parallel: int = 1
    until: Condition | None = None
    on_item_error: Literal["stop", "continue"] = "stop"


class Parallel(msgspec.Struct, frozen=True, kw_only=True):
    """All branches at once; goes on when all have ended."""

    branches: tuple[tuple["Step", ...], ...]


class RunFlow(msgspec.Struct, frozen=True, kw_only=True):
    """Another flow, which must be `on: manual`. wait: until it has ended, for its outputs."""

    flow: str
    inputs: dict[str, Value] = {}
    wait: bool = True


Action = (
    SendSms | GetMessageStatus | GetSenderIds | CancelMessage | SetOptOut | Http | SetVars | Choose | Log | Stop | Fail
    | WaitForReply | WaitForReceipt | Delay | Remember | ForEach | Parallel | RunFlow
)  # fmt: skip


# --- steps and flows ------------------------------------------------------------------------------------------------


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often and when an action is tried again; `attempts` counts the first try too."""

    attempts: int = 3
    delay: timedelta = timedelta(seconds=5)
    backoff: Literal["constant", "linear", "exponential"] = "exponential"
    max_delay: timedelta = timedelta(minutes=10)
    #: `timeout`, `connection`, a status (`429`) or a class (`5xx`)
    when: tuple[str, ...] = ("timeout", "connection", "429", "5xx")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step.

    address: where it stands in the flow, stable for one digest: `3`, `3.choose.0.1` (second step of the first branch),
    `3.on_error.0`. Command ids derive from it.
    """

    address: str
    origin: Origin
    action: Action
    id: str | None = None
    name: str | None = None
    condition: Condition | None = None
    timeout: timedelta | None = None  #: of one attempt; for a send: how long it may wait before it is given up
    retry: Retry | None = None
    on_error: tuple["Step", ...] | Literal["continue"] | None = None


InputType = Literal["string", "number", "integer", "boolean", "phone", "datetime", "list", "mapping"]


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a run is begun with. `value`: taken from the event; `default`: when there is none."""

    type: InputType = "string"
    value: Value = None
    has_value: bool = False
    default: Value = None
    is_required: bool = True  #: false when a default is written, be it null


class Concurrency(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a match while runs of the flow with the same key are open.

    key: what counts as the same; None: the contact, where there is one. single: no second one; restart: the old one is
    cancelled; queued: one after the other, `max` in all; parallel: `max` at once, no more.
    """

    mode: Literal["single", "restart", "queued", "parallel"]
    key: Text | None = None
    max: int = 10


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max` runs of the flow per contact and account within `per`."""

    max: int
    per: timedelta
    otherwise: tuple["Step", ...] = ()  #: steps of a run of its own instead, itself once per contact and `per`


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One flow. `digest` names the exact document (hex) that it was built from."""

    name: str
    digest: str
    origin: Origin
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    description: str | None = None
    enabled: bool = True
    priority: int = 0  #: high first, then by name
    goes_on: bool = False  #: `continue: true`: a match does not keep the message from later flows
    vars: dict[str, Value] = {}
    contact: Text | None = None
    #: events of this account only, and its sends go through it; None: events of any, sends through the event's own
    account: str | None = None
    condition: Condition | None = None
    throttle: Throttle | None = None
    inputs: dict[str, Input] = {}
    outputs: dict[str, Value] = {}
    concurrency: Concurrency | None = None
    timeout: timedelta | None = None  #: of a whole run; then its `on_error` has its turn
    on_error: tuple[Step, ...] = ()
    on_change: Literal["finish", "cancel"] = "finish"  #: what becomes of open runs when the document changes or goes
