"""The account's throttle: a sliding window over all calls, and when the next one may start.

The rule (design.md section 4): while more than half of the window is free, a call starts at once; after that calls
are spaced evenly, so that sends gather into fuller batches; a full batch goes as soon as the window has room.

What counts is when the provider gets a call, which is not before it starts here and not after its answer has come: so
a call counts from its start on, and until a whole window after its end.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from sinchflow.model.project import Limits


class CallWindow:
    """The calls under way, and those that ended in the last `limits.per`. At most `limits.calls`, never more.

    calls: when calls of a former process ended.
    """

    def __init__(self, limits: Limits, calls: Iterable[datetime] = ()) -> None:
        self.limits = limits
        self._under_way = 0
        self._ended: deque[datetime] = deque(sorted(calls))
        self._last_start = self._ended[-1] if self._ended else None

    def note(self, now: datetime) -> None:
        """A call starts. It counts without a limit too, because a reload may set one."""
        self._under_way += 1
        self._last_start = now

    def end(self, now: datetime) -> None:
        """A call that was noted has its answer, or nobody waits for it any more."""
        self._under_way -= 1
        self._ended.append(now)
        if self.limits.calls is None:
            self.used(now)

    def used(self, now: datetime) -> int:
        """Calls that the window still counts."""
        oldest_counted = now - self.limits.per
        while self._ended and self._ended[0] <= oldest_counted:
            self._ended.popleft()
        return len(self._ended) + self._under_way

    def opens_at(self, now: datetime, waiting: int) -> datetime:
        """When the next call may start; `now` means at once, a later time to look again. `waiting`: messages that would
        travel."""
        limit, per = self.limits.calls, self.limits.per
        if limit is None:
            return now
        used = self.used(now)
        if used >= limit:
            leaving = used - limit  # all of them have to leave, the last one included
            oldest = self._ended[leaving] if leaving < len(self._ended) else now
            return oldest + per + timedelta(milliseconds=1)
        if used < limit / 2 or waiting >= self.limits.batch or self._last_start is None:
            return now
        return max(now, self._last_start + per / limit)
