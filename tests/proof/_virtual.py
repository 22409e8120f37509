"""Virtual time: event loops without a selector, on one time line that is driven one callback after the other.

A process that is simulated has a loop of its own, so that all of it can be dropped between any two callbacks; the world
around it (provider, customers, disk) has another, which goes on.
"""

import asyncio
import heapq
import inspect
import itertools
import weakref
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from sinchflow.runtime.clock import SystemClock

BEGIN = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)


class TimeLine:
    """What time it truly is, in seconds since `BEGIN`."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> datetime:
        """As a time."""
        return BEGIN + timedelta(seconds=self.now_s)


class VirtualLoop(asyncio.AbstractEventLoop):
    """A loop whose callbacks somebody else runs (`Driver`). Once dead it takes no more."""

    def __init__(self, line: TimeLine) -> None:
        self._line = line
        self._order = itertools.count()
        self.ready: deque[asyncio.Handle] = deque()
        self.due: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.is_dead = False
        self.errors: list[dict[str, Any]] = []  #: what callbacks and tasks raised and nobody caught

    def kill(self) -> None:
        """Forget all that was to be done."""
        self.is_dead = True
        tasks = list(self._tasks)
        self.ready.clear()
        self.due.clear()
        for task in tasks:
            coroutine = task.get_coro()
            if not task.done() and inspect.iscoroutine(coroutine):
                with suppress(RuntimeError):  # it wants to wait on its way out
                    coroutine.close()

    def next_s(self) -> float | None:
        """When the next timer is due."""
        while self.due and self.due[0][2].cancelled():
            heapq.heappop(self.due)
        return self.due[0][0] if self.due else None

    def wake(self) -> None:
        """Let what is due by now be ready."""
        while self.due and self.due[0][0] <= self._line.now_s:
            _, _, handle = heapq.heappop(self.due)
            if not handle.cancelled():
                self.ready.append(handle)

    def run_one(self) -> None:
        """Run the callback that is next."""
        handle = self.ready.popleft()
        if not handle.cancelled():
            events._set_running_loop(self)
            try:
                handle._run()
            finally:
                events._set_running_loop(None)

    # --- what asyncio asks for --------------------------------------------------------------------------------------

    def time(self) -> float:
        return self._line.now_s

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if not self.is_dead:
            self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.is_dead:
            heapq.heappush(self.due, (when, next(self._order), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._line.now_s + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, _handle: asyncio.TimerHandle) -> None:
        pass

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # a kill leaves tasks behind
        self._tasks.add(task)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self.is_dead

    def is_closed(self) -> bool:
        return self.is_dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.errors.append(context)


class SkewedClock(SystemClock):
    """The machine's clock, which somebody may set (`skew_s`): the real timers over a virtual time."""

    def __init__(self, loop: VirtualLoop, line: TimeLine, skew_s: Callable[[], float]) -> None:
        self._line = line
        self._skew_s = skew_s
        self.early = 0  #: timers that were called before their time
        super().__init__(loop)

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._line.now() + timedelta(seconds=self._skew_s())

    def steady(self) -> datetime:
        """See `Clock.steady`."""
        return self._line.now()

    def call_at(self, when: datetime, call: Callable[[], None]) -> None:
        """See `Clock.call_at`."""

        def checked() -> None:
            self.early += self.now() < when
            call()

        super().call_at(when, checked)

    def _set_timer(self) -> None:
        """As a clock that nobody sets: looking at it every 20 s over virtual days would cost more than all else."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        spans = [due[0][0] - now for due, now in self._clocks() if due]
        if spans:
            self._timer = self._loop.call_later(max(min(spans).total_seconds(), 0.0), self._wake)

    def was_set(self) -> None:
        """The clock has been set; the real one finds out within 20 s."""
        self._loop.call_later(10.0, self._wake)
