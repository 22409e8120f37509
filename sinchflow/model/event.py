"""What happened: one inbound message, one receipt, one opt-out, one manual start."""

from datetime import datetime
from typing import Any, Literal

import msgspec

EventKind = Literal["inbound_sms", "delivery_receipt", "opt_out", "schedule", "webhook", "manual"]

#: The listed fields of each kind of event: they always exist in templates, None when absent (design.md section 3).
EVENT_FIELDS: dict[str, tuple[str, ...]] = {
    "inbound_sms": (
        "message_id", "reply_id", "status", "source_address", "destination_address", "content", "type",
        "status_code", "submitted_date", "date_received", "attachments", "metadata",
    ),
    "delivery_receipt": (
        "message_id", "delivery_report_id", "status", "status_code", "source_address", "destination_address",
        "content", "type", "submitted_date", "date_received", "attachments", "metadata",
    ),
    "opt_out": ("notification_id", "source_address", "destination_address", "content", "date_received"),
    "schedule": ("scheduled_at",),
    "webhook": ("method", "path", "query", "headers", "json", "form", "body"),
    "manual": (),
}  # fmt: skip

#: Begin and end of a reference to a secret inside a rendered text (Unicode noncharacters, never valid in interchange).
#: `clean_text` takes them out of whatever comes from outside, so that only a template can make a reference.
SECRET_BEGIN = "\ufdd0"
SECRET_END = "\ufdd1"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event as stored.

    id: integer key in the journal, ascending in order of acceptance.
    key: identifies repeats within account and kind: the provider's id, or a hash of the body where there is none.
    contact: the customer's number (E.164) whom the event is about; our_number: our side. None where there is none.
    fields: the connector's names (`EVENT_FIELDS`), all present, None when missing; `metadata` is a mapping. Empty: the
    contents are no longer kept (`retention.events`), nor contact and number.
    ignored: why the event starts nothing and is only kept (it was fetched too late); None for all others.
    """

    id: int
    kind: EventKind
    key: str
    received_at: datetime
    account: str = "default"
    contact: str | None = None
    our_number: str | None = None
    fields: dict[str, Any] = {}
    ignored: str | None = None


def as_opt_out(event: Event) -> Event:
    """An inbound message that means an opt-out, as that."""
    known = {name: event.fields.get(name) for name in EVENT_FIELDS["opt_out"]}
    return msgspec.structs.replace(event, kind="opt_out", fields=known)


def clean_text(text: str) -> str:
    """The text without the characters that mark a secret reference; they become U+FFFD."""
    if SECRET_BEGIN in text or SECRET_END in text:
        return text.replace(SECRET_BEGIN, "\ufffd").replace(SECRET_END, "\ufffd")
    return text


def clean_data(data: Any) -> Any:
    """JSON-like data with `clean_text` applied to every text and key."""
    match data:
        case str():
            return clean_text(data)
        case list():
            return [clean_data(item) for item in data]
        case dict():
            return {clean_text(str(key)): clean_data(value) for key, value in data.items()}
        case _:
            return data
