"""The account's throttle: a sliding window over all calls, and when the next one may start.

The rule (design.md section 4): while more than half of the window is free, a call starts at once; after that calls
are spaced evenly, so that sends gather into fuller batches; a full batch goes as soon as the window has room.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from sinchflow.model.project import Limits

#: The journal keeps the times of calls in whole milliseconds, rounded down.
_ROUNDED_BY = timedelta(milliseconds=1)


class CallWindow:
    """The calls of the last `limits.per`. At most `limits.calls` of them, never more."""

    def __init__(self, limits: Limits, calls: Iterable[datetime] = ()) -> None:
        self.limits = limits
        self._calls: deque[datetime] = deque(sorted(calls))

    def note(self, now: datetime) -> None:
        """A call starts. It counts without a limit too, because a reload may set one."""
        self._calls.append(now)
        if self.limits.calls is None:
            self.used(now)

    def used(self, now: datetime) -> int:
        """Calls that the window still counts."""
        oldest_counted = now - self.limits.per - _ROUNDED_BY
        while self._calls and self._calls[0] <= oldest_counted:
            self._calls.popleft()
        return len(self._calls)

    def opens_at(self, now: datetime, waiting: int) -> datetime:
        """When the next call may start; `now` means at once. `waiting`: messages that would travel."""
        limit, per = self.limits.calls, self.limits.per
        if limit is None:
            return now
        used = self.used(now)
        if used >= limit:
            return self._calls[used - limit] + per + _ROUNDED_BY
        if used < limit / 2 or waiting >= self.limits.batch:
            return now
        return max(now, self._calls[-1] + per / limit)
