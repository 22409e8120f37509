"""What a flow is once it has been read: triggers, filters, steps and actions.

A `Flow` is built from one YAML document by `language.build` and never stored: the journal keeps the document's
source by digest, and a run is pinned to that digest. Templates stay text here; `expression` compiles them lazily.
"""

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


class Condition(msgspec.Struct, frozen=True):
    """A bare expression (`if:`), without braces."""

    source: str
    origin: Origin


#: JSON-like data whose texts may be templates: `json:`, `vars:`, `set:`, `metadata:`.
Value = None | bool | int | float | Text | tuple["Value", ...] | dict[str, "Value"]


# --- triggers -------------------------------------------------------------------------------------------------------


class InboundSms(msgspec.Struct, frozen=True, kw_only=True):
    """Someone texted us. A filter is a tuple of alternatives, empty when not given; several filters mean all of."""

    origin: Origin
    keyword: tuple[str, ...] = ()  #: the first word
    exact: tuple[str, ...] = ()  #: the whole message
    contains: tuple[str, ...] = ()  #: whole words or phrases, in order
    starts_with: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()  #: RE2, searched; named groups go to `match`
    from_: tuple[str, ...] = ()  #: numbers or globs (`+614*`), of the customer
    to: tuple[str, ...] = ()  #: numbers or globs, ours
    type: tuple[str, ...] = ()  #: SMS, MMS, …
    metadata: dict[str, tuple[str, ...]] = {}

    @property
    def has_text_filter(self) -> bool:
        """Whether the message's text decides (routing tries these flows before those that take any text)."""
        return bool(self.keyword or self.exact or self.contains or self.starts_with or self.regex)


class DeliveryReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """The provider reports what became of a message. Filters as in `InboundSms`."""

    origin: Origin
    status: tuple[str, ...] = ()
    status_code: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()  #: our number
    to: tuple[str, ...] = ()  #: the recipient's number
    metadata: dict[str, tuple[str, ...]] = {}
    flow: tuple[str, ...] = ()  #: names of flows of ours, one of which sent the message


class OptOut(msgspec.Struct, frozen=True, kw_only=True):
    """Someone asked the provider for no more messages. Filters as in `InboundSms`."""

    origin: Origin
    from_: tuple[str, ...] = ()  #: the customer's number
    to: tuple[str, ...] = ()  #: our number


class Manual(msgspec.Struct, frozen=True, kw_only=True):
    """Started by a person or a program: `sinchflow start FLOW` or the admin API."""

    origin: Origin


Trigger = InboundSms | DeliveryReceipt | OptOut | Manual


# --- actions --------------------------------------------------------------------------------------------------------


class SendSms(msgspec.Struct, frozen=True, kw_only=True):
    """`send_sms` and `reply`. Field names and limits are those of the provider's POST /v1/messages."""

    to: tuple[Text, ...] | None  #: None is `reply`: the run's contact, from the number that was texted
    message: Text
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
    parse: Literal["auto", "json", "text"] = "auto"  #: auto: by the answer's Content-Type


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


Action = (
    SendSms | GetMessageStatus | GetSenderIds | CancelMessage | SetOptOut | Http | SetVars | Choose | Log | Stop | Fail
)


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


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max` runs of the flow per contact and account within `per`."""

    max: int
    per: timedelta


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
