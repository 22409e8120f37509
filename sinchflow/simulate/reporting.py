"""Detail reports: which messages were taken, by time, metadata and more (sinch-api.md section 13).

What the documents leave open is decided so: a message shows up a while after it was taken; `metadata_value` may be any
part of the value; a time with a zone or a `Z` means what it says, without one it is read in `timezone`, else in UTC;
the answer's times are in UTC. Replies carry the metadata of the message that they answer.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from sinchflow.simulate.account import Account
from sinchflow.simulate.bodies import Reply as Inbound
from sinchflow.simulate.call import Call, bad_request, not_allowed, not_found
from sinchflow.simulate.message import Message
from sinchflow.simulate.web import Reply

PATH = "/v2-preview/reporting/messages"
_DESCRIPTIONS = {"220": "Message delivered", "302": "Destination blocked", "330": "Gateway failure"}


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    start_date: str
    end_date: str
    timezone: str | None = None
    direction: Literal["inbound", "outbound", "all"] = "all"
    source: str | None = None
    sources: list[str] | None = None
    destination: str | None = None
    destinations: list[str] | None = None
    metadata_key: str | None = None
    metadata_value: str | None = None
    metadata_values: list[str] | None = None
    accounts: list[str] | None = None
    status: list[str] | None = None
    opt_out: bool | None = None
    mms_media: bool | None = None
    message_format: list[str] | None = None
    channels: list[str] | None = None
    page: Annotated[int, Meta(ge=0)] = 0
    page_size: Annotated[int, Meta(ge=1, le=100)] = 100


class _Row(msgspec.Struct, gc=False):
    """One message of either direction."""

    at: float
    direction: str
    source: str
    destination: str
    content: str
    format: str
    metadata: dict[str, str]
    account: str
    id: str
    status: str
    status_code: str | None = None
    changed: str | None = None
    answers: str | None = None
    has_media: bool = False
    is_opt_out: bool = False


def answer(call: Call, accounts: Iterable[Account], number: str, shown_to: float) -> Reply:
    """POST of `detail` and `metakeys`. accounts: those that the caller may see. shown_to: newer ones do not show."""
    name = call.path.removeprefix(f"{PATH}/")
    if name not in {"detail", "metakeys"}:
        return not_found()
    if call.method != "POST":
        return not_allowed(call)
    try:
        asked = msgspec.json.decode(call.body, type=_Request)
        zone = UTC if asked.timezone is None else ZoneInfo(asked.timezone)
        start, end = (_time(text, zone) for text in (asked.start_date, asked.end_date))
    except (ValueError, RecursionError, OSError, KeyError) as error:  # an unknown zone is a KeyError
        return bad_request(str(error))
    if asked.metadata_key is None and (asked.metadata_value is not None or asked.metadata_values is not None):
        return bad_request("/metadata_value: needs metadata_key")
    latest = min(end, shown_to)
    found = [
        row
        for account in accounts
        if asked.accounts is None or account.name in asked.accounts
        for row in _rows(account, number)
        if start <= row.at <= latest and all(test(row) for test in _tests(asked))
    ]
    found.sort(key=lambda row: row.at)
    first = asked.page * asked.page_size
    if name == "metakeys":
        keys = sorted({key for row in found for key in row.metadata})
        return Reply(200, {"keys": keys[first : first + asked.page_size]})
    page = found[first : first + asked.page_size]
    pagination = {
        "page": asked.page,
        "page_size": asked.page_size,
        "has_next": first + asked.page_size < len(found),
    }
    return Reply(200, {"messages": [_shown(row) for row in page], "pagination": pagination})


def _tests(asked: _Request) -> Iterator[Callable[[_Row], bool]]:
    """What a row must pass; the plural of a filter wins."""
    sources = asked.sources or ([asked.source] if asked.source else None)
    destinations = asked.destinations or ([asked.destination] if asked.destination else None)
    values = asked.metadata_values or ([asked.metadata_value] if asked.metadata_value is not None else None)
    formats = asked.channels or asked.message_format
    key = asked.metadata_key
    if asked.direction != "all":
        yield lambda row: row.direction == asked.direction
    if sources:
        yield lambda row: _digits(row.source) in {_digits(each) for each in sources}
    if destinations:
        yield lambda row: _digits(row.destination) in {_digits(each) for each in destinations}
    if key is not None:
        yield lambda row: key in row.metadata
        if values is not None:
            yield lambda row: any(value in row.metadata[key] for value in values)
    if asked.status:
        yield lambda row: row.status.upper() in (asked.status or ())
    if formats:
        yield lambda row: row.format in formats
    if asked.opt_out is not None:
        yield lambda row: row.is_opt_out == asked.opt_out
    if asked.mms_media is not None:
        yield lambda row: row.has_media == asked.mms_media


def _rows(account: Account, number: str) -> Iterator[_Row]:
    for at, message in account.taken():
        yield _of_message(at, message, account, number)
    for reply in account.replies:
        yield _of_reply(reply, account)


def _of_message(at: float, message: Message, account: Account, number: str) -> _Row:
    return _Row(
        at=at,
        direction="outbound",
        source=message.source_number or number,
        destination=message.destination_number,
        content=message.content,
        format=message.format or "SMS",
        metadata=message.metadata or {},
        account=account.name,
        id=message.message_id or "",
        status=message.status or "queued",
        status_code=message.status_code,
        changed=message.changed,
        has_media=bool(message.media),
    )


def _of_reply(reply: Inbound, account: Account) -> _Row:
    return _Row(
        at=reply.at,
        direction="inbound",
        source=reply.source,
        destination=reply.destination,
        content=reply.content,
        format="MMS" if reply.attachments else "SMS",
        metadata=(reply.answers and reply.answers.metadata) or {},
        account=account.name,
        id=reply.reply_id,
        status="processed",
        answers=reply.answers.message_id if reply.answers is not None else None,
        has_media=bool(reply.attachments),
        is_opt_out=reply.is_opt_out,
    )


def _shown(row: _Row) -> dict[str, Any]:
    changed = None if row.changed is None else row.changed[:19]
    found = {
        "message_id": row.id,
        "format": row.format,
        "timestamp": datetime.fromtimestamp(row.at, UTC).isoformat(timespec="seconds")[:19],
        "delivered_timestamp": changed if row.status == "delivered" else None,
        "last_status_update": changed,
        "direction": row.direction,
        "status": row.status,
        "status_code": None if row.status_code is None else int(row.status_code),
        "status_description": _DESCRIPTIONS.get(row.status_code or ""),
        "source_address": row.source,
        "destination_address": row.destination,
        "in_response_to": row.answers,
        "content": row.content or None,
        "account_id": row.account,
        "units": 1,
        "metadata": [{"key": key, "value": value} for key, value in row.metadata.items()],
    }
    return {name: value for name, value in found.items() if value is not None}


def _time(text: str, zone: tzinfo) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()


def _digits(number: str) -> str:
    return number.removeprefix("+")
