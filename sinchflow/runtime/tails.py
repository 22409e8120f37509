"""What runs do, told while it happens to whoever follows them. Costs nothing while nobody does.

Whoever asks is told what came after the last change they know of; they are waited for a minute, then nothing is
gathered any more.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sinchflow.model.run import Run
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.run_stories import summary
from sinchflow.runtime.run_words import told

#: Changes kept for those who ask late, and how long they may take to ask.
_MOST_KEPT = 2_000
_PATIENCE = timedelta(seconds=60)

_Advanced = Callable[[Run | None, Run], None]


class Tails:
    """See the module's text. hooks: who is told of each step of a run (`Runs.on_advanced`)."""

    def __init__(self, hooks: list[_Advanced], catalog: Callable[[], Catalog], clock: Clock) -> None:
        self._hooks = hooks
        self._catalog = catalog
        self._clock = clock
        self._last = 0
        self._kept: deque[tuple[int, Run | None, Run]] = deque(maxlen=_MOST_KEPT)
        self._is_new = asyncio.Event()
        self._asked_at = clock.steady()
        self._is_gathering = False
        self._is_over = False

    def stop(self) -> None:
        """The daemon stops: nobody is to wait any longer."""
        self._is_over = True
        self._is_new.set()

    async def changes(self, after: int | None, run_id: int | None, wait_s: float) -> dict[str, Any]:
        """What came after the change with this number, waited for; None: only which is the last one.

        `missed`: whether there was more than is kept. `is_over`: whether the daemon stops.
        """
        self._gather()
        if after is None:
            return {"last": self._last, "missed": False, "is_over": self._is_over, "changes": []}
        after = min(after, self._last)
        end = asyncio.get_running_loop().time() + wait_s
        while not (found := self._after(after, run_id)) and not self._is_over:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            self._is_new.clear()
            try:
                async with asyncio.timeout(left):
                    await self._is_new.wait()
            except TimeoutError:
                break
        self._asked_at = self._clock.steady()
        is_missed = bool(self._kept) and self._kept[0][0] > after + 1
        changes = [self._plain(*each) for each in found]
        return {"last": self._last, "missed": is_missed, "is_over": self._is_over, "changes": changes}

    def _gather(self) -> None:
        self._asked_at = self._clock.steady()
        if not self._is_gathering:
            self._is_gathering = True
            self._hooks.append(self._advanced)

    def _advanced(self, before: Run | None, after: Run) -> None:
        if self._clock.steady() - self._asked_at > _PATIENCE:
            self._is_gathering = False
            self._kept.clear()
            self._hooks[:] = [hook for hook in self._hooks if hook != self._advanced]
            return
        self._last += 1
        self._kept.append((self._last, before, after))
        self._is_new.set()

    def _after(self, number: int, run_id: int | None) -> list[tuple[Run | None, Run]]:
        return [(before, after) for each, before, after in self._kept if each > number and run_id in (None, after.id)]

    def _plain(self, before: Run | None, after: Run) -> dict[str, Any]:
        flow = self._catalog().flow(after.digest)
        known = () if before is None else before.trace
        is_cut = after.trace[: len(known)] != known
        earlier = () if is_cut else known
        records = [record for record in after.trace if record not in known] if is_cut else after.trace[len(known) :]
        return {
            **summary(after, flow),
            "is_new": before is None,
            "trace": [*told(flow, records, earlier)],
        }
