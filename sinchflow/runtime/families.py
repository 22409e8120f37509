"""Runs that begin other runs (`run_flow`), and wait for their end."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from sinchflow.engine import interpreter
from sinchflow.engine.cursors import with_cursor
from sinchflow.journal.journal import Journal
from sinchflow.model.command import Failed, Outcome, RunEnded, StartRun
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow
from sinchflow.model.run import Run, Transition
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.matching import Matching

#: Stores a run within the unit that is being gathered, unless it may not begin: then why.
Admit = Callable[[Flow, Transition, Event, datetime], str | None]


class Families:
    """Which run waits for which. tell: hands an outcome to a run."""

    def __init__(
        self, *, journal: Journal, catalog: Callable[[], Catalog], matching: Matching, admit: Admit,
        tell: Callable[[int, Outcome], None],
    ) -> None:  # fmt: skip
        self._journal = journal
        self._catalog = catalog
        self._matching = matching
        self._admit = admit
        self._tell = tell
        self._parents: dict[str, int] = {}  # runs that wait for another one, by the command that began it

    def begin(self, parent: Run, event: Event, command: StartRun, now: datetime) -> Run | Outcome:
        """Begin the flow that a run asks for, in the same unit.

        Gives the outcome, or, where the run is to wait, the run as it knows of the other one.
        """
        catalog = self._catalog()
        flow = catalog.flows.get(command.flow)
        if flow is None or not flow.enabled:
            words = f'there is no flow "{command.flow}" (any more)' if flow is None else f'flow "{flow.name}" is off'
            return Failed(command=command.id, kind="flow", message=words)
        run_id = self._journal.new_id()

        def started(contact: str | None) -> Transition:
            return interpreter.start(
                flow, run_id, replace(event, contact=None), {}, self._matching.facts(contact), now, catalog.templates,
                inputs=command.inputs, contact=command.contact, depth=parent.depth + 1,
                parent_command=command.id if command.wait else None,
            )  # fmt: skip

        transition = started(command.contact)
        if (contact := transition.run.contact) != command.contact:
            knowing = started(contact)  # the flow's `contact:` is somebody of whom other things are known
            transition = knowing if knowing.run.contact == contact else transition
        if command.wait:
            self._parents[command.id] = parent.id
        refusal = self._admit(flow, transition, event, now)
        if refusal is not None:
            self._parents.pop(command.id, None)
            return Failed(command=command.id, kind="flow", message=f'flow "{flow.name}": {refusal}')
        if not command.wait:
            return RunEnded(command=command.id, run=run_id)
        return with_cursor(parent, command.id, lambda it: replace(it, runs={**it.runs, command.id: run_id}))

    def resume(self, parent: Run, command: StartRun, child: int | None) -> None:
        """A run that waited for another one when a former process stopped; the other one may have ended just then."""
        self._parents[command.id] = parent.id
        ended = None if child is None else self._journal.run(child)
        if child is None or ended is None:
            words = f'the run of flow "{command.flow}" is not in the journal'
            self._tell(parent.id, Failed(command=command.id, kind="flow", message=words))
        elif ended.is_final:
            self.has_ended(ended)

    def rejoin(self, parent: Run, command: StartRun, child: int, *, is_again: bool) -> None:
        """A run that is retried waits for this one still. is_again: that one is retried as well."""
        if is_again:
            self._parents[command.id] = parent.id
        else:
            self.resume(parent, command, child)

    def has_ended(self, run: Run) -> None:
        """The run that waits for this one goes on, in the same unit where it can."""
        parent = None if run.parent is None else self._parents.pop(run.parent, None)
        if parent is not None and run.parent is not None:
            outcome = RunEnded(
                command=run.parent, run=run.id, status=run.status, reason=run.reason, outputs=run.outputs_given
            )
            self._tell(parent, outcome)
