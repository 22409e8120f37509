"""The worker: takes accepted events, starts the runs they match, and carries every run on with its outcomes.

Theory of operation
-------------------
An event reaches `take` once it is on disk. In its contact's lane it is routed over the current catalog; the runs that
start, their sends' intents and the fact that the event is routed are one unit of the journal. Only when that unit is
on disk are the commands performed: sends go to the outbox, `http` calls get a task each, log lines are written.
Outcomes come back through `settle` (sends) and `called` (calls); each advances its run by the engine, and the
outcome, the run's new state and its next intents are again one unit.

The engine decides, the journal remembers, and in between a run exists in memory as an `_Active`: while a unit of it is
being stored, further outcomes wait in its inbox, so that the outcomes of one run are applied one at a time.

What each possible crash leaves:

- before the routing unit is on disk: the event is unrouted; the next start routes it.
- after it, before a command is performed: intents are `queued`, the run is open; the next start performs them.
- while a send is in a call: it is `sending`; the next start holds it (the provider may have it).
- while an `http` call is under way: it is repeated only where that cannot do harm: the method is idempotent or the
  step's `retry` covers broken connections; otherwise the step fails as `unknown`.
- after an outcome, before its unit is on disk: as if the outcome had not come.

Overload is the `Backlog`'s business, what a contact may have is the `Allowances`', attempts at calls are the `Calls`'.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.conversation import Fit
from sinchflow.engine.filters import Message
from sinchflow.engine.routing import Match
from sinchflow.errors import JournalError, SinchflowError
from sinchflow.journal.journal import Journal, Snapshot
from sinchflow.model.command import (
    AwaitReply,
    ReceiptCame,
    Replied,
)
from sinchflow.model.event import EVENT_FIELDS, Event, as_opt_out
from sinchflow.model.flow import Flow
from sinchflow.model.run import Transition
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.admission import is_throttle
from sinchflow.runtime.backlog import Backlog
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.dry_run import DryRun, Report
from sinchflow.runtime.lanes import Lanes
from sinchflow.runtime.matching import Matching
from sinchflow.runtime.notes import Notes
from sinchflow.runtime.people import People
from sinchflow.runtime.policing import OPERATOR, Policing
from sinchflow.runtime.reading import Reading
from sinchflow.runtime.retries import Retries
from sinchflow.runtime.runs import Runs
from sinchflow.runtime.starts import Started, Starts, kept_answer
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")


class Worker:
    """See the module's text. All methods are called on the loop's thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        catalog: Catalog,
        dialler: Dialler,
    ) -> None:
        self._catalog = catalog
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self.people = People(journal, commits)
        self._notes = Notes(commits)
        self._matching = Matching(
            journal=journal, clock=clock, stats=stats, catalog=lambda: self.catalog, people=self.people,
            notes=self._notes,
        )  # fmt: skip
        self._policing = Policing(
            people=self.people, matching=self._matching, clock=clock, stats=stats, catalog=lambda: self.catalog,
            notes=self._notes,
        )  # fmt: skip
        self._lanes = Lanes(clock, journal, self._route_event)
        self._reading = Reading(clock, stats)
        self._runs = Runs(
            journal=journal, commits=commits, clock=clock, stats=stats, loop=loop, catalog=lambda: self.catalog,
            dialler=dialler, matching=self._matching, lanes=self._lanes, has_room=self._has_room,
            people=self.people, reading=self._reading,
        )  # fmt: skip
        self._backlog = Backlog(
            journal, loop, enter=self._lanes.enter, load=lambda: self._runs.at_work + self._lanes.load,
            reading=self._reading,
        )  # fmt: skip
        self.starts = Starts(journal=journal, commits=commits, stats=stats, backlog=self._backlog, begin=self._begin)
        self.settle = self._runs.settle
        self.settling = self._runs.settling
        self.resolve_call = self._runs.resolve_call
        self.refusal = self._runs.refusal
        self.on_end = self._runs.on_end
        self.on_settled = self._runs.on_settled
        self.on_advanced = self._runs.on_advanced
        self.on_held_back = self._runs.on_held_back
        self.retries = Retries(
            runs=self._runs, journal=journal, clock=clock, matching=self._matching, catalog=lambda: self.catalog
        )
        self.allowances = self._runs.allowances
        self.facts = self._matching.facts
        self.waiting_for = self._lanes.waiting_of
        self.cancel_run = self._runs.cancel
        self.is_run_open = self._runs.is_open
        self.run_ids_of = self._runs.ids_of
        self._is_stopping = False
        #: called with each event that was routed, the flows that matched, and why some of them begin no run
        self.on_routed: list[Callable[[Event, Sequence[str], Mapping[str, str]], None]] = []
        #: called with each event that a wait took, and the wait's run
        self.on_answered: list[Callable[[Event, int], None]] = []

    @property
    def catalog(self) -> Catalog:
        """The flows and settings that are live."""
        return self._catalog

    @catalog.setter
    def catalog(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._runs.cancel_changed()

    @property
    def open_runs(self) -> int:
        """Runs that have not ended."""
        return len(self._runs)

    @property
    def waiting_events(self) -> int:
        """Events in memory that wait for their contact's runs."""
        return self._lanes.waiting

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: every open run waits for a time or for a person, no event waits."""
        return not (self._runs.at_work or self._lanes.waiting or self.has_backlog)

    @property
    def has_backlog(self) -> bool:
        """Whether accepted events wait in the journal for room in memory."""
        return not self._backlog.is_empty

    def connect(self, accounts: Accounts) -> None:
        """Where sends and questions go from now on."""
        self._runs.connect(accounts)

    # --- events -----------------------------------------------------------------------------------------------------

    def resume(self, snapshot: Snapshot) -> None:
        """Take up what a former process left: open runs, their commands, and events not yet routed."""
        self.people.load()
        self._runs.resume(snapshot)
        self._backlog.read_soon()

    def take_up(self, snapshot: Snapshot, events: Sequence[Event]) -> None:
        """Go on with what was suspended since the journal was restored."""
        self._runs.resume(snapshot)
        for event in events:
            self._lanes.enter(event)

    def take(self, event: Event) -> None:
        """Route a stored event when its turn has come."""
        self._backlog.take(event)

    def start(
        self, flow: Flow, inputs: dict[str, Any], then: Callable[[int | Exception], None], contact: str | None = None
    ) -> None:
        """Start a flow by hand. `then` gets the run's id once it is stored, or why there is none.

        contact: whom the run is about, unless the flow says so itself.
        """
        event_id = self._journal.new_id()
        event = Event(
            id=event_id, kind="manual", key=f"{self._journal.identity}-{event_id}", received_at=self._clock.now(),
            contact=contact, fields={"flow": flow.name, "inputs": inputs},
        )  # fmt: skip

        def told(answer: Started | Exception) -> None:
            if isinstance(answer, Started):
                then(SinchflowError(f'flow "{flow.name}": {answer.reason}') if answer.run is None else answer.run)
            else:
                then(answer)

        self.starts.start(event, told)

    def suppress(self, number: str, then: Callable[[Exception | None], None]) -> None:
        """An operator's opt-out of somebody: `then` is told once it is stored, with the runs that it starts."""
        event_id, now = self._journal.new_id(), self._clock.now()
        fields = {**dict.fromkeys(EVENT_FIELDS["opt_out"]), "source_address": number, "date_received": now.isoformat()}
        event = Event(
            id=event_id, kind="opt_out", key=f"{OPERATOR}{event_id}", received_at=now, contact=number, fields=fields
        )
        self.starts.start(event, lambda answer: then(answer if isinstance(answer, Exception) else None))

    async def dry_run(self, flow: Flow, inputs: dict[str, Any]) -> Report:
        """What a start by hand would send to whom, as far as that can be known."""
        played = DryRun(catalog=self.catalog, facts=self._matching.facts, now=self._clock.now(), people=self.people)
        return await played.play(flow, inputs)

    def cancel_runs_of(self, contact: str, reason: str) -> tuple[int, bool]:
        """End the open runs of a person: how many that are, and whether any is still to be stored. A message that
        waited for them begins others then."""
        return self._runs.cancel_of(contact, reason)

    def _begin(self, event: Event) -> Started:
        if event.kind == "opt_out":
            return self._start_matches(event, self._policing.opted_out(event))
        return self._start_matches(event, self._matching.matches(event))

    def _has_room(self) -> None:
        self._backlog.read_soon()

    # --- routing ----------------------------------------------------------------------------------------------------

    def _route_event(self, event: Event) -> None:
        if not self._is_stopping:  # else it is in the journal; the next start routes it
            self._guarded(event, self._route)

    def _guarded(self, event: Event, route: Callable[[Event], None]) -> None:
        try:
            route(event)
        except JournalError as error:  # nothing of it is decided yet; the event keeps its turn
            if event.contact is not None:
                self._lanes.begin(event.contact)
            self._reading.failed(error, lambda: self._try_again(event, route))
        except Exception:  # our bug: the event stays unrouted until the next start; all others go on
            self._stats.internal_errors += 1
            log.exception("internal error while routing; the event stays in the journal", event_id=event.id)

    def _try_again(self, event: Event, route: Callable[[Event], None]) -> None:
        if self._is_stopping:
            return
        self._reading.works(lambda: self._journal.event(event.id), again=lambda: None)  # for the trouble's end
        self._guarded(event, route)
        if event.contact is not None:
            self._lanes.rest(event.contact)

    def _route(self, event: Event) -> None:
        """Policy's words, waits that want it, else flows; a receipt goes to waits and flows."""
        self._notes.anew(event.id)
        if event.kind == "inbound_sms":
            if (taken := self._policing.take(event)) is not None:
                self._start_matches(event, taken.answers, taken.opt_outs)
                self.settling.hear(event.fields)  # after an opt-out, which holds for what the run sends then
                return
            if self.settling.hear(event.fields):  # its run is on the way to the wait that this is the answer for
                self._lanes.enter(event, first=True)
                return
        if event.kind == "opt_out":  # never too late for that; one to be ignored starts no flow
            self._start_matches(event, self._policing.opted_out(event))
            return
        if event.kind == "delivery_receipt":
            self.settling.hear(event.fields)
            self._report(event)
            return
        if event.kind == "inbound_sms" and event.ignored is None and (waits := self._runs.waits.for_reply(event)):
            self._answer(event, waits)
            return
        self._start_matches(event, self._matching.matches(event))

    def _report(self, event: Event) -> None:
        """A receipt: to the runs that wait for it, the one that may do so later, and flows; all in one unit."""
        came: list[tuple[int, ReceiptCame]] = []
        if (keeper := self._runs.keeper(lambda: self._matching.sent_by(event))) is not None:
            came.append((keeper, ReceiptCame(command="", fields=event.fields)))  # also for a wait that it has now
        for run_id, wait in self._runs.waits.for_receipt(event):
            came.append((run_id, ReceiptCame(command=wait.id, fields=event.fields)))
            for tell in self.on_answered:
                tell(event, run_id)
        runs = {run_id for run_id, _ in came}
        if len(runs) > 1 and any(map(self._runs.is_storing, runs)):
            self._put_off(event)
            return
        if came:
            self._runs.called(*came[0], lambda: self._guarded(event, self._start_flows))
            for run_id, outcome in came[1:]:
                self._runs.called(run_id, outcome)
        else:
            self._start_flows(event)

    def _start_flows(self, event: Event) -> None:
        self._start_matches(event, self._matching.matches(event))

    def _put_off(self, event: Event) -> None:
        """A run that may be meant is being stored: it could not hear of the event in the unit that routes it.

        The event keeps its turn in its contact's lane.
        """
        if event.contact is not None:
            self._lanes.begin(event.contact)
        self._commits.unit.thens.append(lambda: self._route_again(event))
        self._commits.flush_soon()

    def _route_again(self, event: Event) -> None:
        self._route_event(event)
        if event.contact is not None:
            self._lanes.rest(event.contact)

    def _answer(self, event: Event, waits: Sequence[tuple[int, AwaitReply]]) -> None:
        """A message of somebody whose answer is waited for: specific before general (design.md section 3)."""
        if any(self._runs.is_storing(run_id) for run_id, _ in waits):
            self._put_off(event)  # it may have ended its wait
            return
        text = event.fields.get("content")
        message = Message(str(text)) if text else None
        general: tuple[int, AwaitReply] | None = None
        for run_id, wait in waits:
            answers = self._runs.answers(run_id, wait)
            fit = None if answers is None else answers.fit(event, message)
            if fit is not None:
                self._tell(event, run_id, wait, fit)
                return
            if general is None and answers is not None and answers.takes_any:
                general = (run_id, wait)
        matches = self._matching.matches(event, lambda: general is not None)
        if not matches and general is not None:
            self._tell(event, *general, None)
        else:
            self._start_matches(event, matches)

    def _tell(self, event: Event, run_id: int, wait: AwaitReply, fit: Fit | None) -> None:
        """The wait takes the message; it is routed with that."""
        fields = event.fields | {"attachments": [_without_content(each) for each in event.fields["attachments"] or ()]}
        replied = Replied(command=wait.id, event=event.id, fields=fields)
        if fit is not None:
            replied = replace(replied, category=fit.category, match=fit.match)
        self._commits.unit.routed.append(event.id)
        self._notes.answered(event.id, run_id, replied.category)
        self._notes.routed(event.id, has_begun=False)
        for tell in self.on_answered:
            tell(event, run_id)
        self._runs.called(run_id, replied)
        self._commits.flush_soon()

    def _start_matches(self, event: Event, matches: Sequence[Match], opt_outs: Sequence[Match] = ()) -> Started:
        """Start the runs of an event; all that follows from it is one unit. What its sender is told.

        opt_outs: flows that take the message for the opt-out that it means.
        """
        started: list[int] = []
        refusals: dict[str, str] = {}
        seen = [(match, event) for match in matches]
        if opt_outs:
            seen += [(match, as_opt_out(event)) for match in opt_outs]
        now = self._clock.now() if seen else event.received_at
        begun = [self._begun(event_, match, now, is_opt_out=event_ is not event) for match, event_ in seen]
        unit = self._commits.unit
        unit.routed.append(event.id)  # from here on nothing fails: all of it is stored
        for (match, event_), transition in zip(seen, begun, strict=True):
            refusal = self._runs.admit(match.flow, transition, event_, now)
            if refusal is None:
                started.append(transition.run.id)
            else:
                refusals[match.flow.name] = refusal
                free_in = self._runs.allowances.free_in(match.flow, transition.run) if is_throttle(refusal) else None
                until = None if free_in is None else now + free_in
                self._notes.refused(event.id, match.flow.name, refusal, until)
        self._notes.routed(event.id, has_begun=bool(started))
        self._commits.flush_soon()
        for tell in self.on_routed:
            tell(event, [match.flow.name for match, _ in seen], refusals)
        answer = _started([*refusals.values()], started)
        if event.kind == "webhook":
            unit.answers.extend(kept_answer(event, answer))
        return answer

    def _begun(self, event: Event, match: Match, now: datetime, *, is_opt_out: bool) -> Transition:
        """The run that a match begins, not stored yet."""
        run_id, templates = self._journal.new_id(), self.catalog.templates
        inputs = event.fields.get("inputs", {}) if event.kind == "manual" else None

        flow, captured, facts = match.flow, match.match, self._matching.facts(event.contact)
        transition = interpreter.start(flow, run_id, event, captured, facts, now, templates, inputs=inputs)
        contact = transition.run.contact
        if contact is not None and contact != event.contact and self.people.known(contact) is not None:
            facts = self._matching.facts(contact)  # the flow's `contact:` is somebody of whom something is known
            transition = interpreter.start(flow, run_id, event, captured, facts, now, templates, inputs=inputs)
        return replace(transition, run=replace(transition.run, is_opt_out=True)) if is_opt_out else transition

    # --- stopping ---------------------------------------------------------------------------------------------------

    async def stop(self, grace: timedelta) -> None:
        """Route nothing more and wait for calls under way, at most `grace`; the rest goes on at the next start.

        As long again for what is to be stored: a journal that refuses must not keep the daemon alive.
        """
        self._is_stopping = True
        self._backlog.stop()
        await self._runs.stop(grace)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace.total_seconds()):
                await self._commits.drain()


def _started(refusals: Sequence[str], run_ids: Sequence[int]) -> Started:
    """What the sender of an event that is for one flow is told."""
    if run_ids:
        return Started(run=run_ids[0])
    return Started(reason=refusals[0] if refusals else "its `if` does not hold, or it is gone or switched off by now")


def _without_content(attachment: dict[str, Any]) -> dict[str, Any]:
    """Files stay with their event: a run is too small for them."""
    return {name: value for name, value in attachment.items() if name != "attachment_content"}
