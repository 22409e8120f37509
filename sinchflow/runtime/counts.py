"""How often something happened lately, by key: what throttle, brake and budgets are decided on.

Rebuilt from the journal at start. Times are by the steady time, and kept as floats, because there can be very many.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

#: A list with more old times than this is pruned when it is looked at, once half of it is old.
_LONG = 32

Key = TypeVar("Key", str, tuple[str, str, str])


class RecentCounts(Generic[Key]):
    """Times per key, in order, kept for as long as anybody asks about."""

    def __init__(self) -> None:
        self._times: dict[Key, list[float]] = {}
        self._swept_at = 0.0
        self._longest_s = 0.0

    def note(self, key: Key, when: datetime) -> None:
        """It happened."""
        insort(self._times.setdefault(key, []), when.timestamp())

    def within(self, key: Key, per: timedelta, now: datetime) -> int:
        """How often it happened in the last `per`, now included."""
        longest_s = self._longest_s = max(self._longest_s, per.total_seconds())
        now_s = now.timestamp()
        if now_s - self._swept_at > longest_s / 4:
            self._sweep(now_s - longest_s)
            self._swept_at = now_s
        times = self._times.get(key)
        if times is None:
            return 0
        old = bisect_right(times, now_s - longest_s)
        if old > _LONG and 2 * old > len(times):  # else each look would cost as much as the list is long
            del times[:old]
        return len(times) - bisect_right(times, now_s - per.total_seconds())

    def free_in(self, key: Key, most: int, per: timedelta, now: datetime) -> timedelta | None:
        """How long until it may happen again where it may `most` times within `per`; None: it may now."""
        if self.within(key, per, now) < most:
            return None
        return datetime.fromtimestamp(self._times[key][-most], UTC) + per - now

    def _sweep(self, before: float) -> None:
        """Forget what is older than anybody asks about, so that memory follows recent traffic only."""
        old = [key for key, times in self._times.items() if times[-1] <= before]
        for key in old:
            del self._times[key]


def believed(times: Iterable[datetime], now: datetime) -> list[datetime]:
    """The wall clock's times of things, in the order in which they happened, as far as they can be true.

    Nothing happened after what came after it, nor after now: who says so was written while the clock was ahead.
    """
    found, latest = list[datetime](), now
    for each in reversed(list(times)):
        latest = min(latest, each)
        found.append(latest)
    return found[::-1]
