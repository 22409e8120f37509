"""The one place that knows what time it is, and wakes others when theirs has come.

There are two times. What people and other machines may look at (a wait's end, quiet hours, a schedule, when something
was received) goes by the wall clock, which is set right, or wrong, while we run. How long something has lasted within
this process (the throttle's window, pauses between tries, timers that come round) goes by the steady time, which
nobody sets: else a clock that is set forward lets more calls through than the limit, and one that is set back stops
them for as long.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: A wall clock can be set while we sleep, and a machine can; looking this often bounds how late a timer can be.
_LONGEST_SLEEP_S = 20.0
#: Less is the clock being kept right, which no timer minds.
_SET = timedelta(seconds=2)

_Due = list[tuple[datetime, int, Callable[[], None]]]


class Clock(Protocol):
    """Time as the runtime sees it; a virtual one serves tests."""

    #: called when the wall clock is found to have been set back
    on_set_back: list[Callable[[], None]]

    def now(self) -> datetime:
        """The time by the wall clock, aware, UTC."""
        ...

    def steady(self) -> datetime:
        """See `Steady.now`; only spans between two of these mean anything."""
        ...

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        """Call once `now()` has reached `when`; never before it."""
        ...

    def call_after(self, span: timedelta, call: Callable[[], None]) -> None:
        """Call once so much time has passed, whatever the wall clock is set to meanwhile."""
        ...


class Steady:
    """A time that nobody sets: what the wall clock said when this was made, and what has passed since.

    Where the system tells, what passed while the machine slept counts too.
    """

    def __init__(self) -> None:
        self._began = datetime.now(UTC) - timedelta(seconds=_passed_s())

    def now(self) -> datetime:
        """The time, aware, UTC; far from the wall clock's once that has been set."""
        return self._began + timedelta(seconds=_passed_s())


def _passed_s() -> float:
    since_boot = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only
    return time.monotonic() if since_boot is None else time.clock_gettime(since_boot)


class SystemClock:
    """The machine's clocks on an asyncio loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._steady = Steady()
        self._by_wall: _Due = []
        self._by_steady: _Due = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._ahead = self.now() - self.steady()  # how far the wall clock has been set forward
        self.on_set_back: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    def steady(self) -> datetime:
        """See `Clock.steady`."""
        return self._steady.now()

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        """See `Clock.call_at`."""
        self._keep(self._by_wall, when, call)

    def call_after(self, span: timedelta, call: Callable[[], None]) -> None:
        """See `Clock.call_after`."""
        self._keep(self._by_steady, self.steady() + span, call)

    def _keep(self, due: _Due, when: datetime, call: Callable[[], None]) -> None:
        entry = (when, next(self._order), call)
        heapq.heappush(due, entry)
        if due[0] is entry:  # of thousands that are due at one time, the first sets the timer
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        spans = [due[0][0] - now for due, now in self._clocks() if due]
        if spans:
            sleep_s = min(spans) / timedelta(seconds=1)
            self._timer = self._loop.call_later(min(max(sleep_s, 0.0), _LONGEST_SLEEP_S), self._wake)

    def _clocks(self) -> tuple[tuple[_Due, datetime], ...]:
        return (self._by_wall, self.now()), (self._by_steady, self.steady())

    def _wake(self) -> None:
        self._timer = None
        ahead = self.now() - self.steady()
        is_set_back, self._ahead = ahead < self._ahead - _SET, ahead
        if is_set_back:
            for tell in self.on_set_back:
                tell()
        for due, now in self._clocks():
            while due and due[0][0] <= now:
                self._loop.call_soon(heapq.heappop(due)[2])
        self._set_timer()
