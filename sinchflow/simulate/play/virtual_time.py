"""An event loop whose time moves only when it is told to, and a clock that goes by it.

A day on it costs what happens in it. Nothing that runs on it may wait for another thread, a socket or a file.
"""

import asyncio
import contextlib
import heapq
import itertools
import math
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

_MICROSECOND = timedelta(microseconds=1)
#: Seconds of work that are enough for months of a busy project.
PATIENCE_S = 10.0
_GRACE_S = 1.0


class Stuck(Exception):
    """What was played did not come to rest, however much was worked at it: it goes round in circles."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module's text. patience_s: of this process's work, for all between `begin` and the next one.

    Work, not time: a machine that has a lot else to do is no reason to give up.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.moment_us = 0  #: as `time`; whole, so that what is added up over months is exact
        self._resting: tuple[int, asyncio.Future[None]] | None = None
        self.patience_s = patience_s
        self._gives_up_at = math.inf
        self._is_late = False
        self._is_interrupted = False
        super().__init__(_NoWaiting(self._turn))
        self._clock_resolution = 5e-7  # timers this close are due

    def time(self) -> float:
        """Seconds since the loop was made, of its own time."""
        return self.moment_us / 1e6

    def begin(self) -> None:
        """Something new is played: its patience counts from now."""
        self._is_late = False
        self._gives_up_at = time.process_time() + self.patience_s

    def end(self) -> None:
        """What was played is over."""
        self._gives_up_at = math.inf

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C raises KeyboardInterrupt between two turns: within one it may be lost, in what nobody may interrupt.

        Pressed again, it raises it at once. On the main thread, and where Ctrl-C means what it does by default.
        """
        is_main = threading.current_thread() is threading.main_thread()
        if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        self._is_interrupted = False
        signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._is_interrupted:
            signal.default_int_handler(number, frame)
        self._is_interrupted = True

    async def rest(self, duration: timedelta = timedelta()) -> None:
        """Let that much time pass; returns when nothing is left to do at the end of it. Raises Stuck."""
        resting: asyncio.Future[None] = self.create_future()
        self._resting = (self.moment_us + duration // _MICROSECOND, resting)
        await resting

    def _turn(self, timeout_s: float | None) -> None:
        """Once per turn of the loop. timeout_s: until the next timer, None: there is none; 0: there is work to do."""
        if self._is_interrupted:
            self._is_interrupted = False
            raise KeyboardInterrupt
        if time.process_time() > self._gives_up_at:
            if self._resting is not None and not self._resting[1].done():
                self.begin()  # who is told needs time to put away what was played
                self._resting[1].set_exception(Stuck())
                self._resting = None
                return
            if self._is_late:
                self.begin()
                raise Stuck
            self._is_late = True  # perhaps it is just ending, or about to rest
            self._gives_up_at += _GRACE_S
        if timeout_s == 0:
            return
        if self._resting is None:
            raise RuntimeError("nothing is left to do on a loop that waits for nobody")
        until, resting = self._resting
        next_at = math.inf if timeout_s is None else max(round((self.time() + timeout_s) * 1e6), self.moment_us + 1)
        if next_at <= until:
            self.moment_us = int(next_at)
        else:
            self.moment_us = max(self.moment_us, until)
            self._resting = None
            if not resting.done():
                resting.set_result(None)


class _NoWaiting(selectors.SelectSelector):
    """A selector that never waits: nothing outside of the process is looked at."""

    def __init__(self, turn: Callable[[float | None], None]) -> None:
        super().__init__()
        self._turn = turn

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Says that nothing has come."""
        self._turn(timeout)
        return []


class LoopClock:
    """The runtime's `Clock` on a loop's own time. start: what it shows now."""

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self._loop = loop
        self._start = start
        self._began_us = loop.moment_us
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self.on_set_back: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._start + _MICROSECOND * (self._loop.moment_us - self._began_us)

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        """See `Clock.call_at`."""
        heapq.heappush(self._due, (when, next(self._order), call))
        if self._due[0][0] == when:
            self._set_timer()

    def steady(self) -> datetime:
        """See `Clock.steady`: nobody sets this clock."""
        return self.now()

    def call_after(self, span: timedelta, call: Callable[[], None]) -> None:
        """See `Clock.call_after`."""
        self.call_at(self.now() + span, call)

    def forget(self) -> None:
        """Call nobody any more: who asked for it is gone."""
        self._due.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            at_us = self._began_us + (self._due[0][0] - self._start) // _MICROSECOND
            self._timer = self._loop.call_at(max(at_us / 1e6, self._loop.time()), self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = self.now()
        while self._due and self._due[0][0] <= now:
            _, _, call = heapq.heappop(self._due)
            self._loop.call_soon(call)
        self._set_timer()


async def put_away(keep: asyncio.Task[Any] | None) -> None:
    """Cancel all tasks of the loop but this one and `keep`, and wait for their end."""
    others = asyncio.all_tasks() - {asyncio.current_task(), keep}
    for task in others:
        task.cancel()
    if others:
        await asyncio.gather(*others, return_exceptions=True)
