"""Gathers what is decided within one turn of the loop into one unit of the journal, and never gives up storing it.

Whoever decides something calls `add` with the rows and with what to do once they are on disk. A unit that the journal
refuses (disk full, say) is handed in again every second, in order, while later decisions wait behind it: nothing is
performed that is not stored.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog

from sinchflow.errors import Unstorable
from sinchflow.journal.journal import Act, CallAnswer, Changes, FlowSource, Journal, Quarantined, Tick
from sinchflow.model.contact import ContactChange, Lifted, Suppression
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")

_RETRY_EVERY = timedelta(seconds=1)


class _Unit:
    """Rows and callbacks of one unit while it gathers."""

    __slots__ = (
        "acts", "answers", "calls", "contacts", "dequarantined", "kept", "new_sends", "notes", "quarantined",
        "released", "requarantined", "routed", "runs", "sends", "settings", "sources", "suppressions", "thens", "ticks",
    )  # fmt: skip

    def __init__(self) -> None:
        self.routed: list[int] = []
        self.runs: list[Run] = []
        self.new_sends: list[Send] = []
        self.sends: list[Send] = []
        self.calls: list[Call] = []
        self.sources: list[FlowSource] = []
        self.quarantined: list[Quarantined] = []
        self.dequarantined: list[int] = []
        self.requarantined: list[tuple[int, str]] = []
        self.kept: list[tuple[int, str, tuple[Any, ...]]] = []
        self.contacts: list[ContactChange] = []
        self.suppressions: list[Suppression | Lifted] = []
        self.ticks: list[Tick] = []
        self.answers: list[CallAnswer] = []
        self.notes: list[tuple[int, dict[str, Any]]] = []
        self.acts: list[Act] = []
        self.settings: list[tuple[str, str | None]] = []
        self.released: list[int] = []
        self.thens: list[Callable[[], None]] = []

    def changes(self) -> Changes:
        return Changes(
            routed=tuple(self.routed),
            runs=tuple(self.runs),
            new_sends=tuple(self.new_sends),
            sends=tuple(self.sends),
            calls=tuple(self.calls),
            sources=tuple(self.sources),
            quarantined=tuple(self.quarantined),
            dequarantined=tuple(self.dequarantined),
            requarantined=tuple(self.requarantined),
            contacts=tuple(self.contacts),
            suppressions=tuple(self.suppressions),
            ticks=tuple(self.ticks),
            answers=tuple(self.answers),
            kept=tuple(self.kept),
            notes=tuple(self.notes),
            acts=tuple(self.acts),
            settings=tuple(self.settings),
            released=tuple(self.released),
        )


class Commits:
    """See the module's text. `unit` may be filled directly; `flush_soon` sees to it that it is stored."""

    def __init__(self, journal: Journal, clock: Clock, stats: Stats, loop: asyncio.AbstractEventLoop) -> None:
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._is_scheduled = False
        self._is_failing = False
        self._failed: list[tuple[Changes, list[Callable[[], None]]]] = []  # to be handed in again, in order
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.unit = _Unit()
        #: called with each thing that an operator did, once it is on disk
        self.on_acts: list[Callable[[Act], None]] = []

    def flush_soon(self) -> None:
        """Store the unit at the end of this turn of the loop."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._idle.clear()
            self._loop.call_soon(self._flush)

    async def drain(self) -> None:
        """Wait until everything added is on disk, and whatever was added because of that."""
        while not self._idle.is_set():
            await self._idle.wait()

    def _flush(self) -> None:
        if self._is_failing:
            return  # behind the unit that could not be stored; `_stored` comes back to it
        self._is_scheduled = False
        unit, self.unit = self.unit, _Unit()
        self._hand_in(unit.changes(), unit.thens)

    def _hand_in(self, changes: Changes, thens: list[Callable[[], None]]) -> None:
        self._in_flight += 1
        self._journal.commit(changes, lambda error: self._stored(error, changes, thens))

    def _hand_in_again(self) -> None:
        failed, self._failed = self._failed, []
        for changes, thens in failed:
            self._hand_in(changes, thens)

    def _stored(self, error: Exception | None, changes: Changes, thens: list[Callable[[], None]]) -> None:
        self._in_flight -= 1
        if isinstance(error, Unstorable):  # our bug: its runs stay where they were, all others go on
            self._stats.internal_errors += 1
            log.error("internal error: a decision cannot be stored and is dropped", reason=str(error))
            thens = []
        elif error is not None:
            self._is_failing = True
            self._failed.append((changes, thens))
            if len(self._failed) == 1:
                self._clock.call_after(_RETRY_EVERY, self._hand_in_again)
            self._stats.troubles["journal"] = str(error)
            return
        if self._is_failing:
            self._is_failing = False
            self._stats.troubles.pop("journal", None)
            if self._is_scheduled:
                self._loop.call_soon(self._flush)
        for act in changes.acts if error is None else ():
            for tell in self.on_acts:
                tell(act)
        for then in thens:
            self._loop.call_soon(then)
        if not self._in_flight and not self._is_scheduled and not self._failed:
            self._idle.set()
