"""The engine: one flow, one run, one outcome in; the run's next state and its next commands out. Pure.

Theory of operation
-------------------
A run is a set of cursors: places where a branch of it waits for the outcomes of the commands that the step there asked
for. `start` makes a run and walks from the first step; `advance` takes one outcome in and, when the step has all it
waits for, gives the step its output and walks on. Walking carries out what needs nobody else (`set`, `choose`, `log`)
and halts at each step that asks for commands. `for_each` and `parallel` fork branches; a frame counts which are open,
and the last to end goes on after the block.

A step that fails sets `error` and goes to its `on_error`, else to that of the block around it (a loop may go on with
its next item), else to the flow's own; without any the run fails. What fails is an expression, an action whose values
cannot be used, a command's outcome, the flow's `timeout`, or a limit. Branches beside a failed one come to nothing.

The caller stores the transition's run before it performs the commands, and hands in the outcomes one at a time. The
same arguments always give the same transition, so a run can be replayed. A command's id derives from run and address;
an outcome that nobody waits for (any more) changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.engine.address import step_at
from sinchflow.engine.cursors import deadline_of, is_open_at, release_command, timeout_command, waits_for
from sinchflow.engine.draft import Draft, KeptItems
from sinchflow.engine.ends import begin, find_key, hold
from sinchflow.engine.retrying import reopened
from sinchflow.engine.waiting import receipt_before
from sinchflow.engine.walk import Walk
from sinchflow.expression.template import Templates
from sinchflow.model.command import Outcome, ReceiptCame, Sent, Woken
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow, Step
from sinchflow.model.run import BEGIN, Facts, Run, Transition

#: That are kept with a run until it waits for one, and how large they are together.
_MOST_RECEIPTS, _MOST_RECEIPTS_BYTES = 40, 32 * 1024


def _kept_receipts(receipts: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """The last ones, as many as there is room for."""
    receipts = receipts[-_MOST_RECEIPTS:]
    while len(receipts) > 1 and len(msgspec.json.encode(receipts)) > _MOST_RECEIPTS_BYTES:
        receipts = receipts[1:]
    return receipts


def _nothing_kept(address: str) -> Sequence[Any]:
    raise LookupError(f"no items are kept for the loop at {address}")


def start(
    flow: Flow,
    run_id: int,
    event: Event,
    match: dict[str, Any],
    facts: Facts,
    now: datetime,
    templates: Templates,
    *,
    inputs: Mapping[str, Any] | None = None,
    contact: str | None = None,
    depth: int = 0,
    parent_command: str | None = None,
    is_otherwise: bool = False,
) -> Transition:
    """A new run of `flow` for `event`, walked to its first commands or its end.

    A run of a flow with `concurrency` is held at its first step, with its `key`: the caller decides when to `release`
    it. inputs: as a person or another flow gave them; None: to be taken from the event. contact: of the run that began
    this one. depth: of runs above this one. parent_command: the command that waits for this run. is_otherwise: take the
    steps of `throttle.otherwise`.
    """
    run = Run(
        id=run_id,
        flow=flow.name,
        digest=flow.digest,
        event_id=event.id,
        started_at=now,
        account=flow.account or event.account,
        contact=event.contact or contact,
        our_number=event.our_number,
        match=match,
        depth=depth,
        parent=parent_command,
        is_otherwise=is_otherwise,
    )
    draft = Draft(flow, run, event, facts, now, _nothing_kept)
    goes_on = begin(draft, templates, inputs)
    draft.note_known()
    if goes_on:
        if flow.concurrency is not None and not is_otherwise:
            hold(draft, flow.concurrency, templates)
        else:
            Walk(draft, templates).walk_from("otherwise.0" if is_otherwise else "0")
    return draft.transition()


def release(run: Run) -> Woken:
    """The outcome with which a run that is held begins its first step."""
    return Woken(command=release_command(run.id))


def advance(
    flow: Flow,
    run: Run,
    event: Event,
    outcome: Outcome,
    facts: Facts,
    now: datetime,
    templates: Templates,
    kept: KeptItems = _nothing_kept,
) -> Transition:
    """The run with one more outcome. One that it does not wait for changes nothing.

    kept: the items that an earlier transition wanted kept beside the run, by address. A receipt without a command is
    of one of the run's messages: for a step that waits for it already, else it is kept for one that does so later.
    """
    if run.is_final:
        return Transition(run=run)
    if isinstance(outcome, ReceiptCame) and not outcome.command:
        fields, commands = outcome.fields, [each for cursor in run.cursors for each in cursor.commands]
        run = replace(run, receipts=_kept_receipts((*run.receipts, fields)))
        outcome = next((came for each in commands if (came := receipt_before(each, [fields])) is not None), outcome)
        if not outcome.command:
            return Transition(run=run)
    walk = Walk(Draft(flow, run, event, facts, now, kept), templates)
    if outcome.command == timeout_command(run):
        walk.run_out()
        return walk.transition()
    if (block := deadline_of(run, outcome.command)) is not None:
        walk.miss(block)
        return walk.transition()
    if outcome.command == release_command(run.id):
        cursor = next((each for each in run.cursors if each.is_pause and not each.commands), None)
    else:
        cursor = next((each for each in run.cursors if waits_for(run, each, outcome)), None)
    if cursor is None:
        return Transition(run=run)
    walk.take_outcome(cursor, outcome)
    return walk.transition()


def awaits(run: Run, command_id: str) -> bool:
    """Whether the run still waits for this command's outcome."""
    if run.is_final:
        return False
    for cursor in run.cursors:
        if cursor.tally is not None and is_open_at(run, cursor, command_id):
            return True
        if any(command.id == command_id for command in cursor.commands):
            return all(outcome.command != command_id for outcome in cursor.outcomes)
    return False


