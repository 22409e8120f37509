"""`start --dry-run`: a flow played in memory, to count what it would send to whom. Nothing is sent, called or stored.

Messages are taken as sent, policy is asked as if nothing else had been sent lately. What only the world can tell (the
answer to a call, a person's reply, what the time brings) is not guessed: a branch ends there, and the report says so.
"""

import asyncio
import itertools
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.cursors import timeout_command
from sinchflow.model.command import (
    AskProvider,
    AwaitReceipt,
    AwaitReply,
    CallUrl,
    Command,
    Outcome,
    RunEnded,
    SendMessage,
    Sent,
    Skipped,
    Sleep,
    StartRun,
    Woken,
)
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Facts, Run, Transition
from sinchflow.policy.gate import Allowed, Deferred
from sinchflow.policy.segments import segments
from sinchflow.runtime.allowances import Allowances
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.people import People
from sinchflow.runtime.secrets import show_references

#: Of each kind of thing, shown in full; the counts are of all.
_MOST_SHOWN = 20
#: Commands between two turns of others.
_TURN = 100

_BAD_NUMBER = re.compile(r'"([^"]*)" is not a phone number')
_SUPPRESSED = "opted out"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One message that would be sent."""

    to: str
    message: str
    parts: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would do, as far as that can be known. Lists hold the first of each kind, counts are of all.

    deferred: of the messages, those that would wait (quiet hours). skipped: messages that would not be sent, by reason.
    stops: where the play ended because only the world knows how it goes on. status: of the run, `unknown` where it
    stopped before its end.
    """

    flow: str
    status: str
    reason: str | None
    messages: int
    recipients: int
    parts: int
    deferred: int
    skipped: dict[str, int]
    opted_out: list[str]
    bad_numbers: list[str]
    failures: dict[str, int]  #: steps that would fail, each with how often
    stops: dict[str, int]  #: where and why, each with how often
    samples: list[Sample]


