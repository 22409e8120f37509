"""How far the performing of each run's calls has come: kept with the run, so that it survives a restart."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.cursors import held_calls, with_cursor
from sinchflow.engine.repeating import on_failure
from sinchflow.engine.trace import with_attempt
from sinchflow.model.command import Answered, AskProvider, Attempt, CallUrl, Failed, Skipped, Told
from sinchflow.model.flow import OnUnknownCall
from sinchflow.runtime.active import Active, Pace
from sinchflow.runtime.calls import CallByHand, Calls
from sinchflow.runtime.commits import Commits


class Attempts:
    """What `Calls` asks for (`HoldsRuns`). active: the open runs. called: hands an outcome to a run."""

    calls: Calls

    def __init__(
        self, *, active: Mapping[int, Active], commits: Commits, pace: Pace,
        called: Callable[[int, Answered | Told | Failed | Skipped], None], now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._active = active
        self._commits = commits
        self._pace = pace
        self._now = now
        self.called = called

    def backs_off(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt, failure: str = "") -> None:
        """See `HoldsRuns.backs_off`."""
        if (active := self._active.get(run_id)) is None:
            return
        if interpreter.awaits(active.run, command.id):
            if failure:
                active.run = with_attempt(active.run, command.id, attempt, failure, self._now())
            self._keep(active, command, attempt)
            self._commits.unit.thens.append(lambda: self.calls.call(run_id, command, attempt))
        active.moving.discard(command.id)
        self._pace.update(active)

    def begins(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt, then: Callable[[], None]) -> None:
        """See `HoldsRuns.begins`."""
        if (active := self._active.get(run_id)) is None or not interpreter.awaits(active.run, command.id):
            return
        active.moving.add(command.id)
        self._pace.update(active)
        self._keep(active, command, attempt)
        self._commits.unit.thens.append(then)

    def holds(self, run_id: int, command: CallUrl, attempt: Attempt) -> None:
        """See `HoldsRuns.holds`."""
        if (active := self._active.get(run_id)) is not None and interpreter.awaits(active.run, command.id):
            active.moving.discard(command.id)
            self._keep(active, command, attempt)
            self._pace.update(active)

    def on_failure(self, run_id: int, command: CallUrl) -> OnUnknownCall | None:
        """See `HoldsRuns.on_failure`."""
        active = self._active.get(run_id)
        return None if active is None else on_failure(active.flow, command)

    def resolve(self, run_id: int, how: CallByHand) -> str | None:
        """A person's word on the calls of a run that are held. Why it cannot be done, None once it is."""
        active = self._active.get(run_id)
        held = [] if active is None else held_calls(active.run)
        for command, attempt in held:
            self.calls.resolve(run_id, command, attempt, how)
        return None if held else "it has no call that is held"

    def _keep(self, active: Active, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        active.run = with_cursor(
            active.run, command.id, lambda it: replace(it, attempts={**it.attempts, command.id: attempt})
        )
        self._commits.unit.runs.append(active.run)
        self._commits.flush_soon()
