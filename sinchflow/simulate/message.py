"""Messages as the simulated Sinch takes them, and what it has against a request (sinch-api.md section 3.1).

A good request costs one typed decode. Only a bad one is walked member by member, for JSON pointers and reasons.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MOST_PER_CALL = 100

_NUMBER = r"^\+?[0-9]{8,15}$"


class Message(msgspec.Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """One message, with the members of the API's schema. The last four are ours to set, and answers hold only two.

    status_code, changed: of and at its last change of status, in the provider's spelling.
    """

    content: Annotated[str, Meta(min_length=1, max_length=5000)]
    destination_number: Annotated[str, Meta(pattern=_NUMBER)]
    callback_url: str | None = None
    delivery_report: bool | None = None
    format: Literal["SMS", "MMS", "TTS"] | None = None
    message_expiry_timestamp: str | None = None
    metadata: (
        Annotated[dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=256)]], Meta(max_length=10)]
        | None
    ) = None
    scheduled: str | None = None
    source_number: str | None = None
    source_number_type: Literal["INTERNATIONAL", "ALPHANUMERIC", "SHORTCODE"] | None = None
    media: list[str] | None = None
    subject: Annotated[str, Meta(max_length=64)] | None = None
    message_id: str | None = None
    status: str | None = None
    status_code: str | None = None
    changed: str | None = None


class Request(msgspec.Struct, gc=False):
    """The body of POST /v1/messages, and of its answer."""

    messages: Annotated[list[Message], Meta(min_length=1, max_length=MOST_PER_CALL)]


_decode = msgspec.json.Decoder(Request).decode


def read_request(body: bytes) -> list[Message] | tuple[str, ...]:
    """The messages of a request, or the `details` of its refusal. All or nothing, as documented."""
    try:
        messages = _decode(body).messages
    except (ValueError, RecursionError):
        return _reasons(body)
    if any(_tie_reasons(message) for message in messages):
        return _reasons(body)
    return messages


def as_time(text: str) -> datetime | None:
    """An ISO 8601 date-time with a zone, else None."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _tie_reasons(message: Message) -> list[tuple[str, str]]:
    """What no member's type alone can tell, as member and reason."""
    found: list[tuple[str, str]] = []
    for name, text in (
        ("scheduled", message.scheduled),
        ("message_expiry_timestamp", message.message_expiry_timestamp),
    ):
        if text is not None and as_time(text) is None:
            found.append((name, "must be an ISO 8601 date-time with a zone"))
    if message.source_number is None:
        if message.source_number_type is not None:
            found.append(("source_number_type", "is only valid together with source_number"))
    elif not message.source_number:
        found.append(("source_number", "must not be empty"))
    if message.format != "MMS":
        found.extend((name, "format must be MMS") for name in _MMS_ONLY if getattr(message, name) is not None)
    if message.callback_url is not None and not re.match(r"https?://[^\s/]", message.callback_url):
        found.append(("callback_url", "must be a URL"))
    found.extend((name, "is set by the provider") for name in _PROVIDERS if getattr(message, name) is not None)
    return found


_MMS_ONLY = ("media", "subject")
_PROVIDERS = ("message_id", "status", "status_code", "changed")


# --- a bad request --------------------------------------------------------------------------------------------------


def _reasons(body: bytes) -> tuple[str, ...]:
    try:
        data = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return ("Failed to parse message body.",)
    messages = data.get("messages") if isinstance(data, dict) else None
    if not isinstance(messages, list):
        return ("/messages: must be an array of messages",)
    if not 1 <= len(messages) <= MOST_PER_CALL:
        return (f"/messages: must hold between 1 and {MOST_PER_CALL} messages",)
    return tuple(
        f"/messages/{index}{pointer}: {', '.join(words)}"
        for index, message in enumerate(messages)
        for pointer, words in _message_reasons(message).items()
    ) or ("Failed to parse message body.",)


def _message_reasons(message: Any) -> dict[str, list[str]]:
    if not isinstance(message, dict):
        return {"": ["must be an object"]}
    found: dict[str, list[str]] = {}
    for name in ("content", "destination_number"):
        if message.get(name) is None:
            found[f"/{name}"] = ["is required"]
    for name, value in message.items():
        check = _CHECKS.get(name)
        if check is None:
            found[f"/{name}"] = ["is not a known member"]
        elif value is not None and (words := check(value)):
            found[f"/{name}"] = words
    if not found:
        for name, word in _tie_reasons(msgspec.convert(message, Message)):
            found.setdefault(f"/{name}", []).append(word)
    return found


def _destination(value: Any) -> list[str]:
    if not isinstance(value, str):
        return ["must be a string"]
    digits = value.removeprefix("+")
    words = []
    if not 8 <= len(digits) <= 15:
        words.append("International address must be between 8 and 15 characters excluding the first '+'")
    if not re.fullmatch("[0-9]*", digits):
        words.append("International address contains invalid characters.")
    return words


def _content(value: Any) -> list[str]:
    fits = isinstance(value, str) and 1 <= len(value) <= 5000
    return [] if fits else ["must be a string of 1 to 5000 characters"]


def _metadata(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return ["must be an object"]
    words = ["must not hold more than 10 pairs"] if len(value) > 10 else []
    if any(len(key) > 100 for key in value):
        words.append("a key must not be longer than 100 characters")
    if any(not isinstance(item, str) or len(item) > 256 for item in value.values()):
        words.append("a value must be a string of up to 256 characters")
    return words


def _text(value: Any) -> list[str]:
    return [] if isinstance(value, str) else ["must be a string"]


def _flag(value: Any) -> list[str]:
    return [] if isinstance(value, bool) else ["must be a boolean"]


def _subject(value: Any) -> list[str]:
    return [] if isinstance(value, str) and len(value) <= 64 else ["must be a string of up to 64 characters"]


def _media(value: Any) -> list[str]:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return [] if fits else ["must be an array of strings"]


def _one_of(*names: str) -> Callable[[Any], list[str]]:
    return lambda value: [] if value in names else [f"must be one of {', '.join(names)}"]


_CHECKS: dict[str, Callable[[Any], list[str]]] = {
    "content": _content,
    "destination_number": _destination,
    "callback_url": _text,
    "delivery_report": _flag,
    "format": _one_of("SMS", "MMS", "TTS"),
    "message_expiry_timestamp": _text,
    "metadata": _metadata,
    "scheduled": _text,
    "source_number": _text,
    "source_number_type": _one_of("INTERNATIONAL", "ALPHANUMERIC", "SHORTCODE"),
    "media": _media,
    "subject": _subject,
    "message_id": _text,
    "status": _text,
}
