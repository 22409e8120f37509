"""Which variables a webhook's template has, by the kind of event (sinch-api.md 9.1). Where the table says "?", or
nothing, the variable is undefined: a template that needs it shows so."""

from typing import Any

from sinchflow.simulate.bodies import VENDOR, OptOut, Reply, Report
from sinchflow.simulate.message import Message
from sinchflow.simulate.velocity import Metadata


def report_variables(report: Report, account: str, retry_count: int) -> dict[str, Any]:
    """Of the six `*_DR` events."""
    message = report.message
    found = {
        **_of_message(message, account),
        "drId": report.delivery_report_id,
        "reportId": report.delivery_report_id,
        "vendorId": VENDOR,
        "format": message.format or "SMS",
        "type": message.format or "SMS",
        "status": report.status,
        "statusCode": report.status_code,
        "sourceAddress": message.destination_number,
        "submittedTimestamp": report.submitted_date,
        "receivedTimestamp": report.date_received,
        "mtContent": message.content,
        "messageContent": message.content,
        "retryCount": str(retry_count),
    }
    if report.billing_units is not None:
        found["billingUnits"] = str(report.billing_units)
    return found


def reply_variables(reply: Reply, account: str, retry_count: int) -> dict[str, Any]:
    """Of RECEIVED_SMS, and with attachments of RECEIVED_MMS."""
    format_ = "MMS" if reply.attachments else "SMS"
    found = {
        **_of_message(reply.answers, account),
        "moId": reply.reply_id,
        "replyId": reply.reply_id,
        "format": format_,
        "type": format_,
        "sourceAddress": reply.source,
        "destinationAddress": reply.destination,
        "submittedTimestamp": reply.date_received,
        "receivedTimestamp": reply.date_received,
        "moContent": reply.content,
        "replyContent": reply.content,
        "retryCount": str(retry_count),
    }
    if reply.answers is not None:
        found["mtContent"] = found["messageContent"] = reply.answers.content
    if reply.attachments:
        found["attachments"] = [
            {"contentType": one.attachment_type, "base64": one.attachment_content, "originalName": one.attachment_name}
            for one in reply.attachments
        ]
    return found


def opt_out_variables(notice: OptOut, account: str, retry_count: int) -> dict[str, Any]:
    """Of OPT_OUT_SMS, which has neither a reply's id nor a retry count."""
    del retry_count
    reply = notice.reply
    return {
        **_of_message(reply.answers, account),
        "notificationId": notice.notification_id,
        "sourceAddress": reply.source,
        "destinationAddress": reply.destination,
        "receivedTimestamp": reply.date_received,
        "moContent": reply.content,
    }


def _of_message(message: Message | None, account: str) -> dict[str, Any]:
    """What every kind has; ids of the original message are there only when there is one."""
    found: dict[str, Any] = {"accountId": account, "metadata": Metadata((message and message.metadata) or {})}
    if message is not None:
        found["messageId"] = found["mtId"] = message.message_id
    return found
