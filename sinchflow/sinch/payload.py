"""Bodies that Sinch pushes to us, read into events.

One parser for all shapes of sinch-api.md: our own webhook templates (9.3), the vendor's sample templates (9.4), the
per-message callbacks (8), and templates like the connector's that leave absent members out. What a body is shows in
its keys, never in the URL. A template is the user's and the provider is lax about types, so a number stands for its
text, `""` and an unrendered `$name` mean absent, and metadata comes as pairs or as an object. Whatever cannot be read
is a `PayloadError`; nothing else ever leaves this module.

This is the hot path of every webhook: one typed decode, then plain lookups.
"""

import re
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from sinchflow.model.event import Event, EventKind, clean_data
from sinchflow.sinch.words import shown

_Scalar = str | int | float | bool | None


class PayloadError(Exception):
    """The body is no event that we know; `reason` is one sentence that says what is wrong with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Pair(msgspec.Struct, gc=False):
    metadata_key: _Scalar = None
    metadata_value: Any = None
    key: _Scalar = None
    value: Any = None


class _Attachment(msgspec.Struct, gc=False):
    attachment_type: _Scalar = None
    attachment_content: _Scalar = None
    attachment_name: _Scalar = None
    content_type: _Scalar = None
    content: _Scalar = None
    original_name: _Scalar = None


class _Body(msgspec.Struct, gc=False):
    """Every member that any of the shapes has and that we use."""

    event: _Scalar = None
    message_id: _Scalar = None
    reply_id: _Scalar = None
    delivery_report_id: _Scalar = None
    notification_id: _Scalar = None
    status: _Scalar = None
    status_code: _Scalar = None
    error_code: _Scalar = None
    source_address: _Scalar = None
    source_number: _Scalar = None
    destination_address: _Scalar = None
    destination_number: _Scalar = None
    content: _Scalar = None
    original_text: _Scalar = None
    type: _Scalar = None
    format: _Scalar = None
    submitted_date: _Scalar = None
    date_received: _Scalar = None
    attachments: list[_Attachment] | str | None = None
    metadata: list[_Pair] | dict[str, Any] | str | None = None


_decode = msgspec.json.Decoder(_Body).decode
_decode_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

#: The literal `event` of our own templates (9.3).
_KINDS: dict[str, EventKind] = {
    "received": "inbound_sms",
    "delivery_report": "delivery_receipt",
    "opt_out": "opt_out",
}

#: Free text may well begin with a dollar ("$5 off?"), so only a variable of section 9.1 or a call counts as unrendered.
_UNRENDERED = re.compile(
    r"\$!?\{?(?:esc\.json\(.*\)|metadata\b.*|entry\b.*"
    r"|moContent|replyContent|mtContent|messageContent|format|type|status|statusCode|messageId|mtId|moId|replyId|drId"
    r"|reportId|notificationId|accountId|vendorId|submittedTimestamp|receivedTimestamp|sourceAddress"
    r"|destinationAddress|retryCount|billingUnits|attachments)\}?",
    re.DOTALL,
)

#: U+FDD0 to U+FDDF as a JSON escape.
_MARK_ESCAPE = re.compile(rb"\\u[fF][dD][dD]")

#: Differs between two attempts at pushing one event.
_RETRY_COUNT = re.compile(rb'"retry_count"\s*:\s*(?:"[^"]*"|[0-9]+)')


def parse(body: bytes, *, id: int, received_at: datetime, account: str = "default") -> Event:
    """The event that the body tells of, under the journal's `id`.

    Its fields are all of `EVENT_FIELDS`; addresses of 8 to 15 digits get their `+`. For a receipt the provider turns
    the addresses round: `source_address` is the handset, so `contact`. Raises PayloadError.
    """
    read = _read(body)
    kind = _kind(read)
    if kind is None:
        raise PayloadError(f"the body is no event that we know: it has {_keys_found(body)}")
    # Texts can carry the marks of a secret's reference only as these bytes or as escapes; most have neither.
    is_suspect = b"\xef\xb7" in body or (b"\\u" in body and _MARK_ESCAPE.search(body) is not None)
    source = _address(read.source_address, read.source_number)
    destination = _address(read.destination_address, read.destination_number)
    message_id = _name(read.message_id)
    metadata = _metadata(read.metadata)
    fields: dict[str, Any]
    if kind == "inbound_sms":
        attachments = _attachments(read.attachments)
        fields = {
            "message_id": message_id,
            "reply_id": _name(read.reply_id),
            "status": _name(read.status),
            "source_address": source,
            "destination_address": destination,
            "content": _free(read.content),
            "type": _name(read.type) or _name(read.format) or ("MMS" if attachments else "SMS"),
            "status_code": _name(read.status_code) or _name(read.error_code),
            "submitted_date": _name(read.submitted_date),
            "date_received": _name(read.date_received),
            "attachments": attachments,
            "metadata": metadata,
        }
        key = fields["reply_id"]
    elif kind == "delivery_receipt":
        fields = {
            "message_id": message_id,
            "delivery_report_id": _name(read.delivery_report_id),
            "status": _name(read.status),
            "status_code": _name(read.status_code) or _name(read.error_code),
            "source_address": source,
            "destination_address": destination,
            "content": _free(read.content) or _free(read.original_text),
            "type": _name(read.type) or _name(read.format) or "SMS",
            "submitted_date": _name(read.submitted_date),
            "date_received": _name(read.date_received),
            "attachments": _attachments(read.attachments),
            "metadata": metadata,
        }
        key = fields["delivery_report_id"]
    else:
        fields = {
            "notification_id": _name(read.notification_id),
            "source_address": source,
            "destination_address": destination,
            "content": _free(read.content),
            "date_received": _name(read.date_received),
        }
        key = fields["notification_id"]
    if source is None and (kind != "delivery_receipt" or message_id is None):
        raise PayloadError(f"the {_WORDS[kind]} names no sender: source_address (or source_number) is missing or empty")
    if is_suspect:
        fields = clean_data(fields)
        source, destination = fields["source_address"], fields["destination_address"]
        key = clean_data(key)
    return Event(
        id=id,
        kind=kind,
        key=key or _hash(body),
        received_at=received_at,
        account=account,
        contact=source,
        our_number=destination,
        fields=fields,
    )


_WORDS: dict[str, str] = {
    "inbound_sms": "inbound message",
    "delivery_receipt": "delivery receipt",
    "opt_out": "opt-out",
}


def _kind(read: _Body) -> EventKind | None:
    """By the literal of our templates, then by whose id is there, then by members that only one kind has."""
    if read.event.__class__ is str and read.event in _KINDS:
        return _KINDS[read.event]
    if _name(read.delivery_report_id):
        return "delivery_receipt"
    if _name(read.notification_id):
        return "opt_out"
    if _name(read.reply_id):
        return "inbound_sms"
    if read.original_text is not None or (_name(read.message_id) and _name(read.status)):
        return "delivery_receipt"
    if _name(read.source_address) or _name(read.source_number):
        return "inbound_sms" if read.content is not None or read.attachments else None
    return None


# --- values ---------------------------------------------------------------------------------------------------------


def _name(value: _Scalar) -> str | None:
    """An id, status, date or address as text; None when absent, empty or unrendered."""
    if value.__class__ is not str:
        return None if value is None else _spelt(value)
    return value if value and value[0] != "$" else None


def _free(value: _Scalar) -> str | None:
    """Text that people wrote."""
    if value.__class__ is not str:
        return None if value is None else _spelt(value)
    if not value or (value[0] == "$" and _UNRENDERED.fullmatch(value)):
        return None
    return value


def _spelt(value: Any) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def _address(address: _Scalar, number: _Scalar) -> str | None:
    text = _name(address) or _name(number)
    if text is None or text[0] == "+":
        return text
    text = text.strip()
    return f"+{text}" if 8 <= len(text) <= 15 and text.isascii() and text.isdigit() else text or None


def _metadata(value: list[_Pair] | dict[str, Any] | str | None) -> dict[str, str | None]:
    if not value:
        return {}
    if isinstance(value, str):
        if value[0] == "$":
            return {}
        raise PayloadError("metadata is a text, neither an object nor an array of metadata_key and metadata_value")
    found = value.items() if isinstance(value, dict) else _pairs(value)
    return {key: _metadata_value(item) for key, item in found if _free(key) is not None}


def _pairs(pairs: list[_Pair]) -> list[tuple[str, Any]]:
    read: list[tuple[str, Any]] = []
    for pair in pairs:
        if pair.metadata_key is not None:
            read.append((_spelt(pair.metadata_key), pair.metadata_value))
        elif pair.key is not None:
            read.append((_spelt(pair.key), pair.value))
        else:
            raise PayloadError("metadata holds an entry without metadata_key")
    return read


def _metadata_value(value: Any) -> str | None:
    if isinstance(value, list | dict):  # undocumented; kept as its JSON, since metadata is text to text
        try:
            return msgspec.json.encode(value).decode()
        except RecursionError:
            raise PayloadError("metadata is nested too deeply") from None
    return _free(value)


def _attachments(value: list[_Attachment] | str | None) -> list[dict[str, str | None]]:
    if not value:
        return []
    if isinstance(value, str):
        if value[0] == "$":
            return []
        raise PayloadError("attachments is a text, not an array")
    return [
        {
            "attachment_type": _name(one.attachment_type) or _name(one.content_type),
            "attachment_content": _name(one.attachment_content) or _name(one.content),
            "attachment_name": _free(one.attachment_name) or _free(one.original_name),
        }
        for one in value
    ]


def _hash(body: bytes) -> str:
    return "sha256:" + sha256(_RETRY_COUNT.sub(b"", body)).hexdigest()


# --- bytes ----------------------------------------------------------------------------------------------------------


def _read(body: bytes) -> _Body:
    if not body.isascii():
        _refuse_other_than_utf8(body)
    try:
        return _decode(body)
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors
        mended = _mended(body)
    try:
        return _decode(mended)
    except RecursionError:
        raise PayloadError("the body is nested too deeply") from None
    except msgspec.ValidationError as error:
        raise PayloadError(_type_reason(str(error))) from None
    except ValueError as error:
        raise PayloadError(_syntax_reason(str(error), body)) from None


def _refuse_other_than_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise PayloadError(f"the body is not UTF-8: byte {error.start} begins no character") from None


#: One escape of a JSON string at a time, so that an escaped backslash is never taken for the start of the next one.
_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)"
)


def _mended(body: bytes) -> bytes:
    r"""The body without a byte order mark, each lone surrogate escape replaced by `\ufffd`."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    return _ESCAPE.sub(lambda m: m[0] if m[1] or len(m[0]) == 2 else rb"\ufffd", body)


