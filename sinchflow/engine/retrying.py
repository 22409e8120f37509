"""Taking up a run that failed: where it goes on, and what of it is not done again.

A run that fails keeps where it stood (`Stand`). What had ended well stays as it is; a step that had asked for something
and not heard of it asks again, under ids of its own, so that an outcome of the first try means nothing to the second.
What may have been done without anybody knowing it is not repeated without a word.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from sinchflow.engine.address import all_steps
from sinchflow.engine.cursors import is_open_at, position_of
from sinchflow.engine.repeating import on_crash
from sinchflow.engine.tally import count
from sinchflow.errors import SinchflowError
from sinchflow.model.command import Attempt, CallUrl, Sent
from sinchflow.model.flow import Flow
from sinchflow.model.run import Cursor, Run


class CannotRetry(SinchflowError):
    """The run cannot go on from where it failed; the message says why."""


def why_not(run: Run) -> str | None:
    """Why the run cannot be retried, or None."""
    if run.status == "running":
        return f"run {run.id} has not ended: only a run that failed can be retried"
    if run.status != "failed":
        ended = "was cancelled" if run.status == "cancelled" else run.status
        return f"run {run.id} {ended}: only a run that failed can be retried"
    if run.is_slim:
        return f"run {run.id} cannot be retried: of a run this old only that it failed is kept (`retention`)"
    if run.stand is None:
        return (
            f"run {run.id} cannot be retried: where it stood is not kept (it failed at a limit or under an earlier "
            "release, or its contact was forgotten)"
        )
    return None


def reopened(flow: Flow, run: Run, late: Sequence[Sent], now: datetime) -> Run:
    """The run as it was when it failed, open. late: messages that turned out to be sent. Raises CannotRetry."""
    if problem := why_not(run):
        raise CannotRetry(problem)
    stand = run.stand
    assert stand is not None
    given_in_on_error = {step.id for step in all_steps(flow.on_error)}
    return replace(
        run,
        status="running",
        ended_at=None,
        reason=None,
        stand=None,
        handled=None,
        error=stand.error,
        cursors=tuple(_with_late(run, cursor, late) for cursor in stand.cursors),
        frames=stand.frames,
        branches=stand.branches,
        vars=run.vars if stand.vars is None else stand.vars,
        outputs={name: output for name, output in run.outputs.items() if name not in given_in_on_error},
        retries=run.retries + 1,
        retried_at=now,
    )


def _with_late(run: Run, cursor: Cursor, late: Sequence[Sent]) -> Cursor:
    tally = cursor.tally
    if tally is None:
        return cursor
    for outcome in late:
        position = position_of(run, cursor, outcome.command)
        if position is not None and is_open_at(run, replace(cursor, tally=tally), outcome.command):
            tally = count(tally, position, outcome)
    return replace(cursor, tally=tally)


def doubtful(cursor: Cursor) -> str | None:
    """Why the step's call is not made again: it may have been done; None where it may be made."""
    command = cursor.commands[0] if cursor.commands else None
    if not isinstance(command, CallUrl):
        return None
    attempt = cursor.attempts.get(command.id, Attempt())
    if attempt.due is not None or on_crash(command) == "resend":
        return None
    return f"{command.method} {command.url} was under way when the run failed; whether it was done is not known"
