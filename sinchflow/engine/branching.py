"""Blocks that fork, failures, and what a step gives: how a walk goes on from the end of a branch or of a step.

Who takes a failure is said by `recovery`, the bookkeeping of blocks is `loops`'; here they are put in order.
"""

from collections import deque
from typing import Any

from msgspec.structs import replace

from sinchflow.engine.address import BranchEnd, following, step_at
from sinchflow.engine.draft import Draft, shortened
from sinchflow.engine.ends import reason_of
from sinchflow.engine.loops import Loops, items_value
from sinchflow.engine.recovery import recover
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.command import Failed
from sinchflow.model.flow import Choose, Condition, ForEach, Parallel, Step
from sinchflow.model.run import Frame, Problem, Stand


class Halt:
    """Nowhere to go on from here, for now or for good."""


HALT = Halt()
#: Where to go on: at a step, after the end of a branch, nowhere; None is the end of the flow.
Place = str | BranchEnd | Halt | None


class ConditionError(ExpressionError):
    """An `if` that has no value."""


class Branching:
    """The part of a `Walk` that knows branches and failures. What it adds to `_to_walk` is walked by the walk."""

    def __init__(self, draft: Draft, templates: Templates) -> None:
        self._draft = draft
        self._flow = draft.flow
        self._templates = templates
        self._to_walk: deque[str] = deque()

    def _output(self, step: Step, output: dict[str, Any] | Failed, frame: Frame | None = None) -> Place:
        """Where to go on, once the step's output is known; a failure leads to `on_error`.

        frame: of a block, of which a retry shall only try the output again.
        """
        if isinstance(output, Failed):
            return self._fail(step, output.kind, output.message, output.status)
        if step.id is not None and (problem := self._draft.give(step.id, step.address, output)):
            stand = self._draft.standing(step.address)
            if stand is not None and frame is not None:
                stand = replace(stand, frames={**stand.frames, step.address: frame})
            return self._fail(step, "limit", problem, stand=stand)
        return following(self._flow, step.address)

    # --- blocks that fork

    def _begin_loop(self, step: Step, action: ForEach, scope: dict[str, Any]) -> Place:
        items = Loops(self._draft).items_of(items_value(action.items, scope, self._templates), action.items)
        self._draft.open_loop(step.address, items)
        if problem := self._draft.too_large():
            self._draft.drop(step.address)
            return self._fail(step, "limit", problem)
        self._draft.record(step.address, "loop", f"{len(items)} items")
        return self._go_round(step, action)

    def _go_round(self, step: Step, action: ForEach) -> Place:
        """Begin as many iterations as may be open; the loop's output once none is."""
        begun = Loops(self._draft).begin_iterations(step.address, action.parallel)
        self._to_walk.extend(f"{step.address}.for_each.{index}.0" for index in begun)
        return self._close(step)

    def _close(self, step: Step) -> Place:
        """The block's output, once none of its branches is open."""
        frame = self._draft.frames[step.address]
        if frame.open:
            return HALT
        self._draft.drop(step.address)
        return self._output(step, Loops(self._draft).output(frame), frame)

    def _begin_branches(self, step: Step, size: int) -> Halt:
        begun = Loops(self._draft).begin_branches(step.address, size)
        self._to_walk.extend(f"{step.address}.parallel.{index}.0" for index in begun)
        return HALT

    def _end_branch(self, end: BranchEnd, problem: Problem | None) -> Place:
        """One branch has ended, well or not; where to go on from the block, once all have."""
        step = replace(step_at(self._flow, end.block), address=end.block)
        if isinstance(step.action, ForEach):
            action = step.action
            try:
                scope = self._enter(f"{end.block}.for_each.{end.index}.0")
                is_over = action.until is not None and self._holds(action.until, scope)
            except ExpressionError as error:
                if problem is None:
                    stand = self._draft.standing(f"{end.block}.for_each.{end.index}", *self._to_walk)
                    self._give_up(end.block)
                    return self._fail(step, "condition", error.message, stand=stand)
                is_over = False  # it names what the failed item never gave
            Loops(self._draft).end_iteration(end.block, end.index, problem, is_over=is_over)
            return self._go_round(step, action)
        Loops(self._draft).end_branch(end.block, end.index)
        return self._close(step)

    # --- failures

    def _fail(
        self, step: Step, kind: str, message: str, status: int | None = None, *, stand: Stand | None = None
    ) -> Place:
        """Where to go on after a failure: the nearest `on_error`, a loop's next item, or the flow's `on_error`.

        stand: where the run stood, when something of that is given up already.
        """
        stand = stand or self._draft.standing(step.address, *self._to_walk)
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
        return self._fail_run(problem, stand)

    def _before_fail(self, address: str) -> Stand | None:
        """Where a retry goes on after the `fail` at this address: in an `on_error`, at the step that it is about.

        Not at a block: what of it ended well would be done again.
        """
        owner = address.rpartition(".on_error.")[0]
        action = step_at(self._flow, owner).action if owner else None
        if action is None or isinstance(action, Choose | ForEach | Parallel):
            return self._draft.standing(address, *self._to_walk)
        inner = f"{owner}."
        stand = self._draft.standing(owner, *(each for each in self._to_walk if not each.startswith(inner)))
        if stand is None or self._draft.handled is not None:
            return stand
        return replace(
            stand,
            cursors=tuple(cursor for cursor in stand.cursors if not cursor.address.startswith(inner)),
            frames={at: frame for at, frame in stand.frames.items() if not at.startswith(inner)},
            branches={at: branch for at, branch in stand.branches.items() if not at.startswith(inner)},
            error=None,
        )

    def _give_up(self, block: str) -> None:
        """All that is under way inside the block, or about to be, comes to nothing."""
        self._draft.drop(block)
        self._to_walk = deque(each for each in self._to_walk if not each.startswith(f"{block}."))

    def _fail_run(self, problem: Problem, stand: Stand | None) -> str | Halt:
        """The flow's own `on_error`, once; else the end. stand: what a retry goes on from."""
        draft = self._draft
        draft.stand = stand
        for block in list(draft.frames):
            draft.drop(block)
        draft.cursors = {}
        self._to_walk.clear()
        problem = draft.error = shortened(problem)
        if draft.handled is None and self._flow.on_error:
            draft.handled = problem
            return "on_error.0"
        draft.end("failed", reason_of(draft.handled or problem))
        return HALT

    # --- small things

    def _enter(self, address: str) -> dict[str, Any]:
        """What templates of the step at this address see."""
        return self._draft.scope(address)

    def _holds(self, condition: Condition, scope: dict[str, Any]) -> bool:
        try:
            return self._templates.holds(condition, scope)
        except ExpressionError as error:
            raise ConditionError(error.message, error.origin) from error
