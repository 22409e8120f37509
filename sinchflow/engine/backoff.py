"""When to try a failed command again. Pure: the wait derives from the command's id, so it is always the same."""

from datetime import datetime, timedelta
from hashlib import blake2b

from sinchflow.model.flow import Retry

#: Up to this part of a wait is taken off, so that what failed together is not tried again together.
_JITTER = 0.25
#: A server's own wish (`Retry-After`) is heeded up to this, or up to `max_delay` where that is longer.
_LONGEST_WISH = timedelta(hours=1)


def is_retried(retry: Retry, kind: str, status: int | None) -> bool:
    """Whether `retry.when` covers a failure of this kind, with this HTTP status where there was an answer."""
    if kind != "status" or status is None:
        return kind in retry.when
    return str(status) in retry.when or f"{status // 100}xx" in retry.when


def longest_pause(retry: Retry | None) -> timedelta:
    """No pause between two attempts is longer; one that seems so was planned before the clock was set back."""
    return _LONGEST_WISH if retry is None else max(retry.max_delay, _LONGEST_WISH)


def next_attempt(
    retry: Retry, attempt: int, key: str, now: datetime, retry_after: timedelta | None = None
) -> datetime | None:
    """When to try again, or None when attempts are used up.

    attempt: number of attempts already made, from 1.
    key: command id; the jitter derives from it and from `attempt`.
    retry_after: what the server asked for; the wait is at least that long, up to an hour or `max_delay`.
    """
    if attempt >= retry.attempts:
        return None
    factor = {"constant": 1, "linear": attempt, "exponential": 2 ** min(attempt - 1, 62)}[retry.backoff]
    seconds = min(retry.delay.total_seconds() * factor, retry.max_delay.total_seconds())
    draw = int.from_bytes(blake2b(f"{key}#{attempt}".encode(), digest_size=4).digest()) / 2**32
    wait = timedelta(seconds=seconds * (1 - _JITTER * draw))
    if retry_after is not None:
        wait = max(wait, min(retry_after, longest_pause(retry)))
    return now + wait