_TYPES = {"array": "an array", "object": "an object", "str": "a text", "null": "null", "bool": "true or false"}
_WANTED = {"attachments": "an array of objects", "metadata": "an object or an array of objects"}
_TYPE_ERROR = re.compile(r".*got `(?P<got>\w+)`(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)


def _type_reason(error: str) -> str:
    if (m := _TYPE_ERROR.fullmatch(error)) is None:
        return f"the body cannot be read: {shown(error, 200)}"
    got = _TYPES.get(m["got"], "a number")
    if not m["path"]:
        return f"the body is {got}, not a JSON object"
    path = m["path"]
    wanted = "an object" if path.endswith("]") else _WANTED.get(path, "a text")
    return f"{path} is {got} where {wanted} belongs"


def _syntax_reason(error: str, body: bytes) -> str:
    if not body.strip():
        return "the body is empty"
    if "truncated" in error:
        return f"the body is not JSON: it ends too early (byte {len(body)})"
    return f"the body is not JSON: {error.removeprefix('JSON is malformed: ')}"


def _keys_found(body: bytes) -> str:
    try:
        keys = [shown(key, 40) for key in _decode_keys(_mended(body))]
    except (ValueError, RecursionError):
        keys = []
    if not keys:
        return "no members"
    more = f" and {len(keys) - 20} more" if len(keys) > 20 else ""
    return f"the members {', '.join(keys[:20])}{more}"
