"""What a run did and what it waits for, in words: its trace beside the flow that it is pinned to.

The trace keeps what cannot be known later; where a step stands, what it is called and which condition held is the
flow's to tell.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sinchflow.engine.address import end_of, step_at
from sinchflow.engine.cursors import position_of
from sinchflow.engine.trace import asked_words, without_secrets
from sinchflow.model.command import (
    AskProvider,
    Attempt,
    AwaitReceipt,
    AwaitReply,
    CallUrl,
    Command,
    Sleep,
    StartRun,
)
from sinchflow.model.flow import Choose, Flow, SendSms, SetOptOut, SetVars, Step
from sinchflow.model.run import BEGIN, END, Cursor, Record, Run
from sinchflow.model.send import Send

#: Messages of one step that are named one by one.
_MOST_NAMED = 5
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def step_named(flow: Flow | None, address: str) -> Step | None:
    """The step at this address, where the flow and the address are known."""
    if flow is None or not address or address in (BEGIN, END):
        return None
    end = end_of(address)
    try:
        return step_at(flow, address if end is None else end.block)
    except (LookupError, ValueError):
        return None


def action_of(step: Step) -> str:
    """The action's key, as it is written in the flow."""
    match step.action:
        case SendSms(to=None):
            return "reply"
        case SetVars():
            return "set"
        case SetOptOut(is_opted_out=is_opted_out):
            return "opt_out" if is_opted_out else "opt_in"
        case action:
            return _CAPITAL.sub("_", type(action).__name__).lower()


def place_of(run: Run) -> str | None:
    """`file:line:col` of the step at which the run failed."""
    problem = run.handled or run.error
    return (problem.place or None) if run.status == "failed" and problem is not None else None


def told(flow: Flow | None, records: Sequence[Record], earlier: Sequence[Record] = ()) -> Iterator[dict[str, Any]]:
    """Each record for people and for JSON. earlier: those before, for how long things took."""
    asked: dict[str, datetime] = {}
    for at, record in enumerate((*earlier, *records)):
        if record.what == "command":
            asked.setdefault(record.address, record.at)
        began = asked.pop(record.address, None) if record.what in ("outcome", "error") else None
        if at < len(earlier):
            continue
        step = step_named(flow, record.address)
        yield {
            "at": record.at.isoformat(),
            "address": record.address,
            "step": _name(step, record.address),
            "action": None if step is None else action_of(step),
            "place": None if step is None else str(step.origin),
            "what": record.what,
            "text": _text(record, step),
            "took_s": None if began is None else round((record.at - began).total_seconds(), 3),
        }


def _name(step: Step | None, address: str) -> str:
    if step is not None:
        return step.id or step.name or action_of(step)
    return {BEGIN: "inputs", END: "outputs"}.get(address, address)


def _text(record: Record, step: Step | None) -> str:
    match record.what, record.detail:
        case "branch", int(index) if step is not None and isinstance(step.action, Choose):
            condition = step.action.branches[index].condition if index < len(step.action.branches) else None
            return f"branch {index + 1}: " + ("else" if condition is None else f"`{condition.source}` holds")
        case "branch", int(index):
            return f"branch {index + 1}"
        case "branch", None:
            return "no branch holds"
        case "stop", None:
            return "the run stops here"
        case "skipped", None:
            condition = None if step is None else step.condition
            return "its `if` does not hold" if condition is None else f"`{condition.source}` does not hold"
        case "retried", number:
            return f"a person had the run go on from here (retry {number})"
        case "left_out", number:
            return f"{number} records are left out"
        case _, None:
            return ""
        case _, detail:
            return without_secrets(str(detail))


def doing(run: Run, flow: Flow | None, sends: Sequence[Send]) -> tuple[str | None, list[dict[str, Any]]]:
    """What an open run does: `held`, `waiting` or `working`, and what each of its branches waits for.

    sends: its open messages. None once it has ended.
    """
    if run.is_final:
        return None, []
    waits = [
        {"step": _name(step_named(flow, cursor.address), cursor.address), "address": cursor.address, **each}
        for cursor in run.cursors
        for each in _waits(run, cursor, sends)
    ]
    states = {wait.pop("state") for wait in waits}
    state = "held" if "held" in states else "working" if "working" in states or not states else "waiting"
    return state, waits


def _waits(run: Run, cursor: Cursor, sends: Sequence[Send]) -> Iterator[dict[str, Any]]:
    if cursor.is_pause:
        is_held = not cursor.commands
        yield _wait("held" if is_held else "working", "another run with its key to end" if is_held else "its turn")
        return
    if cursor.tally is not None:
        own = [send for send in sends if position_of(run, cursor, send.command.id) is not None]
        for send in own[:_MOST_NAMED]:
            yield _message(send)
        rest = int(cursor.tally.open, 16).bit_count() - min(len(own), _MOST_NAMED)
        if rest > 0:
            yield _wait("working", f"{rest} {'more ' if own else ''}message{'' if rest == 1 else 's'} to leave")
        return
    heard = {outcome.command for outcome in cursor.outcomes}
    for command in cursor.commands:
        if command.id not in heard:
            yield _command(command, cursor)


def _message(send: Send) -> dict[str, Any]:
    state = {"held": "held", "deferred": "waiting", "unknown": "waiting"}.get(send.state, "working")
    reason = f": {send.reason}" if send.reason else ""
    return _wait(state, f"send {send.id} to {send.command.to} ({send.state}{reason})", send.due)


def _command(command: Command, cursor: Cursor) -> dict[str, Any]:
    match command:
        case AwaitReply(contact=contact, until=until):
            return _wait("waiting", f"a reply of {contact}", until)
        case AwaitReceipt(message_id=message_id, until=until):
            return _wait("waiting", f"a receipt of {message_id}", until)
        case Sleep(until=until):
            return _wait("waiting", "the time", until)
        case StartRun(id=command_id, flow=flow):
            child = cursor.runs.get(command_id)
            return _wait("waiting", f"the end of flow {flow}" + (f" (run {child})" if child is not None else ""))
        case CallUrl() | AskProvider():
            attempt = cursor.attempts.get(command.id, Attempt())
            what = "Sinch's answer" if isinstance(command, AskProvider) else asked_words(command).partition("\n")[0]
            if attempt.held is not None:
                return _wait("held", f"a person's word about {what}: {attempt.held}")
            if attempt.due is not None:
                return _wait("waiting", f"attempt {attempt.number} of {what}", attempt.due)
            return _wait("working", what)
        case _:
            return _wait("working", asked_words(command))


def _wait(state: str, what: str, until: datetime | None = None) -> dict[str, Any]:
    return {"state": state, "for": what, "until": None if until is None else until.isoformat()}
