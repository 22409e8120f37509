"""Events whose sender waits to hear which run they begin: starts by hand, and calls of flows' webhooks.

Such an event goes past the lanes, because nobody wants to wait for a contact's other runs before the answer. The
sender is told once the event and its run are on disk. A call that says who it is (`dedupe`) may come again: what it was
answered is kept with its run, so that a repeat gets the same answer, be it years and restarts later.

What each possible crash leaves: before the event is on disk nothing, and nobody was told; after it the next start
routes the event as any other, and a repeat of the call is told of the run that this begins, once it has.
"""

from collections.abc import Callable

import msgspec
import structlog

from sinchflow.errors import SinchflowError
from sinchflow.journal.journal import CallAnswer, Journal
from sinchflow.model.event import Event
from sinchflow.runtime.backlog import Backlog
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")


class NotYet(SinchflowError):
    """A call has come before, and its run has not begun yet: whoever asks again is told."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The run that began, or why none did."""

    run: int | None = None
    reason: str | None = None


Then = Callable[[Started | Exception], None]


def call_key(flow: str, value: str) -> str:
    """The key of a call's event: alike for two calls of a flow for which `dedupe` renders alike."""
    return f"{flow}\n{value}"


def kept_answer(event: Event, started: Started) -> tuple[CallAnswer, ...]:
    """What is to be stored with the run of a call that can come again."""
    if event.kind != "webhook" or "\n" not in event.key:
        return ()
    return (CallAnswer(event=event, run=started.run, reason=started.reason),)


class Starts:
    """See the module's text. begin: starts what an event matches, within the unit that is being gathered."""

    def __init__(
        self, *, journal: Journal, commits: Commits, stats: Stats, backlog: Backlog, begin: Callable[[Event], Started]
    ) -> None:
        self._journal = journal
        self._commits = commits
        self._stats = stats
        self._backlog = backlog
        self._begin = begin
        self._under_way: dict[tuple[str, str, str], list[Then]] = {}

    def start(self, event: Event, then: Then) -> None:
        """Store the event and begin its run. `then` is told when both are on disk, or why they are not."""
        key = (event.account, event.kind, event.key)
        if key in self._under_way:
            self._stats.repeats += 1
            self._under_way[key].append(then)
            return
        self._under_way[key] = [then]
        self._backlog.leave_out(event.id)

        def tell(answer: Started | Exception) -> None:
            for each in self._under_way.pop(key):
                each(answer)

        def accepted(result: bool | Exception) -> None:
            if result is not True:
                self._backlog.is_routed(event.id)  # it is not in the journal under this id
            if isinstance(result, Exception):
                tell(result)
            elif result:
                self._stats.events[event.kind] += 1
                self._route(event, tell)
            else:
                self._stats.repeats += 1
                tell(self._known(event))

        self._journal.accept(event, accepted)

    def _route(self, event: Event, tell: Callable[[Started | Exception], None]) -> None:
        try:
            started = self._begin(event)
        except Exception as error:  # our bug: whoever asked is told; the event stays for the next start
            self._stats.internal_errors += 1
            log.exception("internal error while starting a flow", event_id=event.id)
            tell(error)
            return

        def stored() -> None:
            self._backlog.is_routed(event.id)
            tell(started)

        self._commits.unit.thens.append(stored)
        self._commits.flush_soon()

    def _known(self, event: Event) -> Started | Exception:
        """What the first call was told."""
        try:
            answer = self._journal.answer(event)
        except SinchflowError as error:
            return error
        return NotYet() if answer is None else Started(run=answer.run, reason=answer.reason)
