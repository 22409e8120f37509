"""One call of the engine: walks a draft of a run from step to step until all its branches halt, or the run ends.

What a step asks for and gives is `settling`'s, blocks that fork and failures are `branching`'s; what is kept is the
`Draft`'s. Here they are put in order.
"""

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from sinchflow.engine.address import BranchEnd, end_of, following, step_at
from sinchflow.engine.asking import ask
from sinchflow.engine.assigning import remember, set_all
from sinchflow.engine.branching import HALT, ConditionError, Halt, Place
from sinchflow.engine.caller import ActionError
from sinchflow.engine.cursors import deadline_command
from sinchflow.engine.draft import Draft
from sinchflow.engine.ends import THE_FLOW, complete
from sinchflow.engine.retrying import doubtful
from sinchflow.engine.settling import Settling
from sinchflow.engine.trace import outcome_words, set_words
from sinchflow.engine.waiting import receipt_before, receipt_output, sleep
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import LogLine, Outcome, Sleep
from sinchflow.model.flow import (
    CancelMessage,
    Choose,
    Delay,
    Fail,
    ForEach,
    GetMessageStatus,
    GetSenderIds,
    Http,
    Log,
    Parallel,
    Remember,
    RunFlow,
    SendSms,
    SetOptOut,
    SetVars,
    Step,
    Stop,
    WaitForReceipt,
    WaitForReply,
)
from sinchflow.model.run import END, Cursor, Problem, Stand

#: Steps that one run may take.
MOST_STEPS = 100_000
#: Steps that one call of the engine takes before it lets others have their turn.
_STEPS_AT_ONCE = 1_000


