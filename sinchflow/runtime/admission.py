"""Whether a run that the engine has begun goes on: `throttle` and `concurrency` of its flow.

Nothing of a run is stored before it is admitted. One that `concurrency` queues is stored held, and goes on when the run
before it has ended.
"""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.expression.template import Templates
from sinchflow.journal.journal import Journal
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow
from sinchflow.model.run import Facts, Run, Transition
from sinchflow.runtime.allowances import Allowances
from sinchflow.runtime.concurrency import OpenRuns
from sinchflow.runtime.stats import Stats

_THROTTLED = "throttled"
#: Why a run ends that gives way to a newer one.
REPLACED = "another run of the flow with the same key began"


def is_throttle(refusal: str) -> bool:
    """Whether it was the flow's throttle that did not let a run begin."""
    return refusal == _THROTTLED


class Admission:
    """See the module's text. begin: stores a run within the unit that is being gathered. cancel: ends one."""

    def __init__(
        self,
        *,
        journal: Journal,
        allowances: Allowances,
        stats: Stats,
        facts: Callable[[str | None], Facts],
        templates: Callable[[], Templates],
        begin: Callable[[Flow, Transition, Event, datetime], None],
        cancel: Callable[[int, str], bool],
    ) -> None:
        self.open_runs = OpenRuns()
        self._journal = journal
        self._allowances = allowances
        self._stats = stats
        self._facts = facts
        self._templates = templates
        self._begin = begin
        self._cancel = cancel

    def admit(self, flow: Flow, transition: Transition, event: Event, now: datetime) -> str | None:
        """Begin the run, or queue it; why it is not begun, or None."""
        run, verdict = transition.run, "begin"
        if flow.concurrency is not None and run.is_held:
            verdict = self.open_runs.verdict(flow.concurrency, run)
        if verdict == "refuse":
            self._stats.refused += 1
            return f"refused: {flow.concurrency.mode if flow.concurrency else ''} run of the same key is open"
        if not self._allowances.admit_run(flow, run):
            self._stats.throttled += 1
            self._otherwise(flow, transition, event, now)
            return _THROTTLED
        if run.is_held and verdict != "queue":
            transition = self._released(flow, transition, event, now)
        if verdict == "restart":
            for run_id in self.open_runs.open_beside(run):
                self._cancel(run_id, REPLACED)
        self._begin(flow, transition, event, now)
        return None

    def is_replaced(self, flow: Flow, run: Run) -> bool:
        """Whether a newer run has taken this one's place, whose end was not stored before a crash."""
        is_one = flow.concurrency is not None and flow.concurrency.mode == "restart"
        return is_one and any(each > run.id for each in self.open_runs.open_beside(run))

    def _released(self, flow: Flow, held: Transition, event: Event, now: datetime) -> Transition:
        run = held.run
        first = interpreter.advance(
            flow, run, event, interpreter.release(run), self._facts(run.contact), now, self._templates()
        )
        return replace(first, commands=(*held.commands, *first.commands), kept={**held.kept, **first.kept})

    def _otherwise(self, flow: Flow, refused: Transition, event: Event, now: datetime) -> None:
        """What the flow does instead for a match that is throttled, once per contact and time."""
        if flow.throttle is None or not flow.throttle.otherwise:
            return
        if not self._allowances.admit_otherwise(flow, refused.run):
            return
        run = refused.run
        transition = interpreter.start(
            flow, self._journal.new_id(), event, run.match, self._facts(run.contact), now, self._templates(),
            inputs=run.inputs, contact=run.contact, depth=run.depth, is_otherwise=True,
        )  # fmt: skip
        self._begin(flow, transition, event, now)
