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
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.routing import Match
from sinchflow.errors import SinchflowError
from sinchflow.journal.journal import Journal, Snapshot
from sinchflow.model.command import (
    Answered,
    AskProvider,
    Attempt,
    CallUrl,
    Command,
    Failed,
    LogLine,
    Outcome,
    SendMessage,
    Skipped,
    Told,
)
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow
from sinchflow.model.run import Run, Transition
from sinchflow.model.send import Send
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.allowances import Allowances
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.backlog import Backlog
from sinchflow.runtime.calls import Calls
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.lanes import Lanes
from sinchflow.runtime.matching import Matching
from sinchflow.runtime.outbox import Outbox, Settled
from sinchflow.runtime.questions import ask_provider
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")


class _Active:
    """A run in memory."""

    __slots__ = ("event", "flow", "inbox", "is_at_rest", "is_storing", "run")

    def __init__(self, run: Run, flow: Flow, event: Event | None) -> None:
        self.run = run
        self.flow = flow
        self.event = event
        self.inbox: deque[tuple[Outcome, Send | None]] | None = None
        self.is_storing = False
        self.is_at_rest = True  # until its lane is told that it is at work


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
        self.catalog = catalog
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._matching = Matching(journal=journal, clock=clock, stats=stats, catalog=lambda: self.catalog)
        self._accounts: Accounts | None = None
        self._calls = Calls(
            loop=loop, clock=clock, stats=stats, dialler=dialler, secrets=lambda: self.catalog.secrets,
            ask=self._ask, holder=self,
        )  # fmt: skip
        self._lanes = Lanes(clock, self._route_event)
        self._active: dict[int, _Active] = {}
        self._at_work = 0  # runs not at rest
        self._storing_to: Counter[str] = Counter()  # sends by recipient that go to the outbox once they are on disk
        self._allowances = Allowances()
        self._backlog = Backlog(
            journal, loop, enter=self._lanes.enter, load=lambda: self._at_work + self._lanes.waiting
        )
        self._stored_sources: set[str] = set()
        self._is_stopping = False
        #: called with each event that was routed, the flows that matched, and those of them that started
        self.on_routed: list[Callable[[Event, Sequence[str], Sequence[str]], None]] = []
        #: called with each run that has ended
        self.on_end: list[Callable[[Run], None]] = []

    @property
    def open_runs(self) -> int:
        """Runs that have not ended."""
        return len(self._active)

    @property
    def waiting_events(self) -> int:
        """Events in memory that wait for their contact's runs."""
        return self._lanes.waiting

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way: every open run waits for a time or for a person, no event waits."""
        return not (self._at_work or self._lanes.waiting or self.has_backlog)

    @property
    def has_backlog(self) -> bool:
        """Whether accepted events wait in the journal for room in memory."""
        return not self._backlog.is_empty

    def connect(self, accounts: Accounts) -> None:
        """Where sends and questions go from now on."""
        self._accounts = accounts

    # --- events -----------------------------------------------------------------------------------------------------

    def resume(self, snapshot: Snapshot) -> None:
        """Take up what a former process left: open runs, their commands, and events not yet routed."""
        self._allowances.restore(snapshot)
        sends = {send.command.id: send for send in snapshot.sends}
        for run in snapshot.runs:
            flow = self.catalog.flow(run.digest)
            if flow is None:  # cannot happen with a journal of ours: a run's document is stored with it
                log.error("run cannot go on: its flow's document is not in the journal", run=run.id, flow=run.flow)
                continue
            active = self._active[run.id] = _Active(run, flow, None)
            done = {outcome.command for cursor in run.cursors for outcome in cursor.outcomes}
            for cursor in run.cursors:
                for command in cursor.commands:
                    if isinstance(command, CallUrl | AskProvider):
                        attempt = cursor.attempts.get(command.id, Attempt())
                        if attempt.due is None:
                            self._work(active)
                        self._calls.resume(run.id, command, attempt)
                    elif command.id in sends and command.id not in done:
                        self._resume_send(active, sends[command.id])
        self._backlog.read_soon()

    def _resume_send(self, active: _Active, send: Send) -> None:
        if send.call is None:
            self._work(active)
            self._outbox(send.command.account).put(send)
        elif send.state == "sending":
            reason = "outcome unknown: the daemon stopped while this message was in a call to the provider"
            self._stats.sends["held"] += 1
            self._commits.unit.sends.append(replace(send, state="held", reason=reason))
            self._commits.flush_soon()

    def take(self, event: Event) -> None:
        """Route a stored event when its turn has come."""
        self._backlog.take(event)

    def start(self, flow: Flow, then: Callable[[int | Exception], None]) -> None:
        """Start a flow by hand. `then` gets the run's id once it is stored, or why there is none."""
        event_id = self._journal.new_id()
        event = Event(
            id=event_id, kind="manual", key=f"{self._journal.identity}-{event_id}", received_at=self._clock.now(),
            fields={"flow": flow.name},
        )  # fmt: skip

        def accepted(result: bool | Exception) -> None:
            if isinstance(result, Exception):
                then(result)
                return
            self._stats.events["manual"] += 1
            try:
                run_ids = self._start_matches(event, self._matching.matches(event))
            except Exception as error:  # our bug: whoever asked is told; the event stays for the next start
                self._stats.internal_errors += 1
                log.exception("internal error while starting by hand", event_id=event_id)
                then(error)
                return
            answer = run_ids[0] if run_ids else SinchflowError(f'flow "{flow.name}" is throttled, or gone by now')

            def stored() -> None:
                self._backlog.is_routed(event_id)
                then(answer)

            self._commits.unit.thens.append(stored)
            self._commits.flush_soon()

        self._backlog.leave_out(event_id)
        self._journal.accept(event, accepted)

    # --- routing ----------------------------------------------------------------------------------------------------

    def _route_event(self, event: Event) -> None:
        if self._is_stopping:
            return  # it is in the journal; the next start routes it
        try:
            self._start_matches(event, self._matching.matches(event))
        except Exception:  # our bug: the event stays unrouted until the next start; all others go on
            self._stats.internal_errors += 1
            log.exception("internal error while routing; the event stays in the journal", event_id=event.id)

    def _start_matches(self, event: Event, matches: Sequence[Match]) -> list[int]:
        """Start the runs of an event; all that follows from it is one unit. Returns their ids."""
        now = self._clock.now()
        started: list[tuple[Flow, Transition]] = []
        for match in matches:
            run_id = self._journal.new_id()
            transition = interpreter.start(
                match.flow, run_id, event, match.match, self._matching.facts(event.contact), now, self.catalog.templates
            )
            if self._allowances.admit_run(match.flow, transition.run, now):
                started.append((match.flow, transition))
            else:
                self._stats.throttled += 1
        unit = self._commits.unit
        unit.routed.append(event.id)
        for flow, transition in started:
            self._stats.runs_started += 1
            if flow.digest not in self._stored_sources:
                self._stored_sources.add(flow.digest)
                unit.sources.append(self.catalog.source(flow))
            active = self._active[transition.run.id] = _Active(transition.run, flow, event)
            self._work(active)
            self._go_on(active, transition, now)
        self._commits.flush_soon()
        for tell in self.on_routed:
            tell(event, [match.flow.name for match in matches], [flow.name for flow, _ in started])
        return [transition.run.id for _, transition in started]

    # --- runs -------------------------------------------------------------------------------------------------------

    def settle(self, settled: Sequence[Settled]) -> None:
        """Store what became of sends, and let their runs go on."""
        unit = self._commits.unit
        for send, outcome in settled:
            if outcome is not None or send.state == "held":
                self._stats.sends[send.state] += 1
            active = self._active.get(send.run)
            if active is None:
                unit.sends.append(send)
            elif outcome is not None:
                self._come_back(active, outcome, send)
            else:
                unit.sends.append(send)
                if send.state == "held":
                    self._rest(active)
        self._commits.flush_soon()

    def called(self, run_id: int, outcome: Answered | Told | Failed) -> None:
        """See `HoldsRuns.called`."""
        active = self._active[run_id]
        self._work(active)
        self._come_back(active, outcome, None)

    def _come_back(self, active: _Active, outcome: Outcome, send: Send | None) -> None:
        """An outcome for a run: advance it, or keep the outcome until its last step is stored."""
        if active.is_storing:
            if active.inbox is None:
                active.inbox = deque()
            active.inbox.append((outcome, send))
            return
        if send is not None:
            self._commits.unit.sends.append(send)
        now = self._clock.now()
        transition = self._advance(active, active.run, outcome, now)
        if transition is not None:
            self._go_on(active, transition, now)
        self._commits.flush_soon()

    def _advance(self, active: _Active, run: Run, outcome: Outcome, now: datetime) -> Transition | None:
        """The engine's answer, or None after an error of ours: the run stays where it was, all others go on."""
        try:
            if active.event is None:
                active.event = self._journal.event(run.event_id)
            if active.event is None:
                raise LookupError(f"event {run.event_id} is not in the journal")
            facts = self._matching.facts(run.contact)
            return interpreter.advance(active.flow, run, active.event, outcome, facts, now, self.catalog.templates)
        except Exception:
            self._stats.internal_errors += 1
            log.exception("internal error; the run stays where it was", run=run.id, flow=run.flow)
            return None

    def _go_on(self, active: _Active, transition: Transition, now: datetime) -> None:
        """Pass its sends through the gate, and store the run's new state with its intents; perform after that."""
        to_do: list[Send | Command] = []
        commands = deque(transition.commands)
        run = transition.run
        unit = self._commits.unit
        while commands:
            command = commands.popleft()
            if not isinstance(command, SendMessage):
                to_do.append(command)
                continue
            send = Send(id=self._journal.new_id(), run=run.id, command=command, state="queued", created_at=now)
            refusal = self._allowances.refusal(self.catalog.project.policy, command.to, now)
            if refusal is None:
                # One of several would travel alone, and the others in a second call.
                is_alone = len(transition.commands) == 1 and command.to not in self._storing_to
                if not (is_alone and self._outbox(command.account).begin_now(send)):
                    unit.new_sends.append(send)
                    to_do.append(send)
                    self._storing_to[command.to] += 1
                continue
            self._stats.sends["skipped"] += 1
            unit.new_sends.append(replace(send, state="skipped", reason=refusal))
            skipped = Skipped(command=command.id, to=command.to, reason=refusal)
            following = self._advance(active, run, skipped, now)
            if following is not None:
                run = following.run
                commands.extend(following.commands)
        active.run = run
        active.is_storing = True
        unit.runs.append(run)
        unit.thens.append(lambda: self._stored(active, to_do))
        self._commits.flush_soon()

    def _stored(self, active: _Active, to_do: list[Send | Command]) -> None:
        """The run's state is on disk: perform what it asked for."""
        active.is_storing = False
        for each in to_do:
            if isinstance(each, Send):
                self._storing_to[each.command.to] -= 1
                if not self._storing_to[each.command.to]:
                    del self._storing_to[each.command.to]
                self._outbox(each.command.account).put(each)
            elif isinstance(each, CallUrl | AskProvider):
                self._calls.call(active.run.id, each, Attempt())
            elif isinstance(each, LogLine):
                log.info(each.text, run=active.run.id, flow=active.run.flow)
        if active.inbox:
            self._come_back(active, *active.inbox.popleft())
        elif active.run.is_final:
            self._end(active)

    def _outbox(self, account: str) -> Outbox:
        assert self._accounts is not None  # connected before anything is taken up
        return self._accounts.outbox(account)

    async def _ask(self, command: AskProvider) -> Attempted:
        assert self._accounts is not None
        source_number = self.catalog.facts.source_numbers.get(command.account)
        return await ask_provider(self._accounts.questions(command.account), command, source_number)

    def _end(self, active: _Active) -> None:
        run = active.run
        del self._active[run.id]
        self._stats.runs_ended[run.status] += 1
        if run.status == "failed":
            log.warning("run failed", run=run.id, flow=run.flow, reason=run.reason)
        self._rest(active)
        for tell in self.on_end:
            tell(run)

    def _work(self, active: _Active) -> None:
        """The run is at work: its contact's next event waits."""
        if active.is_at_rest:
            active.is_at_rest = False
            self._at_work += 1
            if active.run.contact is not None:
                self._lanes.begin(active.run.contact)

    def _rest(self, active: _Active) -> None:
        """The run waits, is held or has ended: its contact's next event may be routed."""
        if not active.is_at_rest:
            active.is_at_rest = True
            self._at_work -= 1
            if active.run.contact is not None:
                self._lanes.rest(active.run.contact)
            self._backlog.read_soon()

    # --- http calls that are tried again ----------------------------------------------------------------------------

    def backs_off(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        """See `HoldsRuns.backs_off`."""
        active = self._active[run_id]
        self._keep_attempt(active, command, attempt)
        self._commits.unit.thens.append(lambda: self._calls.call(run_id, command, attempt))
        self._rest(active)

    def begins(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt, then: Callable[[], None]) -> None:
        """See `HoldsRuns.begins`."""
        active = self._active[run_id]
        self._work(active)
        self._keep_attempt(active, command, attempt)
        self._commits.unit.thens.append(then)

    def _keep_attempt(self, active: _Active, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        """Store with the run how far the performing of its call has come."""
        cursors = tuple(
            replace(cursor, attempts={**cursor.attempts, command.id: attempt})
            if any(each.id == command.id for each in cursor.commands)
            else cursor
            for cursor in active.run.cursors
        )
        active.run = replace(active.run, cursors=cursors)
        self._commits.unit.runs.append(active.run)
        self._commits.flush_soon()

    # --- stopping ---------------------------------------------------------------------------------------------------

    async def stop(self, grace: timedelta) -> None:
        """Route nothing more and wait for calls under way, at most `grace`; the rest goes on at the next start."""
        self._is_stopping = True
        self._backlog.stop()
        await self._calls.stop(grace)
        await self._commits.drain()
