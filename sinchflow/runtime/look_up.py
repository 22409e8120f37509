"""Looking up messages in doubt in one account's detail report: when, which, and what an answer proves.

A look asks for the messages in doubt and for some that were taken later: when one of these shows, the report has got
past the doubt. First looks come quickly, because most doubts are resolved by them, later ones ever more rarely.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog

from sinchflow.runtime.clock import Clock
from sinchflow.runtime.line import RankedCalls
from sinchflow.runtime.settled import SEND_ID
from sinchflow.runtime.stats import Stats
from sinchflow.sinch import detail_reports
from sinchflow.sinch.detail_reports import Reported
from sinchflow.sinch.failure import CallFailed

if TYPE_CHECKING:
    from sinchflow.runtime.settle import Doubt

log = structlog.get_logger("sinchflow")

_FIRST_LOOK = timedelta(seconds=2)
_LONGEST_PAUSE = timedelta(seconds=60)
#: Messages of one call that are asked for: one is enough, but the report may show them one after the other.
_OF_A_CALL = 3
#: Later messages that are asked for, and how far apart they are at least.
_MARKS = 8
_BETWEEN_MARKS = timedelta(seconds=5)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a look has shown. asked_at: when it began, by the steady time. asked: the sends that it asked for.

    found: by send. watermark: the latest call whose message the report shows; None: it shows none.
    """

    asked_at: datetime
    asked: frozenset[int]
    found: Mapping[int, Reported]
    watermark: int | None

    def is_absent(self, doubt: "Doubt", settling_time: timedelta) -> bool:
        """Whether a message that was not found is known to be missing."""
        is_settled = self.asked_at >= doubt.since + settling_time
        return is_settled and self.watermark is not None and self.watermark > doubt.after


class LookUp:
    """See the module's text. wanted: the doubts of the account. deadline: until when a doubt is looked up.

    judge: told what each look has shown, None when it failed. write: the id that the provider knows a send by.
    """

    def __init__(
        self,
        *,
        account: str,
        calls: RankedCalls,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        write: Callable[[int], str],
        wanted: Callable[[], Sequence["Doubt"]],
        settling_time: Callable[[], timedelta],
        deadline: Callable[["Doubt"], datetime],
        judge: Callable[[str, Evidence | None], None],
    ) -> None:
        self._account = account
        self._calls = calls
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._write = write
        self._wanted = wanted
        self._settling_time = settling_time
        self._deadline = deadline
        self._judge = judge
        self._marks: deque[tuple[int, int]] = deque(maxlen=_MARKS)  # a send and its call
        self._marked_at: datetime | None = None
        self._latest: tuple[int, int] | None = None  # perhaps the only one since a doubt
        self._pause = _FIRST_LOOK
        self._due: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False

    def note_taken(self, send_id: int, call: int) -> None:
        """The provider has taken this message in this call: it is one that the report will show."""
        now = self._clock.steady()
        if self._latest is None or call > self._latest[1]:
            self._latest = (send_id, call)
        if self._marked_at is None or now - self._marked_at >= _BETWEEN_MARKS:
            self._marked_at = now
            self._marks.append((send_id, call))

    def begin(self) -> None:
        """There is a new doubt: look soon."""
        self._pause = _FIRST_LOOK
        self._loop.call_soon(self._plan)

    async def stop(self) -> None:
        """Look no more."""
        self._is_stopping = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _look_at(self, when: datetime) -> None:
        if self._due is None or when < self._due:
            self._due = when
            self._clock.call_after(when - self._clock.steady(), lambda: self._look(when))

    def _look(self, when: datetime) -> None:
        if self._due != when or self._is_stopping:
            return  # another one was wanted sooner
        self._due = None
        if self._task is None and self._wanted():
            self._task = self._loop.create_task(self._ask())
            self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:  # our bug: the messages stay in doubt
            self._stats.internal_errors += 1
            log.error("internal error in a look-up; it is tried again", exc_info=error)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._plan()

    def _plan(self) -> None:
        if doubts := self._wanted():
            self._look_at(self._next(doubts))

    def _next(self, doubts: Sequence["Doubt"]) -> datetime:
        """After the pause, but as soon as a doubt's settling time or its last moment has come."""
        now = self._clock.steady()
        moments = [when for each in doubts for when in (each.since + self._settling_time(), self._deadline(each))]
        return min([now + self._pause, *(when for when in moments if when > now)])

    async def _ask(self) -> None:
        """One round: all doubts, in as many calls as they need."""
        now, doubts = self._clock.steady(), self._wanted()
        if not doubts:
            return  # all were resolved since the look was planned
        evidence: Evidence | None = None
        try:
            evidence = await self._evidence(doubts, now)
            self._stats.troubles.pop(self._trouble, None)
        except CallFailed as failure:
            words = f"messages of unknown outcome cannot be looked up: {failure.message}"
            if failure.kind == "refused":
                words += "; until that works they are held (`on_unknown` and `unknown_after` say what becomes of them)"
            if self._trouble not in self._stats.troubles:
                log.warning("a look-up failed", account=self._account, reason=failure.message)
            self._stats.troubles[self._trouble] = words
        self._judge(self._account, evidence)
        if not self._wanted():
            self._stats.troubles.pop(self._trouble, None)

    @property
    def _trouble(self) -> str:
        return f"look_up:{self._account}"

    async def _evidence(self, doubts: Sequence["Doubt"], now: datetime) -> Evidence:
        marks = dict([*self._marks, *([self._latest] if self._latest else [])])
        ids = [*dict.fromkeys([*_chosen(doubts, now - self._settling_time()), *marks])]
        since, until = self._span(doubts, now)
        by_value = {self._write(send_id): send_id for send_id in ids}
        values, found = list(by_value), dict[int, Reported]()
        for start in range(0, len(values), detail_reports.MOST):
            portion = frozenset(values[start : start + detail_reports.MOST])
            self._stats.look_ups += 1
            for each in await detail_reports.find(self._calls, SEND_ID, portion, since, until):
                self._note_twice(found.get(by_value[each.value]), each)
                found[by_value[each.value]] = each
        seen = [call for send_id, call in marks.items() if send_id in found]
        return Evidence(
            asked_at=now, asked=frozenset(ids), found=found,
            watermark=max(seen, default=None),
        )  # fmt: skip

    def _span(self, doubts: Sequence["Doubt"], now: datetime) -> tuple[datetime, datetime]:
        """When the messages may have been taken, by a clock that may have been wrong when they began, or be it now."""
        passed, wall = now - min(each.since for each in doubts), self._clock.now()
        begun = [each.send.created_at for each in doubts]
        return min(*begun, wall - passed), max(*begun, wall - passed) + passed

    def _note_twice(self, one: Reported | None, other: Reported) -> None:
        """The provider has two messages of one send: say so, once for each look that shows it."""
        if one is not None and one.message_id != other.message_id:
            self._stats.sent_twice += 1
            log.warning("a message went out twice", message_ids=[one.message_id, other.message_id])


def _chosen(doubts: Sequence["Doubt"], settled: datetime) -> list[int]:
    """Some of each call; all where the answer may decide (in doubt since before `settled`), or their ids are wanted."""
    chosen: list[int] = []
    counts: dict[int, int] = {}
    for each in doubts:
        call = each.send.call or 0
        if each.is_proven or each.since <= settled or counts.get(call, 0) < _OF_A_CALL:
            counts[call] = counts.get(call, 0) + 1
            chosen.append(each.send.id)
    return chosen
