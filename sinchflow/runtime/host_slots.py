"""Places for calls of `http` steps: so many at once in all, and no host has more than its share.

A host that is slow keeps its own callers waiting, not those of others. How many may wait for one host is bounded too:
who comes then is to come again later, and rests in the journal meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

#: Calls under way at once, over all hosts and to one of them.
_AT_ONCE = 256
PER_HOST = 16
#: Calls that wait for one host in memory; more come again.
_MOST_WAITING = 2_000
#: When: not before the host's queue can have moved, and the later the more there are.
_AGAIN = timedelta(seconds=5)
_LONGEST = timedelta(minutes=10)


class _Host:
    __slots__ = ("away", "slots", "users")

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(PER_HOST)
        self.users = 0  # calls under way and waiting
        self.away = 0  # calls that were sent away since the queue was last short


class HostSlots:
    """See the module's text."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(_AT_ONCE)
        self._hosts: dict[str, _Host] = {}

    def come_again(self, host: str) -> timedelta | None:
        """After how long a call of this host is to come again, because too many wait; None: it may wait here."""
        found = self._hosts.get(host)
        if found is None or found.users < PER_HOST + _MOST_WAITING:
            return None
        found.away += 1
        return min(_AGAIN * (1 + found.away / _MOST_WAITING), _LONGEST)

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """Hold a place while the call is made; waits for one."""
        found = self._hosts.get(host)
        if found is None:
            found = self._hosts[host] = _Host()
        found.users += 1
        try:
            async with found.slots, self._all:
                yield
        finally:
            found.users -= 1
            if found.users < _MOST_WAITING:
                found.away = 0
            if not found.users:
                del self._hosts[host]


def host_of(url: str) -> str:
    """What tells hosts apart in a URL, which may hold references to secrets: all between `//` and the path."""
    return url.partition("//")[2].partition("/")[0].partition("?")[0].rpartition("@")[2].lower()
