"""Messages: hand over up to 100 in one call, ask what became of one, take back one that is scheduled.

A call is atomic at the provider: all of its messages are taken or none. There is no idempotency key, so what matters
most about a call that fails is whether it can have been taken; the result's type says so.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from sinchflow.sinch.client import Answer, Calls, NotSent, Unknown
from sinchflow.sinch.errors import faults_by_message, read_error
from sinchflow.sinch.failure import CallFailed, ask
from sinchflow.sinch.failure import retry_after as read_retry_after
from sinchflow.sinch.target import path_part

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


async def send(calls: Calls, bodies: Sequence[dict[str, Any]]) -> SendResult:
    """Hand these Message objects (1 to 100) to the provider in one call and say what came of it."""
    try:
        request = _encode({"messages": bodies})
    except UnicodeEncodeError:
        return _unencodable(bodies)
    answer = await calls.call("POST", "/v1/messages", request)
    if not isinstance(answer, Answer):
        return answer
    if 200 <= answer.status < 300:
        return _accepted(answer, len(bodies))
    return _refused(answer, len(bodies))


async def get_message(calls: Calls, message_id: str) -> dict[str, Any]:
    """The message and its status, as the provider tells them (sinch-api.md section 3.2). Raises CallFailed."""
    found = await ask(calls, "GET", _target(message_id))
    if not isinstance(found, dict):
        raise CallFailed("the provider's answer is no message; check base_url", "unknown")
    return found


async def cancel_message(calls: Calls, message_id: str) -> dict[str, Any]:
    """Take back a message that is scheduled for later; the message as it is then. Raises CallFailed.

    May be repeated: one that is cancelled already is no mistake, although the provider refuses it.
    """
    try:
        await ask(calls, "PUT", _target(message_id), {"status": "cancelled"}, reads=False)
    except CallFailed as refusal:
        if refusal.status != 400:
            raise
        found = await get_message(calls, message_id)
        if found.get("status") != "cancelled":
            raise refusal from None
        return found
    return await get_message(calls, message_id)


def _target(message_id: str) -> str:
    return f"/v1/messages/{path_part(message_id, 'message id')}"


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
        return Limited(retry_after=read_retry_after(answer))
    if status >= 500 or status == 408:  # a gateway's 408 can mean that the server behind it was slow
        return Unknown(reason=f"HTTP {status}: {words.message.removeprefix(f'HTTP {status} ')}")
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


def _unencodable(bodies: Sequence[dict[str, Any]]) -> Rejected:
    """JSON is UTF-8, which has no lone surrogates: only the messages that hold one are to blame."""
    faults: dict[int, str] = {}
    for index, body in enumerate(bodies):
        try:
            _encode(body)
        except UnicodeEncodeError:
            faults[index] = "the text holds half of a character (a lone surrogate) and cannot be sent"
    return Rejected(message="a message cannot be written as UTF-8", faults=faults)
