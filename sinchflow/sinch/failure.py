"""Questions to the provider that end in an answer or in one readable line.

`ask` is for everything but sends: it decodes what is expected, and raises `CallFailed` for the rest, with the
provider's words and what to do about them (sinch-api.md section 15).
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec

from sinchflow.sinch.client import Answer, Calls, NotSent
from sinchflow.sinch.errors import read_error
from sinchflow.sinch.words import shown

FailureKind = Literal[
    "unauthorised",  #: key or secret is wrong
    "limited",  #: too many calls
    "refused",  #: the provider will not, and would not again
    "connection",  #: the request never reached it
    "unknown",  #: it may have been acted upon: no answer, one that cannot be read, or 5xx
]

#: What to do, by HTTP status; the words of the provider come before it.
_WHAT_TO_DO = {
    400: "mend the request",
    401: "check `credentials` and `auth` in sinchflow.yaml",
    402: "the account has no credit or no contract for this: ask the provider",
    403: "the account lacks this feature or permission: ask the provider to switch it on",
    404: "check the id; the provider forgets messages after 45 days",
    408: "try again later",
    409: "it exists already",
    413: "send less at once",
    415: "sinchflow and the provider disagree about the format: check base_url",
    422: "the provider wants TLS 1.3 for this destination (+65): use a newer Python or OpenSSL",
    429: "wait, or lower `limits` in sinchflow.yaml",
}
_TRY_LATER = "the provider is in trouble: try again later"


class CallFailed(Exception):
    """The provider could not be reached, or refused. `message` is one line; `retry_after` the provider's own wish."""

    def __init__(
        self, message: str, kind: FailureKind, status: int | None = None, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.status = status
        self.retry_after = retry_after


async def ask(
    calls: Calls, method: str, target: str, body: Any = None, *, expect: tuple[int, ...] = (200,), reads: bool = True
) -> Any:
    """The decoded JSON of an answer whose status is one of `expect`; None when `reads` is false. Raises CallFailed.

    body: JSON-like data, None for no body. reads: whether the answer's body matters.
    """
    content = await ask_raw(calls, method, target, body, expect=expect)
    if not reads:
        return None
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError):
        raise CallFailed("the provider's answer cannot be read; check base_url", "unknown") from None


async def ask_raw(
    calls: Calls, method: str, target: str, body: Any = None, *, expect: tuple[int, ...] = (200,)
) -> bytes:
    """As `ask`, the body as it came."""
    try:
        content = b"" if body is None else msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise CallFailed("a text holds half of a character (a lone surrogate) and cannot be sent", "refused") from None
    answer = await calls.call(method, target, content)
    if not isinstance(answer, Answer):
        raise CallFailed(answer.reason, "connection" if isinstance(answer, NotSent) else "unknown")
    if answer.status not in expect:
        raise refusal(answer)
    return answer.body


def refusal(answer: Answer) -> CallFailed:
    """An answer that was not hoped for, as the exception to raise."""
    status = answer.status
    if 300 <= status < 400:
        place = shown(answer.headers.get("location", "nowhere"), 200)
        return CallFailed(
            f"HTTP {status}, a redirect to {place}, which is not followed: check base_url", "refused", status
        )
    words = read_error(status, answer.body)
    kinds: dict[int, FailureKind] = {401: "unauthorised", 408: "unknown", 429: "limited"}
    kind = kinds.get(status, "unknown" if status >= 500 or status < 300 else "refused")
    return CallFailed(with_advice(status, words.message, words.details), kind, status, retry_after(answer))


def with_advice(status: int, message: str, details: Sequence[str] = ()) -> str:
    """The provider's words and what to do about them, on one line."""
    said = message.removeprefix(f"HTTP {status} ").rstrip(".")
    more = f" ({'; '.join(details)})" if details else ""
    remedy = _WHAT_TO_DO.get(status, _TRY_LATER if status >= 500 else "check base_url")
    return f"HTTP {status}: {said}{more}; {remedy}"


def retry_after(answer: Answer) -> timedelta | None:
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