class DryRun:
    """One play. facts: what the engine may look at for a contact. people: who has opted out, and where they are."""

    def __init__(
        self, *, catalog: Catalog, facts: Callable[[str | None], Facts], people: People, now: datetime
    ) -> None:
        self._catalog = catalog
        self._facts = facts
        self._is_suppressed = people.is_suppressed
        self._now = now
        self._allowances = Allowances(lambda: catalog.facts.lists, people, lambda: now)
        self._event = Event(id=0, kind="manual", key="", received_at=now, account=DEFAULT_ACCOUNT)
        self._ids = itertools.count(1)
        self._runs: dict[int, tuple[Flow, Run]] = {}
        self._parents: dict[str, int] = {}
        self._kept: dict[tuple[int, str], tuple[Any, ...]] = {}
        self._to_do: deque[tuple[int, Command]] = deque()
        self._tallied: set[tuple[int, str]] = set()
        self._recipients: set[str] = set()
        self._parts = self._messages = self._deferred = 0
        self._skipped: Counter[str] = Counter()
        self._opted_out: dict[str, None] = {}
        self._bad: dict[str, None] = {}
        self._failures: Counter[str] = Counter()
        self._stops: Counter[str] = Counter()
        self._samples: list[Sample] = []

    async def play(self, flow: Flow, inputs: Mapping[str, Any]) -> Report:
        """Play the flow to its end, or to where nobody knows how it goes on."""
        run_id = self._begin(flow, inputs, None, None, 0)
        for count in itertools.count(1):
            if not self._to_do:
                break
            self._perform(*self._to_do.popleft())
            if count % _TURN == 0:
                await asyncio.sleep(0)
        run = self._runs[run_id][1]
        return Report(
            flow=flow.name,
            status=run.status if run.is_final else "unknown",
            reason=run.reason,
            messages=self._messages,
            recipients=len(self._recipients),
            parts=self._parts,
            deferred=self._deferred,
            skipped=dict(self._skipped),
            opted_out=list(self._opted_out)[:_MOST_SHOWN],
            bad_numbers=list(self._bad)[:_MOST_SHOWN],
            failures=dict(self._failures.most_common(_MOST_SHOWN)),
            stops=dict(self._stops),
            samples=self._samples,
        )

    def _begin(self, flow: Flow, inputs: Mapping[str, Any], contact: str | None, parent: str | None, depth: int) -> int:
        transition = interpreter.start(
            flow, next(self._ids), self._event, {}, self._facts(contact), self._now, self._catalog.templates,
            inputs=inputs, contact=contact, parent_command=parent, depth=depth,
        )  # fmt: skip
        self._take(flow, transition)
        return transition.run.id

    def _take(self, flow: Flow, transition: Transition) -> None:
        """Note what the run has come to, and what it asks for."""
        run = transition.run
        for record in run.trace:
            if record.what == "error":
                self._fail(f"{flow.name}: step {record.address}: {record.detail}", str(record.detail))
        for cursor in run.cursors:
            if cursor.tally is not None and (run.id, cursor.address) not in self._tallied:
                self._tallied.add((run.id, cursor.address))
                for skipped in cursor.tally.skipped:
                    self._bad.setdefault(skipped["to"])
                    self._skipped[skipped["reason"]] += 1
        self._kept |= {(run.id, address): items for address, items in transition.kept.items()}
        self._runs[run.id] = (flow, replace(run, trace=()))  # a trace has room for so much, and all is wanted here
        self._to_do.extend((run.id, command) for command in transition.commands)
        if run.is_final and run.parent is not None and run.parent in self._parents:
            ended = RunEnded(
                command=run.parent, run=run.id, status=run.status, reason=run.reason, outputs=run.outputs_given
            )
            self._advance(self._parents.pop(run.parent), ended)

    def _fail(self, where: str, detail: str) -> None:
        bad = _BAD_NUMBER.search(detail)
        if bad is None:
            self._failures[where] += 1
        else:
            self._bad.setdefault(bad[1])
            self._skipped["not a phone number"] += 1

    def _advance(self, run_id: int, outcome: Outcome) -> None:
        flow, run = self._runs[run_id]
        kept: Callable[[str], Sequence[Any]] = lambda address: self._kept[run_id, address]  # noqa: E731
        transition = interpreter.advance(
            flow, run, self._event, outcome, self._facts(run.contact), self._now, self._catalog.templates, kept
        )
        self._take(flow, transition)

    def _perform(self, run_id: int, command: Command) -> None:
        run = self._runs[run_id][1]
        match command:
            case SendMessage():
                self._advance(run_id, self._send(run, command))
            case Sleep(id=command_id, until=until):
                if command_id == timeout_command(run):
                    return
                if until <= self._now:
                    self._advance(run_id, Woken(command=command_id))
                else:
                    self._stop(run_id, command, f"it waits until {until.isoformat(timespec='seconds')}")
            case CallUrl(method=method, url=url):
                self._stop(run_id, command, f"what {method} {show_references(url)} would answer is not known")
            case AskProvider(what=what):
                self._stop(run_id, command, f"what Sinch would answer ({what}) is not known")
            case AwaitReply(contact=contact):
                self._stop(run_id, command, f"it waits for an answer of {contact}")
            case AwaitReceipt():
                self._stop(run_id, command, "it waits for a receipt")
            case StartRun():
                self._start_other(run_id, run, command)

    def _stop(self, run_id: int, command: Command, why: str) -> None:
        flow = self._runs[run_id][0]
        step = interpreter.step_of(flow, command.id)
        self._stops[f"{step.origin}: step {step.id or step.address} of {flow.name}: {why}"] += 1

    def _start_other(self, run_id: int, run: Run, command: StartRun) -> None:
        flow = self._catalog.flows.get(command.flow)
        if flow is None or not flow.enabled:
            self._stop(run_id, command, f'flow "{command.flow}" is off or gone')
            return
        if command.wait:
            self._parents[command.id] = run_id
        begun = self._begin(flow, command.inputs, command.contact, command.id if command.wait else None, run.depth + 1)
        if not command.wait:
            self._advance(run_id, RunEnded(command=command.id, run=begun))

    def _send(self, run: Run, command: SendMessage) -> Sent | Skipped:
        if self._is_suppressed(command.to):
            self._opted_out.setdefault(command.to)
            self._skipped[_SUPPRESSED] += 1
            return Skipped(command=command.id, to=command.to, reason=_SUPPRESSED)
        verdict = self._allowances.ask(self._catalog.project, run, command, self._now)
        if not isinstance(verdict, (Allowed, Deferred)):
            self._skipped[verdict.reason] += 1
            return Skipped(command=command.id, to=command.to, reason=verdict.reason)
        text = str(command.body["content"])
        parts = segments(text).parts
        self._deferred += isinstance(verdict, Deferred)
        self._messages += 1
        self._parts += parts
        self._recipients.add(command.to)
        if len(self._samples) < 3:
            self._samples.append(Sample(to=command.to, message=text, parts=parts))
        message = {**command.body, "message_id": f"dry-run-{self._messages}", "status": "queued"}
        return Sent(command=command.id, message=message)
