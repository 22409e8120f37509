"""A run while one call of the engine is at work on it: what may change, and what templates see of it.

Mutable; the run that it was made of is not touched. It knows where things are kept (a loop's steps give to their
iteration, all others to the run) and what is too much to keep; what happens when is the interpreter's.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.engine.address import iterations, step_at
from sinchflow.engine.caller import Caller
from sinchflow.engine.scope import run_scope
from sinchflow.engine.trace import LONGEST_DETAIL, with_room
from sinchflow.model.command import Command, KeepContact, LogLine
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow, ForEach
from sinchflow.model.run import Branch, Cursor, Facts, Frame, Problem, Record, Run, RunStatus, Stand, Transition

#: Of all that a run keeps but its trace, as stored (design.md section 4: runs are rows of at most 256 KiB).
LARGEST_STATE_BYTES = 200 * 1024
#: Items of a loop that are kept with the run; more are kept beside it, written once.
_LARGEST_ITEMS_BYTES = 4 * 1024
#: Of all details of a trace together; up to four bytes each.
_MOST_DETAIL = 6_000
#: As many characters as every record may have without anybody counting.
_ALWAYS_ROOM = 50
_LONGEST_REASON = 2_000
_MOST_MESSAGE_IDS = 20

_encode = msgspec.json.Encoder().encode

#: Items of a loop that are kept beside the run, by the address of its step.
KeptItems = Callable[[str], Sequence[Any]]


class Draft:
    """See the module's text."""

    def __init__(self, flow: Flow, run: Run, event: Event, facts: Facts, now: datetime, kept: KeptItems) -> None:
        self.flow = flow
        self.run = run
        self.facts = facts
        self.now = now
        self.contact = run.contact
        self.status: RunStatus = "running"
        self.steps_taken = run.steps_taken
        self.vars = run.vars
        self.outputs = run.outputs
        self.inputs = run.inputs
        self.error = run.error
        self.handled = run.handled
        self.cursors = {cursor.address: cursor for cursor in run.cursors}
        self.frames = dict(run.frames)
        self.branches = dict(run.branches)
        self.deadlines = dict(run.deadlines)
        self.stand = run.stand
        self.commands: list[Command] = []
        self.message_ids = run.message_ids
        self.outputs_given: dict[str, Any] = {}
        self.is_of_event = event.contact is not None  #: whom the run is about was said by the event
        self._event = event
        self._made: dict[str, Any] | None = None
        self._reason: str | None = None
        self._records: list[Record] = []
        self._said: int | None = None  # characters of all details
        self._new_items: dict[str, tuple[Any, ...]] = {}
        self._kept = kept

    @property
    def _base(self) -> dict[str, Any]:
        """What templates see, but for what changes on the way; made when the first one looks."""
        if self._made is None:
            self._made = run_scope(self.flow, self.run, self._event, self.facts, self.now)
        return self._made

    @property
    def languages(self) -> tuple[str, ...]:
        """In which languages the contact is spoken to, the best one first."""
        own, common = self._base["contact"].get("language"), self.facts.language
        if own is None and common is None:
            return ()
        return tuple(str(language) for language in (own, common) if language)

    def caller(self) -> Caller:
        """The run and the project's settings, as commands need to know them."""
        return Caller(
            run_id=self.run.asks_as,
            account=self.run.account,
            contact=self.contact,
            our_number=self.run.our_number,
            country=self.facts.country,
            source_numbers=self.facts.source_numbers,
            timezone=self.facts.timezone,
            now=self.now,
            languages=self.languages,
        )

    # --- what templates see

    def scope(self, address: str) -> dict[str, Any]:
        """The names of a step at this address; those of the loops around it included."""
        scope = self._base
        scope["vars"], scope["steps"], scope["inputs"] = self.vars, self.outputs, self.inputs
        self._show_error(scope, self.error)
        around = tuple(iterations(address)) if "for_each" in address else ()
        if around:
            scope = dict(scope)
            for iteration, block in around:
                branch = self.branches[iteration]
                action = step_at(self.flow, block).action
                assert isinstance(action, ForEach)
                scope[action.as_] = branch.item
                scope["steps"] = {**scope["steps"], **branch.outputs}
                if branch.error is not None:
                    self._show_error(scope, branch.error)
        return scope

    def _show_error(self, scope: dict[str, Any], error: Problem | None) -> None:
        if error is None:
            scope.pop("error", None)
        else:
            scope["error"] = {
                "kind": error.kind, "message": error.message, "step": error.step, "status": error.status,
            }  # fmt: skip

    def set_contact(self, number: str) -> None:
        """Whom the run is about, from here on for good."""
        self.contact = number
        if self._base["contact"].get("number") != number:
            known = self.facts.contact
            self._base["contact"] = known if known.get("number") == number else {"number": number}

    def note_known(self) -> None:
        """Keep what is known of the contact now: the run can be played again from there."""
        known = self.facts.contact
        if len(known) > 1 and known.get("number") == self.contact:
            kept = {name: value for name, value in known.items() if name != "number"}
            self.run = replace(self.run, known=kept)

    def remember(self, values: Mapping[str, Any]) -> None:
        """What is known about the contact from here on."""
        known = {**self._base["contact"], **values}
        self._base["contact"] = {name: value for name, value in known.items() if value is not None}

    # --- what the run keeps

    def set_var(self, name: str, value: Any) -> None:
        """Assign to `vars`. Once the run is bound to fail, a retry needs them as they were."""
        if self.stand is not None and self.stand.vars is None:
            self.stand = replace(self.stand, vars=self.vars)
        self.vars = {**self.vars, name: msgspec.to_builtins(value)}

    def give(self, step_id: str, address: str, output: dict[str, Any]) -> str | None:
        """The step's output, for the steps after it. Why it is too much to keep, or None."""
        iteration = innermost(address)
        if iteration is None:
            before = self.outputs
            self.outputs = {**before, step_id: output}
            if problem := self.too_large():
                self.outputs = before
            return problem
        branch = self.branches[iteration]
        self.branches[iteration] = replace(branch, outputs={**branch.outputs, step_id: output})
        if problem := self.too_large():
            self.branches[iteration] = branch
        return problem

    def fail(self, address: str, problem: Problem) -> None:
        """Note why the step failed, as `error` in its loop or in the run."""
        problem = shortened(problem)
        self.show_error(address, problem)
        self.record(address, "error", problem.message)

    def show_error(self, address: str, problem: Problem) -> None:
        """`error` for the step at this address: in its loop or in the run."""
        iteration = innermost(address)
        if iteration is None:
            self.error = problem
        else:
            self.branches[iteration] = replace(self.branches[iteration], error=problem)

    def sent(self, message_ids: Sequence[str]) -> None:
        """Messages that an answer may name."""
        if message_ids:
            self.message_ids = (*self.message_ids, *message_ids)[-_MOST_MESSAGE_IDS:]

    def items(self, address: str) -> Sequence[Any]:
        """The items of the loop at this address."""
        frame = self.frames[address]
        if frame.items is not None:
            return frame.items
        return self._new_items[address] if address in self._new_items else self._kept(address)

    def open_loop(self, address: str, items: tuple[Any, ...]) -> None:
        """A loop begins; many items are kept beside the run."""
        is_small = len(items) <= 64 and len(_encode(items)) <= _LARGEST_ITEMS_BYTES
        self.frames[address] = Frame(size=len(items), items=items if is_small else None)
        if not is_small:
            self._new_items[address] = items

    def drop(self, prefix: str) -> None:
        """All that is under way inside the block at this address comes to nothing."""
        inner = f"{prefix}."
        self.cursors = {at: cursor for at, cursor in self.cursors.items() if not at.startswith(inner)}
        self.frames = {at: frame for at, frame in self.frames.items() if at != prefix and not at.startswith(inner)}
        self.branches = {at: branch for at, branch in self.branches.items() if not at.startswith(inner)}

    def forget_deadlines(self) -> None:
        """Blocks of which nothing is under way any more are over."""
        for address in list(self.deadlines) if self.deadlines else ():
            if not any(at == address or at.startswith(f"{address}.") for at in self.cursors):
                del self.deadlines[address]

    def too_large(self, asked: Sequence[Command] = ()) -> str | None:
        """Why the run may not keep what it has now, and what these commands bring; None when it may.

        Where only what a retry would need is too much, that is given up.
        """
        size_bytes = self._size(asked)
        if size_bytes > LARGEST_STATE_BYTES and self.stand is not None:
            self.stand = None
            size_bytes = self._size(asked)
        if size_bytes <= LARGEST_STATE_BYTES:
            return None
        loops = ", loops" if self.frames else ""
        return (
            f"the run would have to keep {size_bytes // 1024} KiB (variables, outputs, captured text{loops}"
            f"{' and 1 call under way' if asked else ''}); at most {LARGEST_STATE_BYTES // 1024} KiB can be kept"
        )

    def _size(self, asked: Sequence[Command]) -> int:
        kept = (
            self.run.match, self.vars, self.outputs, self.inputs, self.frames, self.branches,
            list(self.cursors.values()), self.outputs_given, asked, self.stand,
        )  # fmt: skip
        return len(_encode(kept))

    # --- how it goes on

    def standing(self, *at: str) -> Stand | None:
        """Where the run stands, for a retry that begins there. A run that is bound to fail has stood elsewhere."""
        if self.handled is not None:
            return self.stand
        return Stand(
            at=at,
            cursors=tuple(cursor for cursor in self.cursors.values() if cursor.address not in at),
            frames=dict(self.frames),
            branches=dict(self.branches),
            deadlines=tuple(self.deadlines),
            error=self.error,
        )

    def wait(self, cursor: Cursor) -> None:
        """A branch halts here."""
        self.cursors[cursor.address] = cursor

    def end(self, status: RunStatus, reason: str | None = None) -> None:
        """The run is over: nothing of it is under way any more."""
        if reason is not None and len(reason) > _LONGEST_REASON:
            reason = f"{reason[: _LONGEST_REASON - 1]}…"
        self.status, self._reason = status, reason
        if status != "failed":
            self.stand = None
        self.cursors, self.frames, self.branches, self.deadlines = {}, {}, {}, {}
        self.commands = [each for each in self.commands if isinstance(each, LogLine | KeepContact)]

    def record(self, address: str, what: str, detail: Any = None) -> None:
        """One line of the trace, as long as there is room for."""
        if isinstance(detail, str) and len(detail) > _ALWAYS_ROOM:
            if self._said is None:
                self._said = _characters((*self.run.trace, *self._records)) if self.run.trace or self._records else 0
            longest = max(_ALWAYS_ROOM, min(LONGEST_DETAIL, _MOST_DETAIL - self._said))
            detail = detail if len(detail) <= longest else f"{detail[: longest - 1]}…"
            self._said += len(detail)
        self._records.append(Record(self.now, address, what, detail))

    def transition(self) -> Transition:
        """What this call of the engine decided."""
        run = replace(
            self.run,
            contact=self.contact,
            status=self.status,
            ended_at=self.now if self.status != "running" else None,
            reason=self._reason,
            cursors=tuple(self.cursors.values()),
            frames=self.frames,
            branches=self.branches,
            deadlines=self.deadlines,
            inputs=self.inputs,
            handled=self.handled,
            message_ids=self.message_ids,
            outputs_given=self.outputs_given,
            vars=self.vars,
            outputs=self.outputs,
            error=self.error,
            steps_taken=self.steps_taken,
            stand=self.stand,
            trace=with_room(self.run.trace, self._records),
        )
        return Transition(run=run, commands=tuple(self.commands), kept=self._new_items)


def _characters(records: Sequence[Record]) -> int:
    return sum(len(each.detail) for each in records if isinstance(each.detail, str))


def shortened(problem: Problem) -> Problem:
    """The problem with as much of its message as is kept."""
    if len(problem.message) <= _LONGEST_REASON:
        return problem
    return replace(problem, message=f"{problem.message[: _LONGEST_REASON - 1]}…")


def new_branch(item: Any) -> Branch:
    """An iteration that begins."""
    return Branch(item=item)


def innermost(address: str) -> str | None:
    """The iteration that the step belongs to; None outside of all loops."""
    if "for_each" not in address:
        return None
    return tuple(iterations(address))[-1][0]
