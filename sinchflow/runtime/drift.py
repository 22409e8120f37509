"""Looks now and then whether the webhooks at the provider are still what the project says.

What the difference is, is for `deploy` to say: a floor above, so the check is handed in. It only looks; mending is
`sinchflow apply`, by a person.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from sinchflow.errors import SinchflowError
from sinchflow.model.project import DEFAULT_ACCOUNT, Webhooks
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.connections import Hooks
from sinchflow.runtime.stats import Stats
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed

log = structlog.get_logger("sinchflow")

#: The differences of one account, each one line; raises CallFailed.
CheckDrift = Callable[[Calls, Hooks, Webhooks, str], Awaitable[Sequence[str]]]

#: After a start, so that `apply` and `run` may come in either order.
_FIRST_AFTER = timedelta(seconds=30)


class DriftWatch:
    """One account's. The number of differences goes to `stats.drift`, their words to its troubles."""

    def __init__(self, check: CheckDrift, *, account: str, calls: Calls, clock: Clock, stats: Stats) -> None:
        self._check = check
        self._account = account
        self._calls = calls
        self._clock = clock
        self._stats = stats
        self._trouble = "drift" if account == DEFAULT_ACCOUNT else f"drift:{account}"

    async def keep(self, hooks: Hooks, webhooks: Webhooks, every: timedelta) -> None:
        """Check soon, and then every so often, until cancelled."""
        await self._sleep(min(_FIRST_AFTER, every))
        while True:
            await self.look(hooks, webhooks)
            await self._sleep(every)

    async def look(self, hooks: Hooks, webhooks: Webhooks) -> None:
        """Check once. While that cannot be done, what was found last still stands."""
        try:
            differences = await self._check(self._calls, hooks, webhooks, self._account)
        except (CallFailed, SinchflowError) as failure:
            log.warning("webhooks cannot be compared", account=self._account, reason=str(failure))
            return
        before = self._stats.drift.get(self._account, 0)
        self._stats.drift[self._account] = len(differences)
        if not differences:
            self._stats.troubles.pop(self._trouble, None)
            return
        words = f"webhooks differ from the project ({'; '.join(differences)}): see `sinchflow drift`, mend with `apply`"
        self._stats.troubles[self._trouble] = words
        if len(differences) != before:
            log.error("webhooks at the provider differ from the project", account=self._account, found=differences)

    async def _sleep(self, duration: timedelta) -> None:
        due = asyncio.Event()
        self._clock.call_after(duration, due.set)
        await due.wait()
