"""Taking up what a former process left: open runs, what they had asked for, and messages that had not left.

Whatever may have been under way when it stopped is not done again here: messages are handed to `settle`, calls to
`calls`, and both know what may be repeated.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from sinchflow.engine import interpreter
from sinchflow.engine.cursors import sleeps_of
from sinchflow.journal.journal import Snapshot
from sinchflow.model.command import AskProvider, Attempt, CallUrl, Outcome, SendMessage, StartRun
from sinchflow.model.run import Cursor, Run
from sinchflow.model.send import Send
from sinchflow.runtime.active import Active, Pace
from sinchflow.runtime.admission import REPLACED, Admission
from sinchflow.runtime.calls import Calls
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.commands import Commands
from sinchflow.runtime.families import Families

log = structlog.get_logger("sinchflow")


class OpenRuns(Protocol):
    """Who holds the runs in memory."""

    def enter(self, active: Active) -> Active:
        """A run is open."""
        ...

    def called(self, run_id: int, outcome: Outcome) -> None:
        """Hand an outcome to a run."""
        ...

    def cancel(self, run_id: int, reason: str) -> bool:
        """End a run."""
        ...


class Resumption:
    """See the module's text. take_send: takes up a message that was open."""

    def __init__(
        self, *, runs: OpenRuns, active: Mapping[int, Active], catalog: Callable[[], Catalog], admission: Admission,
        commands: Commands, calls: Calls, families: Families, pace: Pace, take_send: Callable[[Send], None],
    ) -> None:  # fmt: skip
        self._runs = runs
        self._active = active
        self._catalog = catalog
        self._admission = admission
        self._commands = commands
        self._calls = calls
        self._families = families
        self._pace = pace
        self._take_send = take_send

    def resume(self, snapshot: Snapshot) -> None:
        """Open runs and their commands."""
        for run in snapshot.runs:
            flow = self._catalog().flow(run.digest)
            if flow is None:  # cannot happen with a journal of ours: a run's document is stored with it
                log.error("run cannot go on: its flow's document is not in the journal", run=run.id, flow=run.flow)
                continue
            self._runs.enter(Active(run, flow, None))
            self._admission.open_runs.note(run)
        lost = {run.id for run in snapshot.runs} - self._active.keys()
        for send in snapshot.sends:  # before what their runs send next; also of runs that ended just before
            if send.run not in lost:
                self._take_send(send)
        for run in snapshot.runs:
            if run.id in self._active:
                self._resume(self._active[run.id], run)
        for active in list(self._active.values()):
            self._pace.update(active)
        for run_id in self._admission.open_runs.to_release():
            self._runs.called(run_id, interpreter.release(self._active[run_id].run))

    def _resume(self, active: Active, run: Run) -> None:
        for sleep in sleeps_of(active.flow, run):
            self._commands.perform(run, sleep)
        for cursor in run.cursors:
            self._resume_cursor(active, cursor)
        if self._admission.is_replaced(active.flow, run):
            self._runs.cancel(run.id, REPLACED)

    def _resume_cursor(self, active: Active, cursor: Cursor) -> None:
        for command in cursor.commands:
            if isinstance(command, SendMessage) or not interpreter.awaits(active.run, command.id):
                continue
            if isinstance(command, CallUrl | AskProvider):
                attempt = cursor.attempts.get(command.id, Attempt())
                if attempt.due is None:
                    active.moving.add(command.id)
                self._calls.resume(active.run.id, command, attempt)
            elif isinstance(command, StartRun):
                self._families.resume(active.run, command, cursor.runs.get(command.id))
            else:
                self._commands.perform(active.run, command)