def retry(
    flow: Flow,
    run: Run,
    event: Event,
    facts: Facts,
    now: datetime,
    templates: Templates,
    kept: KeptItems = _nothing_kept,
    *,
    late: Sequence[Sent] = (),
    goes_on: Collection[int] = (),
) -> Transition:
    """A run that failed, gone on with from where it stood. Raises CannotRetry with the reason why that cannot be.

    Steps that ended well are not repeated, messages that were sent neither. The sleeps of its timeouts are not among
    the commands (`cursors.sleeps_of`). late: what was heard after its end of messages that it had asked for. goes_on:
    runs that it waited for and that are open, or have ended well; any other is begun anew.
    """
    again, stand = reopened(flow, run, late, now), run.stand
    assert stand is not None
    is_begin = stand.at[:1] == (BEGIN,)
    if is_begin and run.depth:
        event = replace(event, contact=None)  # as it was begun
    draft = Draft(flow, again, event, facts, now, kept)
    draft.record(stand.at[0] if stand.at else "", "retried", again.retries)
    if is_begin:
        inputs = stand.inputs
        if not begin(draft, templates, inputs):
            return draft.transition()
        stand = replace(stand, at=("otherwise.0" if run.is_otherwise else "0",))
    is_counted = flow.concurrency is not None and run.key is None and not run.is_otherwise
    if is_counted and flow.concurrency is not None and not find_key(draft, flow.concurrency, templates):
        return draft.transition()
    walk = Walk(draft, templates)
    walk.go_on(stand, goes_on)
    return walk.transition()


def step_of(flow: Flow, command_id: str) -> Step:
    """The step that asked for this command."""
    return step_at(flow, command_id.split(":")[1])


def cancel(run: Run, reason: str, now: datetime) -> Transition:
    """The run ended from outside; what it asked for and is not done yet comes to nothing."""
    if run.is_final:
        return Transition(run=run)
    return Transition(
        run=replace(
            run, status="cancelled", reason=reason, ended_at=now, cursors=(), frames={}, branches={}, stand=None
        )
    )
