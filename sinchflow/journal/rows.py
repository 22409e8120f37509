"""Between the model and the journal's rows: what each column holds, both ways."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from sinchflow.model import codec
from sinchflow.model.contact import PSEUDONYM_MARK, Contact, Suppression
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send, SendSummary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

SEND_COLUMNS = "id, run, state, created_at, attempt, due, call, message_id, reason, data"
CONTACT_COLUMNS = "number, data, language, timezone, last_inbound_at, updated_at"
SUPPRESSION_COLUMNS = "number, since, source, reason"
SUMMARY_COLUMNS = "id, state, run, recipient, data, message_id, reason"


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC, rounded down."""
    return (time - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """The time that `to_ms` gave, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def event_key(event: Event) -> bytes:
    """What tells an event from every other: 16 bytes over account, kind and the provider's id."""
    identity = f"{event.account}\0{event.kind}\0{event.key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(identity, digest_size=16).digest()


def pseudonym(number: str, salt: bytes) -> str:
    """What stands for a forgotten number: the same for the same number, and of no use without the salt."""
    return PSEUDONYM_MARK + hashlib.blake2b(number.encode(), key=salt, digest_size=16).hexdigest()


def event_row(event: Event, key: bytes) -> tuple[Any, ...]:
    """`id, received_at, key, data`."""
    return event.id, to_ms(event.received_at), key, codec.encode(event).decode()


def run_row(run: Run) -> tuple[Any, ...]:
    """`id, flow, account, contact, started_at, status, data`; flow is what `throttle` counts the run under."""
    data = codec.encode(run).decode()
    return run.id, run.counts_as, run.account, run.contact, to_ms(run.started_at), run.status, data


def send_row(send: Send) -> tuple[Any, ...]:
    """A new send: `id, run, recipient, account, created_at, state, is_open, attempt, due, call, message_id, reason,
    data`."""
    command = send.command
    return (
        send.id, send.run, command.to, command.account, to_ms(send.created_at), send.state, send.is_open, send.attempt,
        to_ms(send.due) if send.due else None, send.call, send.message_id, send.reason,
        codec.encode(command).decode(),
    )  # fmt: skip


def send_update(send: Send) -> tuple[Any, ...]:
    """A send's id and what of it can change: `id, state, is_open, attempt, due, call, message_id, reason`."""
    due = to_ms(send.due) if send.due else None
    return send.id, send.state, send.is_open, send.attempt, due, send.call, send.message_id, send.reason


def send_from(row: Any) -> Send:
    """A send from `SEND_COLUMNS`."""
    send_id, run, state, created_at, attempt, due, call, message_id, reason, data = row
    return Send(
        id=send_id,
        run=run,
        command=codec.decode_send(data),
        state=state,
        created_at=from_ms(created_at),
        attempt=attempt,
        due=None if due is None else from_ms(due),
        call=call,
        message_id=message_id,
        reason=reason,
    )


def call_row(call: Call) -> tuple[Any, ...]:
    """`id, account, started_at`."""
    return call.id, call.account, to_ms(call.started_at)


def summary(row: Any) -> SendSummary:
    """A send as lists show it, from `SUMMARY_COLUMNS`."""
    send_id, state, run, to, data, message_id, reason = row
    content = str(codec.decode_send(data).body.get("content", ""))
    return SendSummary(id=send_id, state=state, run=run, to=to, message=content, message_id=message_id, reason=reason)


def contact_row(contact: Contact) -> tuple[Any, ...]:
    """`CONTACT_COLUMNS`."""
    inbound = contact.last_inbound_at
    return (
        contact.number, codec.encode_data(contact.values).decode() if contact.values else None, contact.language,
        contact.timezone, to_ms(inbound) if inbound else None, to_ms(contact.updated_at),
    )  # fmt: skip


def contact_from(row: Any) -> Contact:
    """A person from `CONTACT_COLUMNS`."""
    number, data, language, timezone, inbound, updated_at = row
    return Contact(
        number=number,
        updated_at=from_ms(updated_at),
        values=codec.decode_data(data) if data else {},
        language=language,
        timezone=timezone,
        last_inbound_at=None if inbound is None else from_ms(inbound),
    )


def suppression_row(suppression: Suppression) -> tuple[Any, ...]:
    """`SUPPRESSION_COLUMNS`."""
    return suppression.number, to_ms(suppression.since), suppression.source, suppression.reason


def suppression_from(row: Any) -> Suppression:
    """A suppression from `SUPPRESSION_COLUMNS`."""
    number, since, source, reason = row
    return Suppression(number=number, since=from_ms(since), source=source, reason=reason)
