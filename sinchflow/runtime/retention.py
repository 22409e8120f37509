"""Asks the journal every minute to let go of what is no longer kept, and says when it cannot be made small enough.

A clock that shows far more than has passed may be wrong, and what is deleted is gone. So a leap is believed only when
the clock has stood by it for a day; until then the age of things is counted without it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from sinchflow.journal.journal import Journal
from sinchflow.journal.retained import Retained
from sinchflow.model.project import Retention
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")

#: A busy daemon writes less than a gigabyte in this time.
_EVERY = timedelta(minutes=1)
#: The first time, a start has other things to do.
_AFTER_START = timedelta(seconds=5)
#: Under which subject it is noted that the journal is too large.
TROUBLE = "retention"
#: What is younger is never deleted, however large the journal is.
_LEAST = timedelta(hours=1)
#: More than any correction of a clock that was kept right before, and what a leap has to last to be believed.
_LEAP = timedelta(days=1)


class Keeping:
    """See the module's text. then: called after each time. On the loop's thread only."""

    def __init__(
        self, *, journal: Journal, clock: Clock, stats: Stats, latest: datetime | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """latest: what the journal has seen last, by the wall clock; None: nothing."""
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._then = then
        self._believed = (latest or clock.now(), clock.steady())  # what both clocks showed at one time
        self._leapt: datetime | None = None  # since when it is not believed, by the steady time
        self._rules: Retention | None = None
        self._least = _LEAST
        self._is_stopped = False

    def set(self, rules: Retention, memory: timedelta) -> None:
        """Go by these from now on. memory: how far back throttles and budgets count; nothing younger is deleted."""
        is_first = self._rules is None
        self._rules, self._least = rules, max(memory, _LEAST)
        if is_first:
            self._ask_in(_AFTER_START)

    def stop(self) -> None:
        """Ask no more."""
        self._is_stopped = True

    def _ask_in(self, span: timedelta) -> None:
        self._clock.call_after(span, self._ask)

    def _ask(self) -> None:
        if self._is_stopped or self._rules is None:
            return
        rules, least = self._rules, self._least
        if rules.runs is not None and rules.runs < least:
            rules = Retention(events=rules.events, runs=least, max_size_bytes=rules.max_size_bytes, traces=rules.traces)
        self._journal.retain(rules, self._now(), least, self._done)

    def _now(self) -> datetime:
        """The wall clock's time, or what it would be without a leap that is not believed yet."""
        now, steady = self._clock.now(), self._clock.steady()
        expected = self._believed[0] + (steady - self._believed[1])
        if now <= expected + _LEAP or (self._leapt is not None and steady - self._leapt >= _LEAP):
            self._believed, self._leapt = (now, steady), None
            return now
        if self._leapt is None:
            self._leapt = steady
            log.warning(
                "the clock shows much more than has passed since the journal was last used: what is too old only by "
                "that is deleted when the clock still shows so in a day",
                clock=now.isoformat(), last=expected.isoformat(),
            )  # fmt: skip
        return expected

    def _done(self, result: Retained | Exception) -> None:
        if self._is_stopped:
            return
        self._ask_in(_EVERY)
        if isinstance(result, Exception):  # the next sweep goes on; what keeps the journal from working is told anyway
            log.warning("what is no longer kept could not be deleted; it is tried again", reason=str(result))
            return
        self._note(result)
        self._then()
        if not result.is_nothing:
            log.info(
                "deleted what is no longer kept", events=result.events, contents=result.emptied, runs=result.runs,
                sends=result.sends, traces=result.slimmed, size_bytes=result.size_bytes,
            )  # fmt: skip

    def _note(self, result: Retained) -> None:
        gone = {"events": result.events, "event_contents": result.emptied, "runs": result.runs, "sends": result.sends,
                "traces": result.slimmed}  # fmt: skip
        self._stats.retained.update({kind: count for kind, count in gone.items() if count})
        most = None if self._rules is None else self._rules.max_size_bytes
        if not result.is_too_large or most is None:
            self._stats.troubles.pop(TROUBLE, None)
            return
        words = (
            f"the journal holds {result.size_bytes / 1e6:,.0f} MB and may hold {most / 1e6:,.0f} MB "
            "(retention.max_size), and nothing more may be deleted: what is left is open, or still counts for a "
            "throttle; raise max_size, or end runs with `sinchflow runs cancel`"
        )
        if self._stats.troubles.get(TROUBLE) is None:
            log.warning(words)
        self._stats.troubles[TROUBLE] = words
