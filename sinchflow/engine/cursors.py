"""Which outcome belongs to which cursor: command ids are `run:address:n`."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from sinchflow.engine.tally import is_open
from sinchflow.model.command import (
    Attempt,
    CallUrl,
    Command,
    Failed,
    KeepContact,
    LogLine,
    Outcome,
    Sent,
    Skipped,
    Sleep,
)
from sinchflow.model.flow import Flow
from sinchflow.model.run import Cursor, Run


def timeout_command(run: Run) -> str:
    """The id of the `Sleep` at whose end the flow's `timeout` is over."""
    return f"{run.asks_as}:timeout:0"


def deadline_command(run: Run, address: str) -> str:
    """The id of the `Sleep` at whose end the `timeout` of the block at this address is over."""
    return f"{run.asks_as}:{address}:deadline"


def deadline_of(run: Run, command_id: str) -> str | None:
    """The block that is under way and whose time is over with this command."""
    return next((address for address in run.deadlines if deadline_command(run, address) == command_id), None)


def sleeps_of(flow: Flow, run: Run) -> Iterator[Sleep]:
    """What is to be set anew for an open run after a restart, besides its cursors' commands."""
    if flow.timeout is not None and run.handled is None:
        yield Sleep(id=timeout_command(run), until=(run.retried_at or run.started_at) + flow.timeout)
    for address, until in run.deadlines.items():
        yield Sleep(id=deadline_command(run, address), until=until)


def release_command(run_id: int) -> str:
    """The id at whose `Woken` a run that is held begins its first step."""
    return f"{run_id}:release:0"


def waits_for(run: Run, cursor: Cursor, outcome: Outcome) -> bool:
    """Whether the outcome is one that the cursor still waits for."""
    if cursor.tally is not None and isinstance(outcome, Sent | Skipped | Failed):
        return is_open_at(run, cursor, outcome.command)
    return any(command.id == outcome.command for command in cursor.commands) and not any(
        each.command == outcome.command for each in cursor.outcomes
    )


def is_asked(run: Run, command: Command) -> bool:
    """Whether the run wants the command to be performed: the branch that asked for it is there, or need not be."""
    if isinstance(command, LogLine | KeepContact | Sleep):
        return True
    address = command.id.split(":", 2)[1]
    return any(cursor.address == address for cursor in run.cursors)


def is_open_at(run: Run, cursor: Cursor, command: str) -> bool:
    """Whether the command is a message of the cursor's step that has no outcome yet."""
    position = position_of(run, cursor, command)
    return position is not None and cursor.tally is not None and is_open(cursor.tally, position)


def held_calls(run: Run) -> list[tuple[CallUrl, Attempt]]:
    """The `http` calls of an open run of which nobody knows whether they were done, and that wait for a person."""
    return [
        (command, cursor.attempts[command.id])
        for cursor in run.cursors
        for command in cursor.commands
        if isinstance(command, CallUrl) and command.id in cursor.attempts and cursor.attempts[command.id].held
    ]


def with_cursor(run: Run, command_id: str, change: Callable[[Cursor], Cursor]) -> Run:
    """The run with the cursor changed that asked for this command."""
    cursors = (
        change(cursor) if any(each.id == command_id for each in cursor.commands) else cursor for cursor in run.cursors
    )
    return replace(run, cursors=tuple(cursors))


def position_of(run: Run, cursor: Cursor, command: str) -> int | None:
    """Which of the step's messages the command is; None when it is of another step."""
    prefix, _, position = command.rpartition(":")
    if prefix != f"{run.asks_as}:{cursor.address}" or not position.isdecimal() or cursor.tally is None:
        return None
    index = int(position) - cursor.tries  # a wait that asks again numbers its one message by the try
    return index if index >= 0 else None
