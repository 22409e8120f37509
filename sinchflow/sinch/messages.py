"""POST /v1/messages (sinch-api.md section 3.1): hand over up to 100 messages in one call.

A call is atomic at the provider: all of its messages are taken or none. There is no idempotency key, so what matters
most about a call that fails is whether it can have been taken; the result's type says so.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from sinchflow.sinch.client import Answer, Client, NotSent, Unknown
from sinchflow.sinch.errors import faults_by_message, read_error

#: The provider's limit per call.
MOST_PER_CALL = 100


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """All messages were taken. `messages`: the provider's answer to each, in the order asked, with `message_id`."""

    messages: tuple[dict[str, Any], ...]


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """None was taken, and asking the same again is pointless.

    message, details: the provider's words. faults: index of a message to what is wrong with it; the others may be
    sent without it. Empty when the refusal blames no message in particular.
    """

    message: str
    details: tuple[str, ...] = ()
    faults: dict[int, str] = {}
    status: int | None = None


class Unauthorised(msgspec.Struct, frozen=True, kw_only=True):
    """None was taken: key or secret is wrong. Nothing will be taken until that is mended."""

    message: str


class Limited(msgspec.Struct, frozen=True, kw_only=True):
    """None was taken: too many calls. `retry_after`: how long the provider asks us to wait, if it says."""

    retry_after: timedelta | None = None


SendResult = Accepted | Rejected | Unauthorised | Limited | NotSent | Unknown


class _Sent(msgspec.Struct):
    messages: list[dict[str, Any]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Sent).decode


async def send(client: Client, bodies: Sequence[dict[str, Any]]) -> SendResult:
    """Hand these Message objects (1 to 100) to the provider in one call and say what came of it."""
    try:
        request = _encode({"messages": bodies})
    except UnicodeEncodeError:
        return _unencodable(bodies)
    answer = await client.call("POST", "/v1/messages", request)
    if not isinstance(answer, Answer):
        return answer
    if 200 <= answer.status < 300:
        return _accepted(answer, len(bodies))
    return _refused(answer, len(bodies))


def _accepted(answer: Answer, count: int) -> Accepted | Unknown:
    try:
        messages = _decode(answer.body).messages
    except (ValueError, RecursionError):
        return Unknown(reason=f"HTTP {answer.status}, but its body cannot be read: messages may have been taken")
    ids = [message.get("message_id") for message in messages]
    if len(messages) != count or not all(isinstance(one, str) and one for one in ids):
        named = sum(isinstance(one, str) and bool(one) for one in ids)
        return Unknown(reason=f"HTTP {answer.status}, but {named} message ids came for {count} messages")
    return Accepted(messages=tuple(messages))


def _refused(answer: Answer, count: int) -> SendResult:
    words = read_error(answer.status, answer.body)
    status = answer.status
    if status == 401:
        return Unauthorised(message=words.message)
    if status == 429:
        return Limited(retry_after=_retry_after(answer))
    if status >= 500 or status == 408:  # a gateway's 408 can mean that the server behind it was slow
        return Unknown(reason=f"HTTP {status}: {words.message}")
    if status < 400:
        place = answer.headers.get("location", "nowhere")
        return Rejected(
            message=f"HTTP {status}, a redirect to {place}, which is not followed: check base_url", status=status
        )
    return Rejected(
        message=words.message,
        details=words.details,
        faults=faults_by_message(words.details, count) if status == 400 else {},
        status=status,
    )


def _retry_after(answer: Answer) -> timedelta | None:
    """RFC 9110 section 10.2.3: seconds, or a date, which is read against the answer's own Date."""
    asked = answer.headers.get("retry-after", "").strip()
    if re.fullmatch("[0-9]{1,8}", asked):
        return timedelta(seconds=int(asked))
    until = _date(asked)
    if until is None:
        return None
    now = _date(answer.headers.get("date", "")) or datetime.now(UTC)
    return max(until - now, timedelta(0))


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _unencodable(bodies: Sequence[dict[str, Any]]) -> Rejected:
    """JSON is UTF-8, which has no lone surrogates: only the messages that hold one are to blame."""
    faults: dict[int, str] = {}
    for index, body in enumerate(bodies):
        try:
            _encode(body)
        except UnicodeEncodeError:
            faults[index] = "the text holds half of a character (a lone surrogate) and cannot be sent"
    return Rejected(message="a message cannot be written as UTF-8", faults=faults)
