"""Replies and reports in the shapes that the simulated Sinch gives them, without a template: as our webhook templates
render (sinch-api.md 9.3), absent values as `""`, for the fast path of benchmarks; in the fixed shape of per-message
callbacks (section 8) and as polling shows them (4, 5), absent members left out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from sinchflow.simulate.message import Message

ACCOUNT = "SimulatedAccount"
VENDOR = "SimulatedSinch"


class Attachment(msgspec.Struct, gc=False):
    """One part of an inbound MMS; the content is base64."""

    attachment_type: str
    attachment_content: str
    attachment_name: str


class _Pair(msgspec.Struct, gc=False):
    metadata_key: str
    metadata_value: str


class _Inbound(msgspec.Struct, gc=False):
    event: str = "received"
    message_id: str = ""
    reply_id: str = ""
    status: str = ""
    status_code: str = ""
    source_address: str = ""
    destination_address: str = ""
    content: str = ""
    original_content: str = ""
    type: str = "SMS"
    submitted_date: str = ""
    date_received: str = ""
    account_id: str = ACCOUNT
    retry_count: str = "0"
    attachments: Sequence[Attachment] = ()
    metadata: Sequence[_Pair] = ()


class _Receipt(msgspec.Struct, gc=False):
    event: str = "delivery_report"
    message_id: str = ""
    delivery_report_id: str = ""
    status: str = ""
    status_code: str = ""
    source_address: str = ""
    destination_address: str = ""
    content: str = ""
    type: str = "SMS"
    submitted_date: str = ""
    date_received: str = ""
    account_id: str = ACCOUNT
    billing_units: str = ""
    retry_count: str = "0"
    attachments: Sequence[Attachment] = ()
    metadata: Sequence[_Pair] = ()


class Reply(msgspec.Struct, gc=False):
    """A customer's text: `answers` is the message of ours that it is matched to."""

    reply_id: str
    source: str
    destination: str
    content: str
    date_received: str
    answers: Message | None = None
    attachments: Sequence[Attachment] = ()
    is_opt_out: bool = False
    at: float = 0.0  #: `date_received` to the microsecond, in seconds since the epoch


class OptOut(msgspec.Struct, gc=False):
    """The notification that a customer's text opted them out."""

    notification_id: str
    reply: Reply


class Report(msgspec.Struct, gc=False):
    """One change of a message's status."""

    delivery_report_id: str
    message: Message
    status: str
    status_code: str
    submitted_date: str
    date_received: str
    billing_units: int | None = None  #: only with the account's switch for it


_encode = msgspec.json.Encoder().encode


def written(time: datetime) -> str:
    """The provider's spelling of a time: `2026-08-18T03:43:24.000Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def inbound_body(reply: Reply) -> bytes:
    """The reply as our `mo` template renders it."""
    answers = reply.answers
    return _encode(
        _Inbound(
            message_id=(answers and answers.message_id) or "",
            reply_id=reply.reply_id,
            source_address=reply.source,
            destination_address=reply.destination,
            content=reply.content,
            original_content=answers.content if answers else "",
            type="MMS" if reply.attachments else "SMS",
            submitted_date=reply.date_received,
            date_received=reply.date_received,
            attachments=reply.attachments,
            metadata=_pairs(answers),
        )
    )


def receipt_body(report: Report) -> bytes:
    """The report as our `dr` template renders it. The addresses are turned round: the source is the handset."""
    message = report.message
    return _encode(
        _Receipt(
            message_id=message.message_id or "",
            delivery_report_id=report.delivery_report_id,
            status=report.status,
            status_code=report.status_code,
            source_address=message.destination_number,
            content=message.content,
            type=message.format or "SMS",
            submitted_date=report.submitted_date,
            date_received=report.date_received,
            billing_units="" if report.billing_units is None else str(report.billing_units),
            metadata=_pairs(message),
        )
    )


def callback_reply_body(reply: Reply, message: Message, account: str = ACCOUNT) -> bytes:
    """The reply as it is pushed to the `callback_url` of the message that it answers."""
    body = polled_reply(reply, account) | {"content": reply.content, "metadata": message.metadata or {}}
    if reply.attachments:
        body["attachments"] = [
            {
                "content_type": one.attachment_type,
                "content": one.attachment_content,
                "original_name": one.attachment_name,
            }
            for one in reply.attachments
        ]
    return _encode(body)


def callback_report_body(report: Report, account: str = ACCOUNT) -> bytes:
    """The report as it is pushed to its message's `callback_url`."""
    return _encode(polled_report(report, account) | {"error_code": report.status_code})


def polled_reply(reply: Reply, account: str) -> dict[str, Any]:
    """The reply as /v1/replies shows it (section 4): no attachments, and not the number of a message without one."""
    message = reply.answers
    body = {
        "callback_url": message and message.callback_url,
        "content": reply.content or None,
        "date_received": reply.date_received,
        "destination_number": None if message is not None and message.source_number is None else reply.destination,
        "message_id": message and message.message_id,
        "metadata": message and message.metadata,
        "reply_id": reply.reply_id,
        "source_number": reply.source,
        "vendor_account_id": {"vendor_id": VENDOR, "account_id": account},
    }
    return {name: value for name, value in body.items() if value is not None}


def polled_report(report: Report, account: str) -> dict[str, Any]:
    """The report as /v1/delivery_reports shows it (section 5): without the status code."""
    message = report.message
    body = {
        "callback_url": message.callback_url,
        "delivery_report_id": report.delivery_report_id,
        "source_number": message.destination_number,
        "date_received": report.date_received,
        "status": report.status,
        "delay": 0,
        "billing_units": report.billing_units,
        "submitted_date": report.submitted_date,
        "original_text": message.content,
        "message_id": message.message_id,
        "vendor_account_id": {"vendor_id": VENDOR, "account_id": account},
        "metadata": message.metadata or {},
    }
    return {name: value for name, value in body.items() if value is not None}


def _pairs(message: Message | None) -> Sequence[_Pair]:
    if message is None or not message.metadata:
        return ()
    return [_Pair(key, value) for key, value in message.metadata.items()]
