"""Bodies that came with the right token and could not be read: read again, once the template is mended, or given up.

A body that can be read now is an event like any other, and comes now: stored first, unless it is known already, and
then taken out of the quarantine. A crash in between leaves it in both; read once more, it is a repeat.

On the loop's thread; what is read of the journal is read in others. A body may have 8 MB, so few are held at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from sinchflow.errors import Unstorable
from sinchflow.journal.arrivals import Arrivals, Aside
from sinchflow.journal.journal import Act, Journal, Quarantined
from sinchflow.model.event import Event
from sinchflow.model.project import DEFAULT_ACCOUNT, CatchUp, Project
from sinchflow.runtime.catch_up import POLLED, time_of
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats
from sinchflow.sinch.payload import PayloadError, parse

TROUBLE = "quarantine"
#: What becomes of bodies that are read again; `NOT_STORED`: the journal takes nothing at the moment.
OUTCOMES = ("started", "too_late", "known", "unreadable")
NOT_STORED = "not_stored"
#: Bodies that are stored or deleted together, and their size: others wait for the journal's writer meanwhile.
_AT_A_TIME = 100
_MOST_BYTES = 16 * 1024 * 1024


class Quarantine:
    """See the module's text. path: of the journal. take: told about each new event once it is stored."""

    def __init__(
        self, *, path: Path, journal: Journal, commits: Commits, clock: Clock, stats: Stats,
        project: Callable[[], Project], take: Callable[[Event], None],
    ) -> None:  # fmt: skip
        self._path = path
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._project = project
        self._take = take
        self._counted_at = 0  #: bodies put into it until then

    def note(self, count: int) -> None:
        """So many bodies are in it now."""
        if not count:
            self._stats.troubles.pop(TROUBLE, None)
        elif TROUBLE not in self._stats.troubles:
            words = "1 webhook body" if count == 1 else f"{count} webhook bodies"
            self._stats.troubles[TROUBLE] = f"{words} could not be read: see `sinchflow events list --quarantined`"

    def count_again(self) -> None:
        """Retention may have deleted the last one. What came since the last time may still have to be stored."""
        before, self._counted_at = self._counted_at, self._stats.quarantined
        if TROUBLE in self._stats.troubles and before == self._counted_at:
            self.note(self._journal.quarantined())

    async def reparse(self, asked: Sequence[Aside], by: str, *, is_old_wanted: bool) -> tuple[Counter[str], int]:
        """Read these again: what became of how many, and how many bodies are left.

        is_old_wanted: also those that came longer ago than `catch_up.max_age` start what they match.
        """
        counts: Counter[str] = Counter()
        for portion in _portions(asked):
            bodies = await asyncio.to_thread(self._bodies, [each.id for each in portion])
            outcomes = await asyncio.gather(*(self._again(each, is_old_wanted=is_old_wanted) for each in bodies))
            counts.update(outcomes)
            are_left = ("unreadable", NOT_STORED)
            done = [body.id for body, outcome in zip(bodies, outcomes, strict=True) if outcome not in are_left]
            self._commits.unit.dequarantined.extend(done)
            self._commits.flush_soon()
            if counts[NOT_STORED]:
                return counts, len(asked)  # the journal does not take anything now, an act neither
            await self._stored()
        return counts, await self._left(self._act("reparse", by, counts) if asked else None)

    async def discard(self, asked: Sequence[Aside], by: str) -> int:
        """Give these up; how many bodies are left."""
        for portion in _portions(asked):
            self._commits.unit.dequarantined.extend(each.id for each in portion)
            await self._stored()
        return await self._left(self._act("discard", by, Counter(discarded=len(asked))) if asked else None)

    async def _again(self, body: Quarantined, *, is_old_wanted: bool) -> str:
        named, _, kind = body.path.rpartition("/")
        account = named or DEFAULT_ACCOUNT
        now = self._clock.now()
        described = self._project().all_accounts.get(account)
        if described is None:
            return self._refused(body, f'there is no account "{account}" under `accounts:` any more')
        try:
            event = parse(body.body, id=self._journal.new_id(), received_at=now, account=account)
        except PayloadError as error:
            return self._refused(body, error.reason)
        came_at = body.received_at
        if kind in POLLED:  # it may have been fetched long after it happened
            came_at = min(came_at, time_of(event.fields.get("date_received")) or came_at)
        max_age = (described.catch_up or CatchUp()).max_age
        is_late = now - came_at > max_age and not is_old_wanted
        if is_late:
            event = replace(event, ignored=_too_late(came_at, now, max_age))
        stored: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()

        def accepted(result: bool | Exception) -> None:
            if result is True:
                self._stats.events[event.kind] += 1
                self._take(event)
            if not stored.done():
                stored.set_result(result)

        self._journal.accept(event, accepted)
        result = await stored
        if isinstance(result, Unstorable):
            return self._refused(body, str(result))
        if isinstance(result, Exception):
            return NOT_STORED
        return "known" if not result else "too_late" if is_late else "started"

    def _refused(self, body: Quarantined, reason: str) -> str:
        if reason != body.reason:
            self._commits.unit.requarantined.append((body.id, reason))
        return "unreadable"

    def _act(self, what: str, by: str, counts: Counter[str]) -> Act:
        words = ", ".join(f"{counts[name]} {name}" for name in counts)
        return Act(
            id=self._journal.new_id(), at=self._clock.now(), what=what, subject="quarantine", detail=f"{by}: {words}"
        )

    async def _left(self, act: Act | None) -> int:
        """Store what was done; how many bodies are left. The trouble is over with the last one."""
        before = self._stats.quarantined
        if act is not None:
            self._commits.unit.acts.append(act)
        await self._stored()  # and whatever was put into quarantine before
        left = await asyncio.to_thread(self._count)
        if left or self._stats.quarantined == before:
            self.note(left)
        return left

    async def _stored(self) -> None:
        """Wait for what has been added until now."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._commits.unit.thens.append(lambda: None if stored.done() else stored.set_result(None))
        self._commits.flush_soon()
        await stored

    def _bodies(self, ids: Sequence[int]) -> list[Quarantined]:
        with Arrivals(self._path) as arrivals:
            return arrivals.bodies(ids)

    def _count(self) -> int:
        with Arrivals(self._path) as arrivals:
            return arrivals.quarantined()


def _portions(asked: Sequence[Aside]) -> Iterator[Sequence[Aside]]:
    """In order, so many at a time that they are not too large together."""
    portion, size_bytes = list[Aside](), 0
    for each in asked:
        if portion and (len(portion) == _AT_A_TIME or size_bytes + each.size_bytes > _MOST_BYTES):
            yield portion
            portion, size_bytes = [], 0
        portion.append(each)
        size_bytes += each.size_bytes
    if portion:
        yield portion


def _too_late(came_at: datetime, now: datetime, max_age: timedelta) -> str:
    late = timedelta(seconds=round((now - came_at).total_seconds()))
    return f"it could be read only {late} after it came, which is more than catch_up.max_age ({max_age})"
