"""One account's line to the provider for everything but sends: questions of steps, look-ups, polls.

All calls of an account share its throttle (`CallWindow`), the sends' included, and each is stored before its first
byte leaves, so that a restart counts it too. Sends go before questions, questions before look-ups, these before polls;
whoever has waited for a whole window goes next all the same, so that nobody starves.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime
from enum import IntEnum

from sinchflow.journal.journal import Journal
from sinchflow.model.send import Call
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.window import CallWindow
from sinchflow.sinch.client import Answer, Client, NotSent, Unknown

_KEY_REFUSED = "the provider refuses the API key (401); check `credentials`"


class Rank(IntEnum):
    """Who goes first when calls are scarce."""

    QUESTION = 0  #: a run waits for the answer
    LOOK_UP = 1  #: a message's outcome is unknown
    POLL = 2  #: a timer asks


class _Turn:
    """One call that waits."""

    __slots__ = ("granted", "is_over", "rank", "since")

    def __init__(self, rank: Rank, since: datetime, granted: asyncio.Future[None]) -> None:
        self.rank = rank
        self.since = since
        self.granted = granted
        self.is_over = False


class Line:
    """See the module's text. `has_sends`: whether sends would make a call now. `trouble`: see `Outbox`."""

    def __init__(
        self,
        *,
        account: str,
        trouble: str,
        client: Client | None,
        window: CallWindow,
        has_sends: Callable[[], bool],
        journal: Journal,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.client = client
        self._account = account
        self._trouble = trouble
        self._window = window
        self._has_sends = has_sends
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._waiting: list[tuple[Rank, int, _Turn]] = []
        self._order = itertools.count()
        self._wakes_at: datetime | None = None
        self._is_stopping = False

    def calls(self, rank: Rank) -> "RankedCalls":
        """The line as `sinch` functions take it."""
        return RankedCalls(self, rank)

    def look_again(self) -> None:
        """Whoever waits may go now: the throttle's limits have changed."""
        self._pump()

    def stop(self) -> None:
        """Cancel whoever waits for a turn, now and from now on: the wait can be longer than the end of a daemon."""
        self._is_stopping = True
        for _, _, turn in self._waiting:
            turn.granted.cancel()

    async def call(self, rank: Rank, method: str, target: str, body: bytes) -> Answer | NotSent | Unknown:
        """Make one call when its turn has come; see `Client.call`."""
        turn = _Turn(rank, self._clock.steady(), self._loop.create_future())
        if self._is_stopping:
            turn.granted.cancel()
        heapq.heappush(self._waiting, (rank, next(self._order), turn))
        self._pump()
        try:
            await turn.granted
        finally:
            turn.is_over = True
        if self.client is None:
            return NotSent(reason=f'account "{self._account}" is not in sinchflow.yaml')
        result = await self.client.call(method, target, body)
        self._stats.calls[type(result).__name__] += 1
        if isinstance(result, Answer):
            self._note_key(is_refused=result.status == 401)
        return result

    def _note_key(self, *, is_refused: bool) -> None:
        """Whether the key works is known before the first send asks. What a send has noted is the sends' to clear."""
        troubles = self._stats.troubles
        if is_refused:
            troubles.setdefault(self._trouble, _KEY_REFUSED)
        elif troubles.get(self._trouble) == _KEY_REFUSED:
            del troubles[self._trouble]

    def _pump(self) -> None:
        """Grant as many turns as the window has room for."""
        while self._waiting:
            _, _, turn = self._waiting[0]
            if turn.is_over:
                heapq.heappop(self._waiting)
                continue
            now = self._clock.steady()
            opens_at = self._opens_at(turn, now)
            if opens_at > now:
                self._wake_at(opens_at)
                return
            heapq.heappop(self._waiting)
            self._grant(turn, now)

    def _opens_at(self, turn: _Turn, now: datetime) -> datetime:
        """When this turn's call may start; may be a time to look again."""
        limits = self._window.limits
        opens_at = self._window.opens_at(now, 1)
        if limits.calls is None or now - turn.since >= limits.per:
            return opens_at
        if self._has_sends() or (turn.rank is Rank.POLL and self._window.used(now) > limits.calls / 2):
            return max(opens_at, now + limits.per / limits.calls)
        return opens_at

    def _grant(self, turn: _Turn, now: datetime) -> None:
        self._window.note(now)
        unit = self._commits.unit
        unit.calls.append(Call(id=self._journal.new_id(), account=self._account, started_at=self._clock.now()))
        unit.thens.append(lambda: self._go(turn, now))
        self._commits.flush_soon()

    def _go(self, turn: _Turn, noted: datetime) -> None:
        if not turn.granted.done():
            self._window.leaves(noted, self._clock.steady())
            turn.granted.set_result(None)

    def _wake_at(self, when: datetime) -> None:
        if self._wakes_at is None or when < self._wakes_at:
            self._wakes_at = when
            self._clock.call_after(when - self._clock.steady(), self._wake)

    def _wake(self) -> None:
        self._wakes_at = None
        self._pump()


class RankedCalls:
    """The provider's API at one rank; what `sinch.client.Calls` asks for."""

    def __init__(self, line: Line, rank: Rank) -> None:
        self._line = line
        self._rank = rank

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """See `Line.call`."""
        return await self._line.call(self._rank, method, target, body)