class Walk(Settling):
    """One call of the engine while it is under way."""

    def __init__(self, draft: Draft, templates: Templates) -> None:
        super().__init__(draft, templates)
        self._taken = 0
        self.transition = draft.transition

    def run_out(self) -> None:
        """The flow's `timeout` is over."""
        assert self._flow.timeout is not None
        seconds = self._flow.timeout.total_seconds()
        problem = Problem(kind="timeout", message=f"the run took longer than {seconds:g} s", step=THE_FLOW)
        self._go(self._fail_run(problem, self._draft.standing()))
        self._walk()

    def miss(self, address: str) -> None:
        """The `timeout` of the block at this address is over."""
        step = replace(step_at(self._flow, address), address=address)
        assert step.timeout is not None
        stand = self._draft.standing()
        self._draft.drop(address)
        self._draft.cursors.pop(address, None)
        self._go(self._fail(step, "timeout", f"it took longer than {step.timeout.total_seconds():g} s", stand=stand))
        self._walk()

    def walk_from(self, address: str | None) -> None:
        """Walk from the step at `address`, and all that follows from it. None: the end of the flow."""
        self._go(address)
        self._walk()

    def go_on(self, stand: Stand, goes_on: Collection[int]) -> None:
        """Go on where the run stood when it failed. goes_on: runs it waited for that are open, or have ended well."""
        draft = self._draft
        for address in stand.deadlines:
            if (timeout := step_at(self._flow, address).timeout) is not None:
                draft.deadlines[address] = draft.now + timeout
        standing = tuple(draft.cursors.values())
        self._to_walk.extend(stand.at)
        first = stand.at[0] if stand.at else END
        if first == END or end_of(first) is not None or first in draft.frames:
            if stand.at:
                self._to_walk.popleft()
            self._go(self._close_again(first))
        for cursor in standing:
            if draft.cursors.get(cursor.address) is cursor and draft.status == "running":  # else given up meanwhile
                self._go(self._take_up(cursor, goes_on))
        self._walk()

    def _close_again(self, address: str) -> Place:
        """What comes after the branches of a block: the end of an iteration, or the block's output."""
        if address == END:
            return HALT
        if (end := end_of(address)) is not None:
            return end
        step = replace(step_at(self._flow, address), address=address)
        return self._go_round(step, step.action) if isinstance(step.action, ForEach) else self._close(step)

    def _take_up(self, cursor: Cursor, goes_on: Collection[int]) -> Place:
        """A step that had not got all it waited for."""
        draft, address = self._draft, cursor.address
        step = replace(step_at(self._flow, address), address=address)
        if cursor.runs and all(run in goes_on for run in cursor.runs.values()):
            return HALT
        del draft.cursors[address]
        if cursor.is_pause:
            return address
        if (doubt := doubtful(cursor)) is not None:
            return self._fail(step, "unknown", doubt)
        scope = self._enter(address)
        try:
            match step.action, cursor.commands:
                case Delay(), (Sleep() as asleep,):
                    return self._ask(step, [replace(asleep, id=sleep(step, draft.caller(), asleep.until).id)])
                case SendSms() as action, _ if (tally := cursor.tally) is not None:
                    return self._send_rest(step, action, tally, scope)
                case _:
                    return self._take(step, address, scope)
        except (ExpressionError, ActionError) as error:
            return self._failed(step, error)

    def _walk(self) -> None:
        while self._to_walk and self._draft.status == "running":
            self._go(self._step(self._to_walk.popleft()))
        self._draft.forget_deadlines()
        if self._draft.status == "running" and not self._draft.cursors and not self._to_walk:
            complete(self._draft, self._templates)

    def _go(self, place: Place) -> None:
        """Go on at a place: a step, the end of a branch, or nowhere."""
        while isinstance(place, BranchEnd):
            place = self._end_branch(place, None)
        if isinstance(place, str):
            self._to_walk.append(place)

    def _step(self, address: str) -> Place:
        """Carry out one step; where to go on."""
        draft = self._draft
        step = step_at(self._flow, address)
        if step.address != address:
            step = replace(step, address=address)  # inside loops an address has the iteration
        draft.steps_taken += 1
        self._taken += 1
        if draft.steps_taken > MOST_STEPS:
            draft.end("failed", f"the run took more than {MOST_STEPS} steps; the last one was {step.id or address}")
            return HALT
        if self._taken > _STEPS_AT_ONCE:
            return self._pause(address)
        scope = self._enter(address)
        try:
            if step.condition is not None and not self._holds(step.condition, scope):
                draft.record(address, "skipped")
                return following(self._flow, address)
            return self._take(step, address, scope)
        except (ExpressionError, ActionError) as error:
            return self._failed(step, error)

    def _failed(self, step: Step, error: ExpressionError | ActionError) -> Place:
        """The step cannot be carried out."""
        match error:
            case ConditionError():
                return self._fail(step, "condition", error.message)
            case ExpressionError():
                return self._fail(step, "template", error.message)
            case _:
                return self._fail(step, "value", str(error))

    def _pause(self, address: str) -> Halt:
        """Let others have their turn: the step is begun when the clock comes by."""
        command = Sleep(id=f"{self._draft.run.asks_as}:{address}:pause{self._draft.steps_taken}", until=self._draft.now)
        self._draft.steps_taken -= 1
        self._draft.commands.append(command)
        self._draft.wait(Cursor(address=address, commands=(command,), is_pause=True))
        return HALT

    def _take(self, step: Step, address: str, scope: dict[str, Any]) -> Place:
        draft, templates, caller = self._draft, self._templates, self._draft.caller()
        if step.timeout is not None and isinstance(step.action, Choose | ForEach | Parallel | RunFlow):
            draft.deadlines[address] = draft.now + step.timeout
            draft.commands.append(Sleep(id=deadline_command(draft.run, address), until=draft.deadlines[address]))
        match step.action:
            case SendSms() as action:
                return self._send(step, action, caller, scope)
            case (
                Http() | GetMessageStatus() | GetSenderIds() | CancelMessage() | SetOptOut() | WaitForReply()
                | WaitForReceipt() | RunFlow()
            ) as action:  # fmt: skip
                command = ask(action, step, caller, draft.message_ids, scope, templates)
                if before := receipt_before(command, draft.run.receipts):
                    return self._output(step, receipt_output(before))
                return self._ask(step, [command])
            case Delay() as action:
                return self._delay(step, action, caller, scope)
            case ForEach() as action:
                return self._begin_loop(step, action, scope)
            case Parallel(branches=branches):
                return self._begin_branches(step, len(branches))
            case SetVars(values=values):
                if problem := set_all(draft, values, address, templates):
                    return self._fail(step, "limit", problem)
                draft.record(address, "set", set_words({name: draft.vars[name] for name in values}))
            case Remember(values=values):
                draft.commands.append(remember(draft, values, address, templates))
            case Choose(branches=arms):
                for index, arm in enumerate(arms):
                    if arm.condition is None or self._holds(arm.condition, scope):
                        draft.record(address, "branch", index)
                        return f"{address}.choose.{index}.0" if arm.steps else following(self._flow, address)
                draft.record(address, "branch")
            case Log(text=text):
                line = templates.text(text, scope)
                draft.record(address, "log", line)
                draft.commands.append(LogLine(id=f"{draft.run.asks_as}:{address}:0", text=line))
            case Stop(text=text):
                draft.end("stopped", templates.text(text, scope))
                draft.record(address, "stop")
                return HALT
            case Fail(text=text):
                stand, message = self._before_fail(address), templates.text(text, scope)
                problem_ = Problem(kind="fail", message=message, step=step.id or address, place=str(step.origin))
                draft.fail(address, problem_)
                return self._fail_run(problem_, stand)
        return following(self._flow, address)

    def take_outcome(self, cursor: Cursor, outcome: Outcome) -> None:
        """One more outcome for the step at the cursor; walks on when it has all it waits for."""
        draft = self._draft
        if cursor.is_pause:
            del draft.cursors[cursor.address]
            self._to_walk.append(cursor.address)
            self._walk()
            return
        step = replace(step_at(self._flow, cursor.address), address=cursor.address)
        draft.record(cursor.address, "outcome", outcome_words(outcome))
        try:
            place = self._settle(step, cursor, outcome)
        except (ExpressionError, ActionError) as error:
            place = self._failed(step, error)
        self._go(place)
        self._walk()
