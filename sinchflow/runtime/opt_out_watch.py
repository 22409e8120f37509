"""Keeps our suppression in step with the provider's list of opted-out numbers, which others change too.

The list is read now and then, behind everything else. Whoever is on it is suppressed; whoever we suppressed only
because of it, and is on no account's list any more, is let through again. What a person, the provider's notification, a
flow or an operator said stays as it is. A list that cannot be read takes nobody off.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from sinchflow.runtime.clock import Clock
from sinchflow.runtime.people import People
from sinchflow.sinch.authorisation import opted_out
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed

log = structlog.get_logger("sinchflow")

#: After a start: not before the messages that wait for it.
_FIRST_AFTER = timedelta(minutes=1)
EVERY = timedelta(hours=1)


class OptOutLists:
    """What the lists of all accounts said last."""

    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._clock = clock
        self._lists: dict[str, frozenset[str]] = {}
        #: by account: when its list was read; None: it cannot be, at present
        self.read_at: dict[str, datetime | None] = {}

    def take(
        self, account: str, numbers: frozenset[str], accounts: frozenset[str], asked_at: datetime
    ) -> tuple[int, int]:
        """One account's list: how many numbers were suppressed, how many let through.

        accounts: all there are. asked_at: who opted in since then may stand on it still.
        """
        self._lists[account] = numbers
        people, now = self._people, self._clock.now()
        self.read_at[account] = now
        new = [
            number
            for number in numbers
            if not people.is_suppressed(number) and not people.was_allowed_since(number, asked_at)
        ]
        for number in new:
            people.suppress(number, "list", now, f"on the list of account {account}")
        if accounts - self._lists.keys():
            return len(new), 0  # somebody may be on a list that was not read yet
        listed = frozenset().union(*(self._lists[each] for each in accounts))
        gone = people.unlisted(listed)
        for number in gone:
            people.allow(number, now)
        return len(new), len(gone)

    def lose(self, account: str) -> None:
        """The account's list cannot be read: what it said is not known to be so any more."""
        self._lists.pop(account, None)
        self.read_at[account] = None


class OptOutWatch:
    """Reads one account's list. accounts: the names of all whose lists are read."""

    def __init__(
        self, *, account: str, accounts: frozenset[str], calls: Calls, clock: Clock, lists: OptOutLists
    ) -> None:
        self._account = account
        self._accounts = accounts
        self._calls = calls
        self._clock = clock
        self._lists = lists

    async def keep(self) -> None:
        """Read the list soon, and then every so often, until cancelled."""
        await self._sleep(_FIRST_AFTER)
        while True:
            await self.look()
            await self._sleep(EVERY)

    async def look(self) -> None:
        """Read it once. While that cannot be done, what was known still holds."""
        asked_at = self._clock.now()
        try:
            numbers = frozenset(await opted_out(self._calls))
        except CallFailed as failure:
            self._lists.lose(self._account)
            log.warning("the provider's opt-out list cannot be read", account=self._account, reason=str(failure))
            return
        new, gone = self._lists.take(self._account, numbers, self._accounts, asked_at)
        if new or gone:
            log.info("opt-outs taken over from the provider's list", account=self._account, new=new, gone=gone)

    async def _sleep(self, duration: timedelta) -> None:
        due = asyncio.Event()
        self._clock.call_after(duration, due.set)
        await due.wait()
