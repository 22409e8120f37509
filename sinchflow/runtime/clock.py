"""The one place that knows what time it is, and wakes others when theirs has come."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: A wall clock can be set while we sleep; looking at it this often bounds how late a timer can be.
_LONGEST_SLEEP_S = 20.0
#: Less is the clock being kept right, which no timer minds.
_SET_BACK = timedelta(seconds=2)


class Clock(Protocol):
    """Time as the runtime sees it; a virtual one serves tests."""

    #: called when the clock is found to have been set back
    on_set_back: list[Callable[[], None]]

    def now(self) -> datetime:
        """The time, aware, UTC."""
        ...

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        """Call once `now()` has reached `when`; never before it."""
        ...


class SystemClock:
    """The machine's wall clock on an asyncio loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._latest = self.now()
        self.on_set_back: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        """See `Clock.call_at`."""
        heapq.heappush(self._due, (when, next(self._order), call))
        if self._due[0][0] == when:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            sleep_s = (self._due[0][0] - self.now()) / timedelta(seconds=1)
            self._timer = self._loop.call_later(min(max(sleep_s, 0.0), _LONGEST_SLEEP_S), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now, latest = self.now(), self._latest
        self._latest = now
        if now < latest - _SET_BACK:
            for tell in self.on_set_back:
                tell()
        while self._due and self._due[0][0] <= now:
            _, _, call = heapq.heappop(self._due)
            self._loop.call_soon(call)
        self._set_timer()
