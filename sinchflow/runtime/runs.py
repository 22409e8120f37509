"""The open runs in memory: carries each on with its outcomes, stores what the engine decided, and then performs it.

Theory of operation
-------------------
The engine decides, the journal remembers, and in between a run exists in memory as an `Active`: while a unit of it is
being stored, further outcomes wait in its inbox, so that the outcomes of one run are applied one at a time. Only when
the unit is on disk are its commands performed: sends go to their account's outbox, calls and questions get a task each,
waits and timers are set. A run that begins another stores it in the same unit.

A run is at work while one of its commands is on its way (`moving`); else it is at rest, and its contact's next event
may be routed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.conversation import Answers
from sinchflow.engine.cursors import is_asked, release_command, sleeps_of
from sinchflow.journal.journal import Journal, Snapshot
from sinchflow.model.command import AskProvider, AwaitReply, CallUrl, Command, Outcome, SendMessage, StartRun, Woken
from sinchflow.model.event import Event, as_opt_out
from sinchflow.model.flow import Flow
from sinchflow.model.run import Run, Transition
from sinchflow.model.send import Send
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.active import Active, Cancelled, Pace
from sinchflow.runtime.admission import Admission
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.attempts import Attempts
from sinchflow.runtime.calls import Calls
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commands import Commands
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.families import Families
from sinchflow.runtime.intents import Intents
from sinchflow.runtime.lanes import Lanes
from sinchflow.runtime.marks import Marks
from sinchflow.runtime.matching import Matching
from sinchflow.runtime.people import People
from sinchflow.runtime.questions import ask_provider
from sinchflow.runtime.reading import Reading
from sinchflow.runtime.resumption import Resumption
from sinchflow.runtime.settle import Settling
from sinchflow.runtime.settled import Settled, withdrawn
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.waits import Waits

#: Loops of many items whose items are kept in memory, too: each is read once then, and not with every item.
_LOOPS_AT_HAND = 32

log = structlog.get_logger("sinchflow")


class Runs:
    """See the module's text. All methods are called on the loop's thread."""

    def __init__(
        self,
        *,
        journal: Journal,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        catalog: Callable[[], Catalog],
        dialler: Dialler,
        matching: Matching,
        lanes: Lanes,
        people: People,
        reading: Reading,
        has_room: Callable[[], None],
    ) -> None:
        """has_room: told whenever a run comes to rest."""
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._catalog = catalog
        self._matching = matching
        self._people, self._reading = people, reading
        self._active: dict[int, Active] = {}
        self._pace = Pace(lanes, has_room)
        self._accounts: Accounts | None = None
        attempts = Attempts(active=self._active, commits=commits, pace=self._pace, called=self.called, now=clock.now)
        self._calls = attempts.calls = Calls(
            loop=loop, clock=clock, stats=stats, dialler=dialler, secrets=lambda: catalog().secrets, ask=self._ask,
            holder=attempts,
        )  # fmt: skip
        self.resolve_call = attempts.resolve
        self._intents = Intents(
            journal=journal, commits=commits, clock=clock, stats=stats, project=lambda: catalog().project,
            settle=self.settle, wanted_by=self.wanted_by, people=people, lists=lambda: catalog().facts.lists,
        )  # fmt: skip
        self.allowances = self._intents.allowances
        self.refusal = self._intents.refusal
        self.on_held_back = self._intents.on_held_back
        self.settling = Settling(
            journal=journal, commits=commits, clock=clock, stats=stats, loop=loop,
            rules=lambda: catalog().project.sends, settle=self.settle, work=self._work, rest=self._rest,
            wanted_by=self.wanted_by,
        )  # fmt: skip
        self.waits = Waits()
        self._commands = Commands(clock=clock, calls=self._calls, waits=self.waits, tell=self.called)
        self._admission = Admission(
            journal=journal, allowances=self.allowances, stats=stats, facts=matching.facts,
            templates=lambda: catalog().templates, begin=self.begin, cancel=self.cancel,
        )  # fmt: skip
        self.admit = self._admission.admit
        self._families = Families(
            journal=journal, catalog=catalog, matching=matching, admit=self.admit, tell=self.called
        )
        self._resumption = Resumption(
            runs=self, active=self._active, catalog=catalog, admission=self._admission, commands=self._commands,
            calls=self._calls, families=self._families, pace=self._pace, take_send=self._resume_send,
        )  # fmt: skip
        self._marks = Marks()
        self.keeper = self._marks.keeper
        self._kept_items = lru_cache(maxsize=_LOOPS_AT_HAND)(journal.kept_items)
        self._stored_sources: set[str] = set()
        #: called with a run as it was (None: it is new) and as it is, once that is on disk
        self.on_advanced: list[Callable[[Run | None, Run], None]] = []
        #: called with each run that has ended
        self.on_end: list[Callable[[Run], None]] = []
        #: called with what became of messages
        self.on_settled: list[Callable[[Sequence[Settled]], None]] = []

    def __len__(self) -> int:
        return len(self._active)

    @property
    def at_work(self) -> int:
        """Runs that are not at rest."""
        return self._pace.at_work

    def connect(self, accounts: Accounts) -> None:
        """Where sends and questions go from now on."""
        self._accounts = accounts
        self._intents.connect(accounts)

    async def stop(self, grace: timedelta) -> None:
        """Wait for calls under way, at most `grace`; the rest goes on at the next start."""
        await self._calls.stop(grace)

    # --- taking up what a former process left ---------------------------------------------------------------------

    def resume(self, snapshot: Snapshot) -> None:
        """Open runs and their commands."""
        self.allowances.restore(snapshot, self._clock.now())
        self._resumption.resume(snapshot)
        self.cancel_changed()

    def _resume_send(self, send: Send) -> None:
        if send.call is None and self.wanted_by(send) is None:
            self.settle([withdrawn(send)])
        elif send.call is None:
            if send.state != "deferred":
                self._active[send.run].moving.add(send.command.id)
            self._intents.resume(send)
        else:
            if send.state != "held" and send.run in self._active:
                self._active[send.run].moving.add(send.command.id)
            self.settling.take_up(send)

    def _work(self, send: Send) -> None:
        """The message is in a call; its run may have been at rest, because it was put off, held, or long unknown."""
        active = self._active.get(send.run)
        if active is not None and send.command.id not in active.moving:
            active.moving.add(send.command.id)
            self._pace.update(active)

    def _rest(self, send: Send) -> None:
        """Nothing is heard of this message soon: its contact's next event need not wait for it."""
        if (active := self._active.get(send.run)) is not None:
            active.moving.discard(send.command.id)
            self._pace.update(active)

    # --- beginning ------------------------------------------------------------------------------------------------

    def begin(self, flow: Flow, transition: Transition, event: Event | None, now: datetime) -> None:
        """A new run, within the unit that is being gathered."""
        self._stats.runs_started += 1
        if flow.digest not in self._stored_sources:
            self._stored_sources.add(flow.digest)
            self._commits.unit.sources.append(self._catalog().source(flow))
        active = self.enter(Active(transition.run, flow, event, is_stored=False))
        self._go_on(active, transition, now)

    def reopen(self, flow: Flow, ended: Run, transition: Transition, retried: Collection[int] = ()) -> None:
        """Take up a run that had ended: it goes on as the transition says, within the unit that is being gathered.

        retried: runs that are taken up right after this one.
        """
        run = transition.run
        self._admission.open_runs.note(run)
        self.allowances.take_up(run)
        active = self.enter(Active(ended, flow, None))
        for sleep in sleeps_of(flow, run):
            self._commands.perform(run, sleep)
        self._go_on(active, transition, self._clock.now())
        for cursor in run.cursors:
            for command in cursor.commands:
                if isinstance(command, StartRun) and (child := cursor.runs.get(command.id)) is not None:
                    self._families.rejoin(run, command, child, is_again=child in retried)

    def is_open(self, run_id: int) -> bool:
        """Whether the run has not ended, or its end is still to be stored."""
        return run_id in self._active

    def ids_of(self, flow: str) -> list[int]:
        """The open runs of a flow."""
        return sorted(run_id for run_id, active in self._active.items() if active.run.flow == flow)

    def beside(self, run: Run) -> list[int]:
        """Other open runs that its flow's `concurrency` counts as the same."""
        return [*self._admission.open_runs.open_beside(run)]

    def enter(self, active: Active) -> Active:
        """A run is open."""
        self._active[active.run.id] = active
        self._marks.add(active.run.id, active.flow)
        return active

    def cancel(self, run_id: int, reason: str) -> bool:
        """End the run; what it asked for and has not left yet comes to nothing. False when it is not open."""
        active = self._active.get(run_id)
        if active is None or active.run.is_final:
            return False
        active.inbox.append((Cancelled(reason), None, None))
        self._drain_if_due(active)
        return True

    def cancel_of(self, contact: str, reason: str) -> tuple[int, bool]:
        """End the open runs of a person: how many that are, and whether any is still to be stored."""
        own = [run_id for run_id, active in self._active.items() if active.run.contact == contact]
        return sum(self.cancel(run_id, reason) for run_id in own), bool(own)

    def cancel_changed(self) -> None:
        """End the runs that shall not outlive a change of their document."""
        flows = self._catalog().flows
        for run_id in sorted(self._marks.ends_on_change):
            run = self._active[run_id].run
            flow = flows.get(run.flow)
            if flow is None or flow.digest != run.digest:
                self.cancel(run_id, f'flow "{run.flow}" {"is gone" if flow is None else "has changed"}')

    def wanted_by(self, send: Send) -> str | None:
        """The flow whose run still waits for the message to leave; None when none does."""
        active = self._active.get(send.run)
        return active.run.flow if active is not None and interpreter.awaits(active.run, send.command.id) else None

    # --- outcomes -------------------------------------------------------------------------------------------------

    def settle(self, settled: Sequence[Settled]) -> None:
        """Store what became of sends, and let each run go on with all of them: what follows travels together."""
        unit, now = self._commits.unit, self._clock.now()
        heard: dict[int, Active] = {}
        for send, outcome in settled:
            if send.state == "sent":
                self._stats.send_seconds.observe((now - send.created_at).total_seconds())
            if outcome is not None or send.state in ("held", "skipped"):
                self._stats.sends[send.state] += 1
            active = self._active.get(send.run)
            if active is None or outcome is None:
                unit.sends.append(send)
                if active is not None and send.state in ("held", "skipped"):
                    active.moving.discard(send.command.id)
                    self._pace.update(active)
            else:
                active.inbox.append((outcome, send, None))
                heard[send.run] = active
        for tell in self.on_settled:
            tell(settled)
        for active in heard.values():
            self._drain_if_due(active)
        self._commits.flush_soon()

    def called(self, run_id: int, outcome: Outcome, then: Callable[[], None] | None = None) -> None:
        """See `HoldsRuns.called`; also for outcomes of waits. then: for what is to be stored in one unit with that."""
        if (active := self._active.get(run_id)) is not None:
            active.inbox.append((outcome, None, then))
            self._drain_if_due(active)
        elif then is not None:
            then()

    def is_storing(self, run_id: int) -> bool:
        """Whether the run hears of what it is told only after a unit that is under way."""
        return (active := self._active.get(run_id)) is not None and active.is_storing

    def answers(self, run_id: int, wait: AwaitReply) -> Answers | None:
        """What the wait wants to hear; None when the run does not wait (any more)."""
        active = self._active.get(run_id)
        if active is None or not interpreter.awaits(active.run, wait.id):
            return None
        return self._catalog().answers(active.flow, wait.id)

    def _drain(self, active: Active) -> None:
        """All outcomes that have gathered, in order, as one step of the run."""
        if not self._reading.works(lambda: self._look_up(active), again=lambda: self._drain_if_due(active)):
            return
        now, run = self._clock.now(), active.run
        commands, kept = list[Command](), dict[str, tuple[Any, ...]]()
        thens: list[Callable[[], None]] = []
        while active.inbox:
            outcome, send, then = active.inbox.popleft()
            if then is not None:
                thens.append(then)
            active.moving.discard(outcome.command)
            self._people.told(outcome, now)
            if send is not None:
                self._commits.unit.sends.append(send)
            transition = self._advance(active, run, outcome, now, kept)
            if transition is not None:
                run = transition.run
                commands.extend(transition.commands)
                kept |= transition.kept
        self._go_on(active, Transition(run=run, commands=tuple(commands), kept=kept), now)
        for then in thens:
            then()

    def _drain_if_due(self, active: Active) -> None:
        if active.inbox and not active.is_storing:
            self._drain(active)

    def _look_up(self, active: Active) -> None:
        active.event = active.event or self._journal.event(active.run.event_id)
        if active.run.contact is not None:
            self._people.known(active.run.contact)

    def _advance(
        self, active: Active, run: Run, outcome: Outcome | Cancelled, now: datetime, new: dict[str, tuple[Any, ...]]
    ) -> Transition | None:
        """The engine's answer, or None after an error of ours: the run stays where it was, all others go on."""
        try:
            if isinstance(outcome, Cancelled):
                return interpreter.cancel(run, outcome.reason, now)
            event, facts = self._event_of(active), self._matching.facts(run.contact)
            templates = self._catalog().templates
            kept = lambda at: new[at] if at in new else self._kept_items(run.id, at)  # noqa: E731
            return interpreter.advance(active.flow, run, event, outcome, facts, now, templates, kept)
        except Exception:
            self._stats.internal_errors += 1
            log.exception("internal error; the run stays where it was", run=run.id, flow=run.flow)
            return None

    def _event_of(self, active: Active) -> Event:
        active.event = active.event or self._journal.event(active.run.event_id)
        if active.event is None:
            raise LookupError(f"event {active.run.event_id} is not in the journal")
        if active.run.is_opt_out and active.event.kind != "opt_out":
            active.event = as_opt_out(active.event)
        return active.event

    # --- storing and performing -----------------------------------------------------------------------------------

    def _go_on(self, active: Active, transition: Transition, now: datetime) -> None:
        """Pass its sends through the gate, and store the run's new state with its intents; perform after that."""
        before = active.run if active.is_stored else None
        active.is_storing = True  # from here on what its commands come to at once, too, waits in its inbox
        to_do, unit = list[Send | Command](), self._commits.unit
        commands, run, kept = deque(transition.commands), transition.run, dict(transition.kept)
        is_alone = len(commands) == 1  # one of several would travel alone, the others in a second call
        while commands:
            command = commands.popleft()
            if not is_asked(run, command):
                continue  # an outcome that came together with the one before has ended its branch
            outcome: Outcome | None = None
            if isinstance(command, SendMessage):
                intended = self._intents.intend(run, command, is_alone=is_alone)
                if isinstance(intended, Send):
                    to_do.append(intended)
                elif intended is not None:
                    outcome = intended
                if outcome is None and not (isinstance(intended, Send) and intended.state == "deferred"):
                    active.moving.add(command.id)
            elif isinstance(command, StartRun):
                begun = self._families.begin(run, self._event_of(active), command, now)
                if isinstance(begun, Run):
                    run = begun  # not at work because of that: the other one is, or waits as well
                else:
                    outcome = begun
            else:
                if isinstance(command, CallUrl | AskProvider):
                    active.moving.add(command.id)
                self._people.note(run.flow, command, now)
                to_do.append(command)
            following = None if outcome is None else self._advance(active, run, outcome, now, kept)
            if following is not None:
                run = following.run
                kept |= following.kept
                commands.extend(following.commands)
        if (let_through := self.allowances.of_run(run.id)) != run.let_through:
            run = replace(run, let_through=let_through)
        self._commands.forget_waits(active.run, run)
        active.run = run
        unit.runs.append(run)
        if kept:
            unit.kept.extend((run.id, address, items) for address, items in kept.items())
        unit.thens.append(lambda: self._stored(active, to_do, before))
        self._pace.update(active)
        if run.is_final and run.parent is not None:
            self._families.has_ended(run)
        if run.key is not None and (next_id := self._admission.open_runs.count(run)) is not None:
            unit.thens.append(lambda: self.called(next_id, Woken(command=release_command(next_id))))
        self._commits.flush_soon()

    def _stored(self, active: Active, to_do: Iterable[Send | Command], before: Run | None) -> None:
        """The run's state is on disk: perform what it asked for."""
        active.is_storing, active.is_stored = False, True
        for tell in self.on_advanced:
            tell(before, active.run)
        for each in to_do:
            if isinstance(each, Send):
                self._intents.take(each)
            else:
                self._commands.perform(active.run, each)
        if active.inbox:
            self._drain(active)
        elif active.run.is_final:
            self._end(active)
        else:
            self._pace.update(active)

    def _end(self, active: Active) -> None:
        run = active.run
        del self._active[run.id]
        self._marks.remove(run.id)
        self._stats.runs_ended[run.status] += 1
        active.moving.clear()
        self._intents.forget_run(run.id)
        self._pace.update(active)
        for tell in self.on_end:
            tell(run)

    async def _ask(self, command: AskProvider) -> Attempted:
        assert self._accounts is not None
        source_number = self._catalog().facts.source_numbers.get(command.account)
        return await ask_provider(self._accounts.questions(command.account), command, source_number)
