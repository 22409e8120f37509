"""Bodies that came with the right token and could not be read: read again, once the template is mended, or given up.

A body that can be read now is an event like any other: stored first, unless it is known already, and then taken out of
the quarantine. A crash in between leaves it in both; read once more, it is a repeat. On the loop's thread only.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from sinchflow.journal.journal import Act, Journal, Quarantined
from sinchflow.model.event import Event
from sinchflow.model.project import DEFAULT_ACCOUNT, CatchUp, Project
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats
from sinchflow.sinch.payload import PayloadError, parse

TROUBLE = "quarantine"
#: Bodies that are stored together.
_AT_A_TIME = 100


class Quarantine:
    """See the module's text. take: told about each new event once it is stored."""

    def __init__(
        self, *, journal: Journal, commits: Commits, clock: Clock, stats: Stats, project: Callable[[], Project],
        take: Callable[[Event], None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._project = project
        self._take = take

    def note(self, count: int) -> None:
        """So many bodies are in it now."""
        if not count:
            self._stats.troubles.pop(TROUBLE, None)
        elif TROUBLE not in self._stats.troubles:
            words = "1 webhook body" if count == 1 else f"{count} webhook bodies"
            self._stats.troubles[TROUBLE] = f"{words} could not be read: see `sinchflow events list --quarantined`"

    async def reparse(self, bodies: Sequence[Quarantined], by: str, *, is_old_wanted: bool) -> Counter[str]:
        """Read these again: how many `started` on their way, were `too_late`, `known` already, are still `unreadable`.

        is_old_wanted: also those that came longer ago than `catch_up.max_age` start what they match.
        """
        counts: Counter[str] = Counter()
        for start in range(0, len(bodies), _AT_A_TIME):
            portion = bodies[start : start + _AT_A_TIME]
            outcomes = await asyncio.gather(*(self._again(each, is_old_wanted=is_old_wanted) for each in portion))
            counts.update(outcomes)
            done = [each.id for each, outcome in zip(portion, outcomes, strict=True) if outcome != "unreadable"]
            self._commits.unit.dequarantined.extend(done)
            await self._stored()
        await self._act("reparse", by, counts)
        return counts

    async def discard(self, ids: Sequence[int], by: str) -> None:
        """Give these up."""
        self._commits.unit.dequarantined.extend(ids)
        await self._act("discard", by, Counter(discarded=len(ids)))

    async def _again(self, body: Quarantined, *, is_old_wanted: bool) -> str:
        account, _, _ = body.path.rpartition("/")
        account = account or DEFAULT_ACCOUNT
        try:
            event = parse(body.body, id=self._journal.new_id(), received_at=body.received_at, account=account)
        except PayloadError as error:
            if error.reason != body.reason:
                self._commits.unit.requarantined.append((body.id, error.reason))
            return "unreadable"
        late = self._clock.now() - body.received_at
        is_late = late > self._max_age(account) and not is_old_wanted
        if is_late:
            event = replace(event, ignored=f"it could be read only {_whole(late)} after it came (events reparse)")
        stored: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()

        def accepted(result: bool | Exception) -> None:
            if result is True:
                self._stats.events[event.kind] += 1
                self._take(event)
            if not stored.done():
                stored.set_result(result)

        self._journal.accept(event, accepted)
        result = await stored
        if isinstance(result, Exception):
            return "unreadable"  # it stays where it is
        return "known" if not result else "too_late" if is_late else "started"

    def _max_age(self, account: str) -> timedelta:
        described = self._project().all_accounts.get(account)
        catch_up = None if described is None else described.catch_up
        return (catch_up or CatchUp()).max_age

    async def _act(self, what: str, by: str, counts: Counter[str]) -> None:
        words = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
        act = Act(
            id=self._journal.new_id(), at=self._clock.now(), what=what, subject="quarantine", detail=f"{by}: {words}"
        )
        self._commits.unit.acts.append(act)
        await self._stored()

    async def _stored(self) -> None:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.unit.thens.append(lambda: None if stored.done() else stored.set_result(None))
        self._commits.flush_soon()
        await stored


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
