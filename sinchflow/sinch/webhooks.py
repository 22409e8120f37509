"""The account's webhooks (sinch-api.md sections 6, 7 and 9): what is pushed to which address, in which shape.

`TEMPLATES` are Velocity, rendered by the provider at each push; our parser (`payload`) reads what they give. One
webhook per kind of event, because no variable tells the kind and an address can have only one.
"""

from typing import Any

import msgspec

from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed, ask
from sinchflow.sinch.target import path_part

KINDS = ("inbound", "receipts", "opt-outs")

EVENTS: dict[str, tuple[str, ...]] = {
    "inbound": ("RECEIVED_SMS", "RECEIVED_MMS"),
    "receipts": ("ENROUTE_DR", "SUBMITTED_DR", "DELIVERED_DR", "EXPIRED_DR", "REJECTED_DR", "FAILED_DR"),
    "opt-outs": ("OPT_OUT_SMS",),
}

_ADDRESSES = '"source_address":"$!esc.json($sourceAddress)","destination_address":"$!esc.json($destinationAddress)",'
_TYPE = '"type":"#if($format)$format#else$!type#end",'
_TIMES = '"submitted_date":"$!submittedTimestamp","date_received":"$!receivedTimestamp",'
_METADATA = (
    '"metadata":[#foreach($entry in $metadata.entrySet())'
    '{"metadata_key":"$!esc.json($entry.key)","metadata_value":"$!esc.json($entry.value)"}'
    "#if($foreach.hasNext),#end#end]}"
)
_ATTACHMENTS = (
    '"attachments":[#foreach($entry in $attachments)'
    '{"attachment_type":"$!esc.json($entry.contentType)","attachment_content":"$!entry.base64",'
    '"attachment_name":"$!esc.json($entry.originalName)"}#if($foreach.hasNext),#end#end],'
)
#: By kind, in one line (section 9.3). `$!` renders what is not there as nothing; `$!esc.json` makes text safe in JSON.
TEMPLATES: dict[str, str] = {
    "inbound": (
        '{"event":"received","message_id":"$!messageId","reply_id":"$!moId","status":"$!status",'
        f'"status_code":"$!statusCode",{_ADDRESSES}"content":"$!esc.json($moContent)",'
        f'"original_content":"$!esc.json($mtContent)",{_TYPE}{_TIMES}"account_id":"$!esc.json($accountId)",'
        f'"retry_count":"$!retryCount",{_ATTACHMENTS}{_METADATA}'
    ),
    "receipts": (
        '{"event":"delivery_report","message_id":"$!messageId","delivery_report_id":"$!drId","status":"$!status",'
        f'"status_code":"$!statusCode",{_ADDRESSES}"content":"$!esc.json($mtContent)",{_TYPE}{_TIMES}'
        '"account_id":"$!esc.json($accountId)","billing_units":"$!billingUnits","retry_count":"$!retryCount",'
        f'"attachments":[],{_METADATA}'
    ),
    "opt-outs": (
        '{"event":"opt_out","notification_id":"$!notificationId","message_id":"$!messageId",'
        f'{_ADDRESSES}"content":"$!esc.json($moContent)",{_TYPE}{_TIMES}"account_id":"$!esc.json($accountId)",'
        f'"retry_count":"$!retryCount",{_METADATA}'
    ),
}

_PATH = "/v1/webhooks/messages"
_PAGE_SIZE = 100
_MOST_PAGES = 1_000


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as the provider tells it; what it leaves out is None. read_timeout in ms, retry_delay in seconds."""

    id: str
    url: str
    method: str = "POST"
    encoding: str | None = None
    events: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    template: str | None = None
    read_timeout: int | None = None
    retries: int | None = None
    retry_delay: int | None = None


async def list_webhooks(calls: Calls) -> list[Webhook]:
    """All of the account, over all pages. Raises CallFailed."""
    found: dict[str, Webhook] = {}
    for page in range(_MOST_PAGES):
        answer = await ask(calls, "GET", f"{_PATH}?page={page}&page_size={_PAGE_SIZE}")
        entries = answer.get("pageData") if isinstance(answer, dict) else None
        if not isinstance(entries, list):  # taken for an empty list, it would have all of ours made anew
            raise CallFailed("the provider's answer is no list of webhooks; check base_url", "unknown")
        webhooks = [_webhook(entry) for entry in entries]
        is_news = any(webhook.id not in found for webhook in webhooks)
        found |= {webhook.id: webhook for webhook in webhooks}
        if len(webhooks) < _page_size(answer) or not is_news:
            break
    return list(found.values())


async def create_webhook(calls: Calls, definition: dict[str, Any]) -> Webhook:
    """Register one; `definition` has the provider's names. Raises CallFailed: 409 when url and method are taken."""
    return _webhook(await ask(calls, "POST", _PATH, definition, expect=(200, 201)))


async def update_webhook(calls: Calls, webhook_id: str, changes: dict[str, Any]) -> Webhook:
    """Change members of one; the timing members cannot be changed (section 6). Raises CallFailed."""
    return _webhook(await ask(calls, "PATCH", _target(webhook_id), changes))


async def delete_webhook(calls: Calls, webhook_id: str) -> None:
    """Delete one. Raises CallFailed: 404 when it is gone already."""
    await ask(calls, "DELETE", _target(webhook_id), expect=(200, 204), reads=False)


def _target(webhook_id: str) -> str:
    return f"{_PATH}/{path_part(webhook_id, 'id of a webhook')}"


def _page_size(answer: dict[str, Any]) -> int:
    told = answer.get("pageSize")
    return told if isinstance(told, int) and told > 0 else _PAGE_SIZE


def _webhook(entry: Any) -> Webhook:
    if isinstance(entry, dict):
        given = {name: value for name, value in entry.items() if value is not None}
        try:
            return msgspec.convert(given, Webhook, strict=False)
        except msgspec.ValidationError as error:
            raise CallFailed(f"the provider tells of a webhook that cannot be read: {error}", "unknown") from None
    raise CallFailed("the provider's answer is no webhook; check base_url", "unknown")
