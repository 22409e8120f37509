"""The bodies that the simulated Sinch pushes: as our webhook templates render (sinch-api.md 9.3), absent values as
`""`, and in the fixed shape of per-message callbacks (section 8), absent members left out."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from sinchflow.simulate.message import Message

ACCOUNT = "SimulatedAccount"
_VENDOR = {"vendor_id": "SimulatedSinch", "account_id": ACCOUNT}


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


class Report(msgspec.Struct, gc=False):
    """One change of a message's status."""

    delivery_report_id: str
    message: Message
    status: str
    status_code: str
    submitted_date: str
    date_received: str


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
            metadata=_pairs(message),
        )
    )


def callback_reply_body(reply: Reply, message: Message) -> bytes:
    """The reply as it is pushed to the `callback_url` of the message that it answers."""
    body: dict[str, object] = {
        "callback_url": message.callback_url,
        "source_number": reply.source,
        "message_id": message.message_id,
        "date_received": reply.date_received,
        "metadata": message.metadata or {},
        "reply_id": reply.reply_id,
        "vendor_account_id": _VENDOR,
        "content": reply.content,
    }
    if message.source_number is not None:
        body["destination_number"] = reply.destination
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


def callback_report_body(report: Report) -> bytes:
    """The report as it is pushed to its message's `callback_url`."""
    message = report.message
    return _encode(
        {
            "callback_url": message.callback_url,
            "delivery_report_id": report.delivery_report_id,
            "source_number": message.destination_number,
            "date_received": report.date_received,
            "status": report.status,
            "delay": 0,
            "submitted_date": report.submitted_date,
            "original_text": message.content,
            "message_id": message.message_id,
            "vendor_account_id": _VENDOR,
            "error_code": report.status_code,
            "metadata": message.metadata or {},
        }
    )


def _pairs(message: Message | None) -> Sequence[_Pair]:
    if message is None or not message.metadata:
        return ()
    return [_Pair(key, value) for key, value in message.metadata.items()]
