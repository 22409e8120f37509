"""How often something happened lately, by key: what throttle and brake are decided on.

Rebuilt from the journal at start. Times are seconds since 1970 as floats, because there can be very many.
"""

from datetime import datetime, timedelta
from typing import Generic, TypeVar

#: A list longer than this is pruned when it is looked at.
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
        times = self._times.get(key)
        if times is None:
            self._times[key] = [when.timestamp()]
        else:
            times.append(when.timestamp())

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
        if len(times) > _LONG:
            times[:] = [time for time in times if time > now_s - longest_s]
        since = now_s - per.total_seconds()
        return sum(time > since for time in times)

    def _sweep(self, before: float) -> None:
        """Forget what is older than anybody asks about, so that memory follows recent traffic only."""
        old = [key for key, times in self._times.items() if times[-1] <= before]
        for key in old:
            del self._times[key]
