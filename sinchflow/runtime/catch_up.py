"""Fetches what webhooks missed: unconfirmed replies and delivery reports, stored first, then confirmed.

The provider keeps one queue of each per account and gives its oldest entries until they are confirmed (sinch-api.md
sections 4 and 5). Whatever a webhook has brought already is a repeat here and starts nothing again. Confirming hides an
entry from every other reader of the account, so nothing of this happens unless the project asks for it.

What each possible crash leaves: before an entry is stored it is unconfirmed, and fetched again; between storing and
confirming too, and is then a repeat. An entry that cannot be read goes to the quarantine, so that it holds up nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from msgspec.structs import replace

from sinchflow.errors import JournalError
from sinchflow.journal.journal import Changes, Journal, Quarantined
from sinchflow.model.event import Event
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.stats import Stats
from sinchflow.sinch import reports
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed
from sinchflow.sinch.payload import PayloadError, parse

log = structlog.get_logger("sinchflow")


class _Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One of the provider's two queues. `id_field`: what names an entry, for people and for confirming."""

    name: str
    id_field: str
    fetch: Callable[[Calls], Awaitable[Sequence[bytes]]]
    confirm: Callable[[Calls, Sequence[str]], Awaitable[None]]


_QUEUES = (
    _Queue(
        name="replies", id_field="reply_id", fetch=reports.unconfirmed_replies, confirm=reports.confirm_replies
    ),
    _Queue(
        name="delivery reports", id_field="delivery_report_id", fetch=reports.unconfirmed_reports,
        confirm=reports.confirm_reports,
    ),
)  # fmt: skip
#: What stands as the path of entries that could not be read.
POLLED = frozenset(queue.name for queue in _QUEUES)


class CatchUp:
    """One account's. `take` is told about each new event once it is stored."""

    def __init__(
        self, *, account: str, calls: Calls, journal: Journal, clock: Clock, stats: Stats, take: Callable[[Event], None]
    ) -> None:
        self._account = account
        self._calls = calls
        self._journal = journal
        self._clock = clock
        self._stats = stats
        self._take = take
        self._trouble = "catch_up" if account == DEFAULT_ACCOUNT else f"catch_up:{account}"

    async def keep(self, every: timedelta | None, max_age: timedelta, *, at_once: bool) -> None:
        """Run every so often until cancelled; `every` None is never again. at_once: also now."""
        if at_once:
            await self.run(max_age)
        while every is not None:
            due = asyncio.Event()
            self._clock.call_after(every, due.set)
            await due.wait()
            await self.run(max_age)

    async def run(self, max_age: timedelta) -> int:
        """Empty both queues; how many events were new. What fails is noted as trouble, and tried again next time."""
        found = 0
        try:
            for queue in _QUEUES:
                found += await self._empty(queue, max_age)
        except (CallFailed, JournalError) as error:
            words = f"replies and delivery reports cannot be fetched: {error}"
            self._stats.troubles[self._trouble] = words
            log.warning("catch-up failed; it is tried again", account=self._account, reason=str(error))
        else:
            self._stats.troubles.pop(self._trouble, None)
        if found:
            log.info("caught up", account=self._account, new_events=found)
        return found

    async def _empty(self, queue: _Queue, max_age: timedelta) -> int:
        found = 0
        confirmed: set[str] = set()
        while entries := await queue.fetch(self._calls):
            ids = [entry_id for entry in entries if (entry_id := _id(entry, queue.id_field)) is not None]
            if confirmed.issuperset(ids):  # the queue does not move: what is left cannot be confirmed
                return found
            results = await asyncio.gather(*(self._store(entry, queue, max_age) for entry in entries))
            found += sum(results)
            await queue.confirm(self._calls, [each for each in ids if each not in confirmed])
            confirmed.update(ids)
            if len(entries) < reports.MOST:
                break
        return found

    async def _store(self, entry: bytes, queue: _Queue, max_age: timedelta) -> bool:
        """Store one entry durably; whether it was new. Raises JournalError."""
        now = self._clock.now()
        try:
            event = parse(entry, id=self._journal.new_id(), received_at=now, account=self._account)
        except PayloadError as error:
            await self._quarantine(entry, queue, error.reason, now)
            return False
        event = replace(event, ignored=self._why_ignored(event, max_age, now))
        answer: asyncio.Future[bool | Exception] = asyncio.get_running_loop().create_future()

        def accepted(result: bool | Exception) -> None:
            """Also when a reload has ended this task meanwhile: who is stored must be routed."""
            if result is True:
                self._stats.events[event.kind] += 1
                self._stats.fetched[event.kind] += 1
                self._take(event)
            if not answer.done():
                answer.set_result(result)

        self._journal.accept(event, accepted)
        stored = await answer
        if isinstance(stored, Exception):
            raise JournalError(str(stored)) from stored
        return stored

    async def _quarantine(self, entry: bytes, queue: _Queue, reason: str, now: datetime) -> None:
        self._stats.quarantined += 1
        self._stats.troubles["quarantine"] = f"one of the polled {queue.name} could not be read: {reason}"
        log.error("a polled entry could not be read; kept in quarantine", queue=queue.name, reason=reason)
        path = queue.name if self._account == DEFAULT_ACCOUNT else f"{self._account}/{queue.name}"
        kept = Quarantined(id=self._journal.new_id(), received_at=now, path=path, reason=reason, body=entry)
        stored: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._journal.commit(
            Changes(quarantined=(kept,)), lambda error: None if stored.done() else stored.set_result(error)
        )
        error = await stored
        if error is not None:
            raise JournalError(str(error)) from error

    def _why_ignored(self, event: Event, max_age: timedelta, now: datetime) -> str | None:
        """Why an event that comes this late starts nothing; None where it does. One without a date counts as new."""
        happened_at = time_of(event.fields.get("date_received"))
        if happened_at is None:
            return None
        if happened_at < self._journal.born_at:
            return "it is from before this journal was begun"
        if now - happened_at > max_age:
            return f"it was fetched {now - happened_at} late, which is more than catch_up.max_age ({max_age})"
        return None


def _id(entry: bytes, field: str) -> str | None:
    try:
        found = msgspec.json.decode(entry, type=dict[str, msgspec.Raw]).get(field)
        return None if found is None else msgspec.json.decode(found, type=str)
    except (msgspec.DecodeError, RecursionError):
        return None


def time_of(text: object) -> datetime | None:
    """A time of the provider's; without a zone it is UTC (sinch-api.md section 5)."""
    if not isinstance(text, str):
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
