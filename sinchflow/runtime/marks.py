"""Open runs that something may be wanted of because of what their flow says, so that nobody looks through all runs."""

from collections.abc import Callable

from sinchflow.engine.address import all_steps
from sinchflow.model.flow import Flow, WaitForReceipt
from sinchflow.model.send import SentBy


class Marks:
    """Run ids by what they may be wanted for."""

    def __init__(self) -> None:
        self.ends_on_change: set[int] = set()  #: `on_change: cancel`
        self.wants_receipts: set[int] = set()  #: it may wait for a receipt that came before
        self._has_receipt_wait: dict[str, bool] = {}  # by the flow's digest

    def add(self, run_id: int, flow: Flow) -> None:
        """A run is open."""
        if flow.on_change == "cancel":
            self.ends_on_change.add(run_id)
        if flow.digest not in self._has_receipt_wait:
            steps = all_steps((*flow.steps, *flow.on_error))
            self._has_receipt_wait[flow.digest] = any(isinstance(step.action, WaitForReceipt) for step in steps)
        if self._has_receipt_wait[flow.digest]:
            self.wants_receipts.add(run_id)

    def keeper(self, sent_by: Callable[[], SentBy | None]) -> int | None:
        """The run that may wait for a receipt later. sent_by: whose message it is about; asked only where it counts."""
        sender = sent_by() if self.wants_receipts else None
        return sender.run if sender is not None and sender.run in self.wants_receipts else None

    def remove(self, run_id: int) -> None:
        """It has ended."""
        self.ends_on_change.discard(run_id)
        self.wants_receipts.discard(run_id)
