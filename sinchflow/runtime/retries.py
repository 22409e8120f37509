"""Retrying runs that failed: looked at in a thread, then decided and taken up in one go, or refused with one line.

What a retry has to know of the first try (messages that were sent after the run had ended, messages of which nothing is
known yet, runs that it waited for) is read from the journal by `look`; nothing is changed before all of it is known.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from sinchflow.engine import interpreter
from sinchflow.engine.retrying import CannotRetry, why_not
from sinchflow.journal.journal import Journal
from sinchflow.journal.stories import Stories
from sinchflow.model.command import Sent
from sinchflow.model.event import as_opt_out
from sinchflow.model.flow import Flow
from sinchflow.model.run import Run, Transition
from sinchflow.model.send import Send
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.matching import Matching
from sinchflow.runtime.runs import Runs


class Found(msgspec.Struct, frozen=True):
    """A run as it was when somebody looked, what its messages came to, and the runs that it waited for."""

    run: Run
    late: tuple[Sent, ...] = ()
    open: tuple[Send, ...] = ()
    children: tuple["Found", ...] = ()


def look(path: Path, run_id: int) -> Found | None:
    """What is to be known before a retry; None when there is no such run. Not on the daemon's loop thread."""
    with Stories(path) as stories:
        run = stories.run(run_id)
        return None if run is None else _look(stories, run)


def _look(stories: Stories, run: Run) -> Found:
    if why_not(run) is not None or run.stand is None:
        return Found(run)
    sends, is_all = stories.sends_of(run)
    if not is_all:
        raise CannotRetry(f"run {run.id} cannot be retried: it has too many messages to tell which of them were sent")
    late = tuple(
        Sent(command=send.command.id, message={**send.command.body, "message_id": send.message_id, "status": None})
        for send in sends
        if send.state == "sent"
    )
    children = {child for cursor in run.stand.cursors for child in cursor.runs.values()}
    found = [_look(stories, child) for child in stories.ids(children)]
    return Found(run, late, tuple(send for send in sends if send.is_open), tuple(found))


class Retries:
    """See the module's text. Called on the loop's thread."""

    def __init__(
        self, *, runs: Runs, journal: Journal, clock: Clock, matching: Matching, catalog: Callable[[], Catalog]
    ) -> None:
        self._runs = runs
        self._journal = journal
        self._clock = clock
        self._matching = matching
        self._catalog = catalog

    def retry(self, found: Found) -> Run:
        """Let the run go on, within the unit that is being gathered; the run as it is then. Raises CannotRetry."""
        plan = list[tuple[Flow, Run, Transition]]()
        self._plan(found, plan)
        retried = {run.id for _, run, _ in plan}
        for flow, run, transition in plan:
            self._runs.reopen(flow, run, transition, retried)
        return plan[0][2].run

    def _plan(self, found: Found, plan: list[tuple[Flow, Run, Transition]]) -> None:
        """The run, then those that it waits for and that failed as well."""
        run = found.run
        if (problem := why_not(run)) is not None:
            raise CannotRetry(problem)
        if self._runs.is_open(run.id) or self._journal.run(run.id) != run:
            raise CannotRetry(f"run {run.id} goes on already: somebody has retried it, or its contact is forgotten")
        self._check_sends(found)
        flow = self._catalog().flow(run.digest)
        if flow is None:
            raise CannotRetry(f'run {run.id} cannot be retried: its document of flow "{run.flow}" is kept no more')
        children = {child.run.id: child for child in found.children}
        failed = {run_id for run_id, child in children.items() if why_not(child.run) is None}
        well = {run_id for run_id, child in children.items() if child.run.status in ("running", "completed", "stopped")}
        transition = self._transition(flow, found, failed | well)
        self._check_key(flow, transition.run)
        plan.append((flow, run, transition))
        waited_for = {child for cursor in transition.run.cursors for child in cursor.runs.values()}
        for run_id in sorted(failed & waited_for):
            self._plan(children[run_id], plan)

    def _transition(self, flow: Flow, found: Found, goes_on: set[int]) -> Transition:
        run = found.run
        event = self._journal.event(run.event_id)
        if event is None:
            raise CannotRetry(f"run {run.id} cannot be retried: the event that it began with is kept no more")
        if run.is_opt_out and event.kind != "opt_out":
            event = as_opt_out(event)

        def planned(contact: str | None) -> Transition:
            return interpreter.retry(
                flow, run, event, self._matching.facts(contact), self._clock.now(), self._catalog().templates,
                lambda address: self._journal.kept_items(run.id, address), late=found.late, goes_on=goes_on,
            )  # fmt: skip

        transition = planned(run.contact)
        if transition.run.contact != run.contact:  # only now it is known whom it is about
            transition = planned(transition.run.contact)
        return transition

    def _check_sends(self, found: Found) -> None:
        for send in found.open:
            if send.state in ("held", "unknown"):
                raise CannotRetry(
                    f"run {found.run.id} cannot be retried yet: nobody knows whether send {send.id} to "
                    f"{send.command.to} went out; `sinchflow sends resolve` settles that"
                )
            raise CannotRetry(
                f"run {found.run.id} cannot be retried yet: its send {send.id} to {send.command.to} is still under way"
            )

    def _check_key(self, flow: Flow, run: Run) -> None:
        concurrency = flow.concurrency
        if concurrency is None or concurrency.mode not in ("single", "restart"):
            return
        if beside := self._runs.beside(run):
            raise CannotRetry(
                f"run {run.id} cannot be retried while run {beside[0]} of the same `concurrency` key is open: wait for "
                "its end, or cancel it"
            )
