"""Commands of runs that are not sends: calls, questions, log lines, timers and waits, once their run is stored."""

from collections.abc import Callable
from datetime import datetime

import structlog

from sinchflow.engine import interpreter
from sinchflow.model.command import (
    AskProvider,
    Attempt,
    AwaitReceipt,
    AwaitReply,
    CallUrl,
    Command,
    LogLine,
    Outcome,
    Sleep,
    Woken,
)
from sinchflow.model.run import Run
from sinchflow.runtime.calls import Calls
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.flood import ALWAYS
from sinchflow.runtime.waits import Waits

log = structlog.get_logger("sinchflow")


class Commands:
    """See the module's text. tell: hands an outcome to a run."""

    def __init__(self, *, clock: Clock, calls: Calls, waits: Waits, tell: Callable[[int, Outcome], None]) -> None:
        self._clock = clock
        self._calls = calls
        self._waits = waits
        self._tell = tell

    def perform(self, run: Run, command: Command) -> None:
        """Do what the run asks for; the outcome comes later."""
        match command:
            case CallUrl() | AskProvider():
                self._calls.call(run.id, command, Attempt())
            case LogLine(text=text):
                about = {"event_id": run.event_id, "step": command.id.split(":")[1], ALWAYS: True}
                log.info(text, run=run.id, flow=run.flow, **about)
            case Sleep(until=until):
                self._wake_at(run.id, command.id, until)
            case AwaitReply() | AwaitReceipt() if interpreter.awaits(run, command.id):
                self._waits.add(run.id, command)
                if command.until is not None:
                    self._wake_at(run.id, command.id, command.until)

    def forget_waits(self, before: Run, after: Run) -> None:
        """Waits that the run has given up are open no more."""
        if any(cursor.commands for cursor in before.cursors):
            still = {command.id for cursor in after.cursors for command in cursor.commands}
            for cursor in before.cursors:
                for command in cursor.commands:
                    if isinstance(command, AwaitReply | AwaitReceipt) and command.id not in still:
                        self._waits.remove(command)

    def _wake_at(self, run_id: int, command_id: str, until: datetime) -> None:
        self._clock.call_at(until, lambda: self._tell(run_id, Woken(command=command_id)))
