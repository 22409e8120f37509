"""Places for calls that are under way, shared out so that slow hosts do not keep others from theirs.

A host may have half as many as are still free, and never more than its limit: one slow host gets to its limit, five
leave an eighth of all places free between them, and whoever calls a host that nobody calls finds a place. (Dynamic
thresholds; Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998.)
Hosts whose calls wait take turns. How many may wait for one host is bounded too: who comes then is to come again
later, and rests in the journal meanwhile, so that callers of a host that is down do not fill the memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

#: Calls at once, over all hosts and to one host: the connections that `outbound` makes.
MOST, MOST_PER_HOST = 100, 20
#: Calls that wait for one host in memory; more come again.
_MOST_WAITING = 2_000
#: When: not before the host's queue can have moved, and the later the more there are.
_AGAIN = timedelta(seconds=5)
_LONGEST = timedelta(minutes=10)


class Places:
    """See the module's text."""

    def __init__(self, most: int = MOST, most_per_host: int = MOST_PER_HOST) -> None:
        self._free = most
        self._most_per_host = most_per_host
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of the turns
        self._away: dict[str, int] = {}  # calls that were sent away since a host's queue was last short

    def come_again(self, host: str) -> timedelta | None:
        """After how long a call of this host is to come again, because too many wait; None: it may wait here."""
        if len(self._waiting.get(host, ())) < _MOST_WAITING:
            self._away.pop(host, None)
            return None
        self._away[host] = self._away.get(host, 0) + 1
        return min(_AGAIN * (1 + self._away[host] / _MOST_WAITING), _LONGEST)

    @asynccontextmanager
    async def place(self, host: str) -> AsyncIterator[None]:
        """Wait for a place, and have it."""
        if host in self._waiting or not self._is_open(host):
            await self._wait(host)
        else:
            self._take(host)
        try:
            yield
        finally:
            self._give_back(host)

    def _is_open(self, host: str) -> bool:
        taken = self._taken.get(host, 0)
        return taken < self._most_per_host and 2 * taken < self._free

    def _take(self, host: str) -> None:
        self._free -= 1
        self._taken[host] = self._taken.get(host, 0) + 1

    async def _wait(self, host: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(host, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(host)
            elif turn in (turns := self._waiting.get(host, deque())):  # else it was its turn just now
                turns.remove(turn)
                if not turns:
                    del self._waiting[host]
            raise

    def _give_back(self, host: str) -> None:
        self._free += 1
        self._taken[host] -= 1
        if not self._taken[host]:
            del self._taken[host]
        while (next_ := next(filter(self._is_open, self._waiting), None)) is not None:
            turns = self._waiting.pop(next_)
            turn = turns.popleft()
            if turns:
                self._waiting[next_] = turns  # behind the other hosts
            if not turn.done():
                self._take(next_)
                turn.set_result(None)
