"""One call of the engine: walks a draft of a run from step to step until all its branches halt, or the run ends.

What a step asks for and gives is said by `asking`, `sending`, `waiting`; who takes a failure by `recovery`; what is
kept by the `Draft`. Here they are put in order.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from sinchflow.engine.address import BranchEnd, following, is_beside, step_at
from sinchflow.engine.asking import ask, output_of
from sinchflow.engine.assigning import remember, set_all
from sinchflow.engine.caller import ActionError, Caller
from sinchflow.engine.cursors import deadline_command, position_of
from sinchflow.engine.draft import Draft, shortened
from sinchflow.engine.ends import THE_FLOW, complete, reason_of
from sinchflow.engine.loops import Loops, items_value
from sinchflow.engine.recovery import recover
from sinchflow.engine.sending import reask_command, send_commands, send_output
from sinchflow.engine.tally import count, new_tally, tally_output
from sinchflow.engine.trace import asked_words, outcome_words
from sinchflow.engine.waiting import (
    asking_again,
    receipt_before,
    receipt_output,
    reply_output,
    reply_wait,
    sleep,
    sleep_until,
)
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import (
    Command,
    Failed,
    LogLine,
    Outcome,
    Replied,
    Sent,
    Sleep,
    Woken,
)
from sinchflow.model.flow import (
    CancelMessage,
    Choose,
    Condition,
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
from sinchflow.model.run import Cursor, Problem

#: Steps that one run may take.
MOST_STEPS = 100_000
#: Steps that one call of the engine takes before it lets others have their turn.
_STEPS_AT_ONCE = 1_000


class _Halt:
    """Nowhere to go on from here, for now or for good."""


_HALT = _Halt()
#: Where to go on: at a step, after the end of a branch, nowhere; None is the end of the flow.
_Place = str | BranchEnd | _Halt | None


class _ConditionError(ExpressionError):
    """An `if` that has no value."""


class Walk:
    """One call of the engine while it is under way."""

    def __init__(self, draft: Draft, templates: Templates) -> None:
        self._draft = draft
        self._flow = draft.flow
        self._templates = templates
        self._to_walk: deque[str] = deque()
        self._taken = 0
        self._scope: dict[str, Any] = {}
        self.transition = draft.transition

    # --- walking

    def run_out(self) -> None:
        """The flow's `timeout` is over."""
        assert self._flow.timeout is not None
        seconds = self._flow.timeout.total_seconds()
        problem = Problem(kind="timeout", message=f"the run took longer than {seconds:g} s", step=THE_FLOW)
        self._go(self._fail_run(problem))
        self._walk()

    def miss(self, address: str) -> None:
        """The `timeout` of the block at this address is over."""
        step = replace(step_at(self._flow, address), address=address)
        assert step.timeout is not None
        self._draft.drop(address)
        self._draft.cursors.pop(address, None)
        self._go(self._fail(step, "timeout", f"it took longer than {step.timeout.total_seconds():g} s"))
        self._walk()

    def walk_from(self, address: str | None) -> None:
        """Walk from the step at `address`, and all that follows from it. None: the end of the flow."""
        self._go(address)
        self._walk()

    def _walk(self) -> None:
        while self._to_walk and self._draft.status == "running":
            self._go(self._step(self._to_walk.popleft()))
        self._draft.forget_deadlines()
        if self._draft.status == "running" and not self._draft.cursors and not self._to_walk:
            complete(self._draft, self._templates)

    def _go(self, place: _Place) -> None:
        """Go on at a place: a step, the end of a branch, or nowhere."""
        while isinstance(place, BranchEnd):
            place = self._end_branch(place, None)
        if isinstance(place, str):
            self._to_walk.append(place)

    def _step(self, address: str) -> _Place:
        """Carry out one step; where to go on."""
        draft = self._draft
        step = step_at(self._flow, address)
        if step.address != address:
            step = replace(step, address=address)  # inside loops an address has the iteration
        draft.steps_taken += 1
        self._taken += 1
        if draft.steps_taken > MOST_STEPS:
            draft.end("failed", f"the run took more than {MOST_STEPS} steps; the last one was {step.id or address}")
            return _HALT
        if self._taken > _STEPS_AT_ONCE:
            return self._pause(address)
        scope = self._enter(address)
        try:
            if step.condition is not None and not self._holds(step.condition, scope):
                draft.record(address, "skipped")
                return following(self._flow, address)
            return self._take(step, address, scope)
        except _ConditionError as error:
            return self._fail(step, "condition", error.message)
        except ExpressionError as error:
            return self._fail(step, "template", error.message)
        except ActionError as error:
            return self._fail(step, "value", str(error))

    def _pause(self, address: str) -> _Halt:
        """Let others have their turn: the step is begun when the clock comes by."""
        command = Sleep(id=f"{self._draft.run.id}:{address}:pause{self._draft.steps_taken}", until=self._draft.now)
        self._draft.steps_taken -= 1
        self._draft.commands.append(command)
        self._draft.wait(Cursor(address=address, commands=(command,), is_pause=True))
        return _HALT

    def _take(self, step: Step, address: str, scope: dict[str, Any]) -> _Place:
        draft, templates, caller = self._draft, self._templates, self._draft.caller()
        if step.timeout is not None and isinstance(step.action, Choose | ForEach | Parallel | RunFlow):
            draft.deadlines[address] = draft.now + step.timeout
            draft.commands.append(Sleep(id=deadline_command(draft.run.id, address), until=draft.deadlines[address]))
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
                draft.record(address, "set", ", ".join(values))
            case Remember(values=values):
                draft.commands.append(remember(draft, values, address, templates))
            case Choose(branches=arms):
                for index, arm in enumerate(arms):
                    if arm.condition is None or self._holds(arm.condition, scope):
                        draft.record(address, "branch", index)
                        return f"{address}.choose.{index}.0" if arm.steps else following(self._flow, address)
            case Log(text=text):
                line = templates.text(text, scope)
                draft.record(address, "log", line)
                draft.commands.append(LogLine(id=f"{draft.run.id}:{address}:0", text=line))
            case Stop(text=text):
                draft.end("stopped", templates.text(text, scope))
                return _HALT
            case Fail(text=text):
                problem_ = Problem(kind="fail", message=templates.text(text, scope), step=step.id or address)
                draft.fail(address, problem_)
                return self._fail_run(problem_)
        return following(self._flow, address)

    # --- steps that ask for something

    def _send(self, step: Step, action: SendSms, caller: Caller, scope: dict[str, Any]) -> _Place:
        sends = send_commands(action, step, caller, scope, self._templates)
        tally = new_tally(len(sends.commands), sends.skipped)
        for command in sends.commands[:20]:
            self._draft.record(step.address, "command", asked_words(command))
        self._draft.commands.extend(sends.commands)
        if sends.commands:
            self._draft.wait(Cursor(address=step.address, tally=tally))
            if sends.skipped and (problem := self._draft.too_large()):
                self._draft.cursors.pop(step.address)
                del self._draft.commands[-len(sends.commands) :]
                return self._fail(step, "limit", problem)
            return _HALT
        return self._output(step, tally_output(tally))

    def _ask(self, step: Step, commands: Sequence[Command]) -> _Place:
        """Halt at the step until its commands have outcomes."""
        if problem := self._draft.too_large(commands):
            return self._fail(step, "limit", problem)
        for command in commands:
            self._draft.record(step.address, "command", asked_words(command))
        self._draft.commands.extend(commands)
        self._draft.wait(Cursor(address=step.address, commands=tuple(commands)))
        return _HALT

    def _delay(self, step: Step, action: Delay, caller: Caller, scope: dict[str, Any]) -> _Place:
        until = sleep_until(action, caller, scope, self._templates)
        if until > self._draft.now:
            return self._ask(step, [sleep(step, caller, until)])
        self._draft.record(step.address, "skipped", "its time is past")
        if action.if_past == "stop":
            self._draft.end("stopped", f"the time of step {step.id or step.address} was past")
            return _HALT
        place = following(self._flow, step.address)
        if action.if_past == "skip" and isinstance(place, str) and is_beside(place, step.address):
            self._draft.record(place, "skipped", "the time before it was past")
            return following(self._flow, place)
        return place

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
        except ExpressionError as error:
            place = self._fail(step, "template", error.message)
        except ActionError as error:
            place = self._fail(step, "value", str(error))
        self._go(place)
        self._walk()

    def _settle(self, step: Step, cursor: Cursor, outcome: Outcome) -> _Place:
        """Where to go on with this outcome; nowhere while the step waits for more."""
        if cursor.tally is not None:
            return self._count(step, cursor, outcome)
        cursor = replace(cursor, outcomes=(*cursor.outcomes, outcome))
        self._draft.cursors[cursor.address] = cursor
        if len({each.command for each in cursor.outcomes if each.command}) < len(cursor.commands):
            return _HALT
        return self._finish(step, cursor)

    def _count(self, step: Step, cursor: Cursor, outcome: Outcome) -> _Place:
        position = position_of(self._draft.run, cursor, outcome.command)
        assert cursor.tally is not None
        assert position is not None
        tally = count(cursor.tally, position, outcome)
        if isinstance(outcome, Sent) and (message_id := outcome.message.get("message_id")):
            self._draft.sent((str(message_id),))
        if int(tally.open, 16):
            self._draft.cursors[cursor.address] = replace(cursor, tally=tally)
            return _HALT
        del self._draft.cursors[cursor.address]
        if step.id is None and tally.failure is None and isinstance(step.action, SendSms):
            return following(self._flow, step.address)  # nobody can ask for its output
        output = tally_output(tally)
        if isinstance(step.action, WaitForReply) and not isinstance(output, Failed):  # it had asked again
            return self._wait_again(step, step.action, cursor)
        return self._output(step, output)

    def _finish(self, step: Step, cursor: Cursor) -> _Place:
        """The step has all it waited for."""
        del self._draft.cursors[cursor.address]
        only = cursor.outcomes[0]
        match step.action:
            case SendSms():  # begun by an earlier release, which kept each message's outcome
                return self._output(step, send_output(cursor.outcomes))
            case WaitForReply() as action:
                return self._answered(step, action, cursor, only)
            case Delay():
                return following(self._flow, step.address)
            case _:
                return self._output(step, output_of(step, only))

    def _answered(self, step: Step, action: WaitForReply, cursor: Cursor, outcome: Outcome) -> _Place:
        """An answer has come, or the wait has run out. One that fits no category is asked for again, so many times."""
        otherwise = action.otherwise
        fits = isinstance(outcome, Woken) or (isinstance(outcome, Replied) and outcome.category is not None)
        if fits or not action.categories or otherwise is None:
            return self._output(step, reply_output(outcome))
        tries = cursor.tries + 1
        if tries > otherwise.attempts:
            return self._output(step, reply_output(outcome, is_other=True))
        scope, caller = self._enter(step.address), asking_again(self._draft.caller(), cursor.commands[0], outcome)
        command = reask_command(otherwise.reply, step.address, tries, caller, scope, self._templates)
        self._draft.record(step.address, "command", asked_words(command))
        self._draft.commands.append(command)
        self._draft.wait(Cursor(address=step.address, tally=new_tally(1, ()), tries=tries))
        return _HALT

    def _wait_again(self, step: Step, action: WaitForReply, cursor: Cursor) -> _Place:
        scope = self._enter(step.address)
        ids = self._draft.message_ids
        wait = reply_wait(action, step.address, cursor.tries, self._draft.caller(), ids, scope, self._templates)
        wait = replace(wait, id=f"{wait.id}w")
        self._draft.commands.append(wait)
        self._draft.wait(Cursor(address=step.address, commands=(wait,), tries=cursor.tries))
        return _HALT

    def _output(self, step: Step, output: dict[str, Any] | Failed) -> _Place:
        """Where to go on, once the step's output is known; a failure leads to `on_error`."""
        if isinstance(output, Failed):
            return self._fail(step, output.kind, output.message, output.status)
        if step.id is not None and (problem := self._draft.give(step.id, step.address, output)):
            return self._fail(step, "limit", problem)
        return following(self._flow, step.address)

    # --- blocks that fork

    def _begin_loop(self, step: Step, action: ForEach, scope: dict[str, Any]) -> _Place:
        items = Loops(self._draft).items_of(items_value(action.items, scope, self._templates), action.items)
        self._draft.open_loop(step.address, items)
        if problem := self._draft.too_large():
            self._draft.drop(step.address)
            return self._fail(step, "limit", problem)
        self._draft.record(step.address, "loop", f"{len(items)} items")
        return self._go_round(step, action)

    def _go_round(self, step: Step, action: ForEach) -> _Place:
        """Begin as many iterations as may be open; the loop's output once none is."""
        begun = Loops(self._draft).begin_iterations(step.address, action.parallel)
        self._to_walk.extend(f"{step.address}.for_each.{index}.0" for index in begun)
        frame = self._draft.frames[step.address]
        if frame.open:
            return _HALT
        self._draft.drop(step.address)
        return self._output(step, Loops(self._draft).output(frame))

    def _begin_branches(self, step: Step, size: int) -> _Halt:
        begun = Loops(self._draft).begin_branches(step.address, size)
        self._to_walk.extend(f"{step.address}.parallel.{index}.0" for index in begun)
        return _HALT

    def _end_branch(self, end: BranchEnd, problem: Problem | None) -> _Place:
        """One branch has ended, well or not; where to go on from the block, once all have."""
        step = replace(step_at(self._flow, end.block), address=end.block)
        if isinstance(step.action, ForEach):
            action = step.action
            try:
                scope = self._enter(f"{end.block}.for_each.{end.index}.0")
                is_over = action.until is not None and self._holds(action.until, scope)
            except ExpressionError as error:
                if problem is None:
                    self._give_up(end.block)
                    return self._fail(step, "condition", error.message)
                is_over = False  # it names what the failed item never gave
            Loops(self._draft).end_iteration(end.block, end.index, problem, is_over=is_over)
            return self._go_round(step, action)
        Loops(self._draft).end_branch(end.block, end.index)
        frame = self._draft.frames[end.block]
        if frame.open:
            return _HALT
        self._draft.drop(end.block)
        return self._output(step, Loops(self._draft).output(frame))

    # --- failures

    def _fail(self, step: Step, kind: str, message: str, status: int | None = None) -> _Place:
        """Where to go on after a failure: the nearest `on_error`, a loop's next item, or the flow's `on_error`."""
        name = step.id or step.address
        problem = Problem(kind=kind, message=message, step=name, status=status, place=str(step.origin))
        self._draft.fail(step.address, problem)
        recovery = recover(self._flow, step.address)
        for block in recovery.given_up:
            self._give_up(block)
        if recovery.item is not None:
            return self._end_branch(recovery.item, problem)
        if recovery.given_up and isinstance(recovery.at, str):
            self._draft.show_error(recovery.at, shortened(problem))  # the one who takes it stands outside of the loop
        if recovery.at is not None or recovery.is_end:
            return recovery.at
        return self._fail_run(problem)

    def _give_up(self, block: str) -> None:
        """All that is under way inside the block, or about to be, comes to nothing."""
        self._draft.drop(block)
        self._to_walk = deque(each for each in self._to_walk if not each.startswith(f"{block}."))

    def _fail_run(self, problem: Problem) -> str | _Halt:
        """The flow's own `on_error`, once; else the end."""
        draft = self._draft
        for block in list(draft.frames):
            draft.drop(block)
        draft.cursors = {}
        self._to_walk.clear()
        problem = draft.error = shortened(problem)
        if draft.handled is None and self._flow.on_error:
            draft.handled = problem
            return "on_error.0"
        draft.end("failed", reason_of(draft.handled or problem))
        return _HALT

    # --- small things

    def _enter(self, address: str) -> dict[str, Any]:
        """What templates of the step at this address see."""
        return self._draft.scope(address)

    def _holds(self, condition: Condition, scope: dict[str, Any]) -> bool:
        try:
            return self._templates.holds(condition, scope)
        except ExpressionError as error:
            raise _ConditionError(error.message, error.origin) from error
