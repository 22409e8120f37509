"""The engine: one flow, one run, one outcome in; the run's next state and its next commands out. Pure.

Theory of operation
-------------------
A run stands at an address, waiting for the outcomes of the commands that the step there asked for, or it has ended.
`start` makes a run and walks from the first step; `advance` takes one outcome in and, when the step has all it waits
for, gives the step its output and walks on. Walking carries out what needs nobody else (`set`, `choose`, `log`,
`stop`, `fail`) and halts at the first step that asks for commands.

A step that fails sets `error` and goes to its `on_error`, else to that of the block around it; without any the run
fails. What fails is an expression, an action whose values cannot be used, a command's outcome, or a limit.

The caller stores the transition's run before it performs the commands, and hands in the outcomes one at a time. The
same arguments always give the same transition, so a run can be replayed. A command's id derives from run and address.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from sinchflow.engine.actions import Question, call_command, call_output, question_command, question_output
from sinchflow.engine.address import following, is_in_on_error, parent, step_at
from sinchflow.engine.caller import ActionError, Caller
from sinchflow.engine.numbers import to_e164
from sinchflow.engine.scope import run_scope
from sinchflow.engine.sending import send_commands, send_output
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import Answered, AskProvider, CallUrl, Command, Failed, LogLine, Outcome, SendMessage, Told
from sinchflow.model.event import Event
from sinchflow.model.flow import (
    CancelMessage,
    Choose,
    Condition,
    Fail,
    Flow,
    GetMessageStatus,
    GetSenderIds,
    Http,
    Log,
    SendSms,
    SetOptOut,
    SetVars,
    Step,
    Stop,
    Value,
)
from sinchflow.model.run import Cursor, Facts, Problem, Record, Run, RunStatus, Transition

#: Steps that one run may take.
MOST_STEPS = 1_000
#: Of all that a run keeps but its trace, as stored (design.md section 4: runs are rows of at most 256 KiB).
LARGEST_STATE_BYTES = 200 * 1024
#: A message's outcome and output beside what its command already has.
_OUTCOME_BYTES = 400
_MOST_RECORDS = 200
_LONGEST_DETAIL = 500
#: Of all details of a trace together; up to four bytes each.
_MOST_DETAIL = 10_000
_LONGEST_REASON = 2_000


_encode = msgspec.json.Encoder().encode


def start(
    flow: Flow,
    run_id: int,
    event: Event,
    match: dict[str, Any],
    facts: Facts,
    now: datetime,
    templates: Templates,
) -> Transition:
    """A new run of `flow` for `event`, walked to its first command or its end."""
    run = Run(
        id=run_id,
        flow=flow.name,
        digest=flow.digest,
        event_id=event.id,
        started_at=now,
        account=flow.account or event.account,
        contact=event.contact,
        our_number=event.our_number,
        match=match,
    )
    walk = _Walk(flow, run, event, facts, now, templates)
    if walk.begin():
        walk.go_on("0" if flow.steps else None)
    return walk.transition()


def advance(
    flow: Flow,
    run: Run,
    event: Event,
    outcome: Outcome,
    facts: Facts,
    now: datetime,
    templates: Templates,
) -> Transition:
    """The run with one more outcome. An outcome that it does not wait for changes nothing."""
    cursor = next((each for each in run.cursors if _waits_for(each, outcome)), None)
    if run.is_final or cursor is None:
        return Transition(run=run)
    cursor = replace(cursor, outcomes=(*cursor.outcomes, outcome))
    walk = _Walk(flow, run, event, facts, now, templates)
    walk.record(cursor.address, "outcome", _shown(outcome))
    if len({each.command for each in cursor.outcomes if each.command}) < len(cursor.commands):
        walk.cursor = cursor
    else:
        walk.finish(cursor)
    return walk.transition()


def _waits_for(cursor: Cursor, outcome: Outcome) -> bool:
    return any(command.id == outcome.command for command in cursor.commands) and not any(
        each.command == outcome.command for each in cursor.outcomes
    )


def _shown(outcome: Outcome) -> Any:
    """An outcome for the trace: what a reader needs, not the whole."""
    match outcome:
        case Answered(status=status):
            return status
        case Failed(message=message):
            return message
        case Told(data=data):
            return data.get("status")
        case _:
            return getattr(outcome, "reason", None) or getattr(outcome, "message", {}).get("message_id")


class _ConditionError(ExpressionError):
    """An `if` that has no value."""


class _Walk:
    """One call of the engine while it is under way. Mutable; the run it began with is not touched."""

    __slots__ = (
        "_commands",
        "_error",
        "_event",
        "_facts",
        "_flow",
        "_now",
        "_outputs",
        "_reason",
        "_records",
        "_run",
        "_scope",
        "_status",
        "_steps_taken",
        "_templates",
        "_vars",
        "contact",
        "cursor",
    )

    def __init__(self, flow: Flow, run: Run, event: Event, facts: Facts, now: datetime, templates: Templates) -> None:
        self._flow = flow
        self._run = run
        self._event = event
        self._facts = facts
        self._now = now
        self._templates = templates
        self._scope = run_scope(flow, run, event, facts, now)
        self._vars = run.vars
        self._outputs = run.outputs
        self._error = run.error
        self._status: RunStatus = "running"
        self._reason: str | None = None
        self._steps_taken = run.steps_taken
        self._records: list[Record] = []
        self._commands: list[Command] = []
        self.contact = run.contact
        self.cursor: Cursor | None = None

    def begin(self) -> bool:
        """Settle `vars` and the contact. False when the run has failed at that."""
        flow = self._flow
        try:
            for name, value in flow.vars.items():
                self._set(name, self._templates.data(value, self._scope))
            if self.contact is None and flow.contact is not None and not self._find_contact():
                return False
            if problem := self._too_large():
                self._run, self._vars = replace(self._run, match={}), {}
                self._end("failed", problem)
                return False
        except ExpressionError as error:
            self._end("failed", error.message)
            return False
        return True

    def _find_contact(self) -> bool:
        assert self._flow.contact is not None
        text = self._templates.text(self._flow.contact, self._scope)
        number = to_e164(text, self._facts.country)
        if number is None:
            self._end("failed", f'the flow\'s contact, "{text}", is not a phone number')
            return False
        self.contact = number
        self._scope["contact"] = {**self._scope["contact"], "number": number}
        return True

    def go_on(self, address: str | None) -> None:
        """Walk from the step at `address` until commands are asked for or the run ends. None: the end of the flow."""
        while address is not None:
            step = step_at(self._flow, address)
            self._steps_taken += 1
            if self._steps_taken > MOST_STEPS:
                self._end("failed", f"the run took more than {MOST_STEPS} steps")
                return
            try:
                if step.condition is not None and not self._holds(step.condition):
                    self.record(address, "skipped")
                    address = following(self._flow, address)
                    continue
                address = self._take(step, address)
            except _ConditionError as error:
                address = self._fail(step, "condition", error.message)
            except ExpressionError as error:
                address = self._fail(step, "template", error.message)
            except ActionError as error:
                address = self._fail(step, "value", str(error))
            if self.cursor is not None or self._status != "running":
                return
        self._end("completed")

    def _take(self, step: Step, address: str) -> str | None:
        """Carry out one step; the address to go on at. Halts by setting a cursor or by ending the run."""
        templates, scope = self._templates, self._scope
        match step.action:
            case SendSms() as action:
                asked = send_commands(action, step, self._caller(), scope, templates)
                return self._ask(step, asked.commands, asked.skipped)
            case Http() as action:
                return self._ask(step, [call_command(action, step, self._caller(), scope, templates)])
            case GetMessageStatus() | GetSenderIds() | CancelMessage() | SetOptOut() as question:
                return self._ask(step, [question_command(question, step, self._caller(), scope, templates)])
            case SetVars(values=values):
                if problem := self._set_all(values):
                    return self._fail(step, "limit", problem)
                self.record(address, "set", ", ".join(values))
            case Choose(branches=branches):
                for index, branch in enumerate(branches):
                    if branch.condition is None or self._holds(branch.condition):
                        self.record(address, "branch", index)
                        return f"{address}.choose.{index}.0" if branch.steps else following(self._flow, address)
            case Log(text=text):
                line = templates.text(text, scope)
                self.record(address, "log", line)
                self._commands.append(LogLine(id=f"{self._run.id}:{address}:0", text=line))
            case Stop(text=text):
                self._end("stopped", templates.text(text, scope))
                return None
            case Fail(text=text):
                message = templates.text(text, scope)
                self._note_error(step, Problem(kind="fail", message=message, step=step.id or address))
                self._end("failed", message)
                return None
        return following(self._flow, address)

    def _ask(self, step: Step, commands: Sequence[Command], skipped: Sequence[Outcome] = ()) -> str | None:
        """Halt at the step until its commands have outcomes; go on at once when there are none to wait for."""
        if problem := self._too_large(commands):
            return self._fail(step, "limit", problem)
        cursor = Cursor(address=step.address, commands=tuple(commands), outcomes=tuple(skipped))
        for command in commands:
            self.record(step.address, "command", _asked(command))
        if commands:
            self._commands.extend(commands)
            self.cursor = cursor
            return None
        return self._give_output(step, cursor)

    def finish(self, cursor: Cursor) -> None:
        """The step has all it waited for: give it its output and walk on."""
        address = self._give_output(step_at(self._flow, cursor.address), cursor)
        if self._status == "running":
            self.go_on(address)

    def _give_output(self, step: Step, cursor: Cursor) -> str | None:
        """The address to go on at, once the step's output is known; a failure leads to `on_error`."""
        only = cursor.outcomes[0]
        output: dict[str, Any] | Failed
        if isinstance(step.action, SendSms):
            output = send_output(cursor.outcomes)
        elif isinstance(only, Answered):
            output = call_output(only)
        elif isinstance(only, Told):
            output = question_output(cast(Question, step.action), only)
        else:
            assert isinstance(only, Failed)
            output = only
        if isinstance(output, Failed):
            return self._fail(step, output.kind, output.message, output.status)
        if step.id is not None:
            before = self._outputs
            self._outputs = self._scope["steps"] = {**before, step.id: output}
            if isinstance(only, Answered | Told) and (problem := self._too_large()):
                self._outputs = self._scope["steps"] = before
                return self._fail(step, "limit", problem)
        return following(self._flow, step.address)

    def _fail(self, step: Step, kind: str, message: str, status: int | None = None) -> str | None:
        """Where to go on after a failure: the step's `on_error`, else that of a block around it. May end the run."""
        name = step.id or step.address
        self._note_error(step, Problem(kind=kind, message=message, step=name, status=status, place=str(step.origin)))
        address: str | None = step.address
        while address is not None:
            handler = step_at(self._flow, address).on_error
            if handler == "continue":
                return following(self._flow, address)
            if handler:
                return f"{address}.on_error.0"
            while address is not None and is_in_on_error(address):
                address = parent(address)  # a failure inside `on_error` is not that step's own again
            address = None if address is None else parent(address)
        self._end("failed", f"step {name}: {message}")
        return None

    def _note_error(self, step: Step, problem: Problem) -> None:
        if len(problem.message) > _LONGEST_REASON:
            problem = replace(problem, message=f"{problem.message[: _LONGEST_REASON - 1]}…")
        self._error = problem
        self._scope["error"] = {
            "kind": problem.kind, "message": problem.message, "step": problem.step, "status": problem.status,
        }  # fmt: skip
        self.record(step.address, "error", problem.message)

    def _set_all(self, values: Mapping[str, Value]) -> str | None:
        """Assign in order, all or none. Why they are too much to keep, or None. Raises ExpressionError."""
        before = self._vars
        try:
            for name, value in values.items():
                self._set(name, self._templates.data(value, self._scope))
        except ExpressionError:
            self._vars = self._scope["vars"] = before
            raise
        problem = self._too_large()
        if problem is not None:
            self._vars = self._scope["vars"] = before
        return problem

    def _set(self, name: str, value: Any) -> None:
        self._vars = self._scope["vars"] = {**self._vars, name: msgspec.to_builtins(value)}

    def _holds(self, condition: Condition) -> bool:
        try:
            return self._templates.holds(condition, self._scope)
        except ExpressionError as error:
            raise _ConditionError(error.message, error.origin) from error

    def _too_large(self, commands: Sequence[Command] = ()) -> str | None:
        """Why the run may not keep what it has now, and what these commands bring; None when it may."""
        size_bytes = len(_encode((self._run.match, self._vars, self._outputs, commands)))
        if commands and isinstance(commands[0], SendMessage):
            size_bytes += len(_encode(commands)) + _OUTCOME_BYTES * len(commands)  # each outcome repeats its message
        if size_bytes <= LARGEST_STATE_BYTES:
            return None
        asked = f" and {len(commands)} {'messages' if len(commands) > 1 else 'call'} under way" if commands else ""
        return (
            f"the run would have to keep {size_bytes // 1024} KiB (variables, outputs, captured text{asked}); "
            f"at most {LARGEST_STATE_BYTES // 1024} KiB can be kept"
        )

    def _caller(self) -> Caller:
        run = self._run
        return Caller(
            run_id=run.id,
            account=run.account,
            contact=self.contact,
            our_number=run.our_number,
            country=self._facts.country,
            source_numbers=self._facts.source_numbers,
            timezone=self._facts.timezone,
            now=self._now,
        )

    def record(self, address: str, what: str, detail: Any = None) -> None:
        """One line of the trace, as far as there is room."""
        if len(self._run.trace) + len(self._records) >= _MOST_RECORDS:
            return
        if isinstance(detail, str) and len(detail) > 1:
            room = _MOST_DETAIL - sum(
                len(each.detail)
                for records in (self._run.trace, self._records)
                for each in records
                if isinstance(each.detail, str)
            )
            longest = max(1, min(_LONGEST_DETAIL, room))
            detail = detail if len(detail) <= longest else f"{detail[: longest - 1]}…"
        self._records.append(Record(self._now, address, what, detail))

    def _end(self, status: RunStatus, reason: str | None = None) -> None:
        if reason is not None and len(reason) > _LONGEST_REASON:
            reason = f"{reason[: _LONGEST_REASON - 1]}…"
        self._status, self._reason = status, reason

    def transition(self) -> Transition:
        """What this call of the engine decided."""
        is_final = self._status != "running"
        run = replace(
            self._run,
            contact=self.contact,
            status=self._status,
            ended_at=self._now if is_final else None,
            reason=self._reason,
            cursors=() if self.cursor is None else (self.cursor,),
            vars=self._vars,
            outputs=self._outputs,
            error=self._error,
            steps_taken=self._steps_taken,
            trace=(*self._run.trace, *self._records),
        )
        return Transition(run=run, commands=tuple(self._commands))


def _asked(command: Command) -> str:
    """A command for the trace."""
    match command:
        case LogLine(text=text):
            return text
        case SendMessage(to=to, body=body):
            return f"to {to}: {body['content']}"
        case CallUrl(method=method, url=url):
            return f"{method} {url}"
        case AskProvider(what=what, subject=subject):
            return f"{what} {subject}".strip()
