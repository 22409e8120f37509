"""What the provider says when it refuses: the four body shapes of sinch-api.md section 15, and bodies that are none.

Nothing here decides what a status code means for a call; it only finds the words.
"""

import re
from typing import Any

import msgspec

from sinchflow.sinch.words import shown


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's words.

    message: one line, never empty. details: the reasons in order, as written, cut to one line each.
    """

    message: str
    details: tuple[str, ...] = ()


#: More reasons than this say nothing new; a batch has at most 100 messages.
_MOST_DETAILS = 1000

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_error(status: int, body: bytes) -> ErrorBody:
    """The words of an answer that is no success; never raises."""
    try:
        found = _decode(body)
    except (ValueError, RecursionError):
        return ErrorBody(message=_plain_words(body) or f"HTTP {status} without a message")
    details = _texts(found.get("details")) + _invalid_fields(found.get("invalidFields"))
    message = _text(found.get("message")) or ": ".join(
        words for words in (_text(found.get("title")), _text(found.get("detail"))) if words
    )
    return ErrorBody(message=message or f"HTTP {status} without a message", details=details)


def faults_by_message(details: tuple[str, ...], count: int) -> dict[int, str]:
    """Which of the `count` messages of a call the details blame, and in which words.

    A detail begins with a JSON pointer, `/messages/3/content: reason, reason`; details without one blame nobody.
    """
    faults: dict[int, str] = {}
    for detail in details:
        if (m := _POINTER.match(detail)) is None:
            continue
        index = int(m["slash"] or m["bracket"])
        if index < count:
            words = f"{m['member']}: {m['words']}" if m["member"] else m["words"]
            faults[index] = shown(f"{faults[index]}; {words}" if index in faults else words)
    return faults


#: `messages[3].content` is how the generic InvalidInputApiError would spell it; accepted alike.
_POINTER = re.compile(
    r"/?messages(?:/(?P<slash>[0-9]{1,6})|\[(?P<bracket>[0-9]{1,6})\])(?:[/.](?P<member>[^:]*))?:\s*(?P<words>.*)",
    re.DOTALL,
)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        words = _text(value)
        return (words,) if words else ()
    return tuple(words for item in value[:_MOST_DETAILS] if (words := _text(item)))


def _invalid_fields(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    fields = [field for field in value[:_MOST_DETAILS] if isinstance(field, dict)]
    return tuple(
        f"{_text(field.get('name')) or 'body'}: {_text(field.get('reason')) or _text(field.get('code')) or 'invalid'}"
        for field in fields
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return shown(value.strip())
    return shown(msgspec.json.encode(value).decode())


_NOISE = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>|\s+", re.DOTALL | re.IGNORECASE)


def _plain_words(body: bytes) -> str:
    """What a person would read of a body that is not JSON, such as a proxy's HTML page."""
    text = body[:20_000].decode("utf-8", "replace")
    return shown(" ".join(_NOISE.sub(" ", text).split()))
