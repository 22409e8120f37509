"""What is left of a record once it is no longer kept whole, and which may go. Pure."""

from datetime import datetime, timedelta

import msgspec

from sinchflow.model.event import Event
from sinchflow.model.run import Run

#: Repeats of an event are known for so long at least: the provider tries again for 45 days.
REPEATS_KNOWN = timedelta(days=60)
#: Longer than any throttle's window.
CALLS_KEPT = timedelta(days=7)
#: What people did to the daemon, at least.
ACTS_KEPT = timedelta(days=365)
#: Outcomes of runs that went well: of these only the newest are kept whole.
WENT_WELL = ("completed", "stopped", "cancelled")
#: What routing had to say is small and explains silence: so many times as many of it are kept as traces.
NOTES_PER_TRACE = 10


class Retained(msgspec.Struct, kw_only=True):
    """What one sweep did: how many rows went, or were made slim.

    size_bytes: of what the journal holds after it. is_too_large: that is more than it may hold, and no more could go.
    """

    emptied: int = 0
    events: int = 0
    runs: int = 0
    sends: int = 0
    slimmed: int = 0
    others: int = 0
    size_bytes: int = 0
    is_too_large: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether all stays as it was."""
        return not (self.emptied or self.events or self.runs or self.sends or self.slimmed or self.others)


def emptied(event: Event) -> Event:
    """The event without what was in it and without whom it was about."""
    return Event(
        id=event.id, kind=event.kind, key=event.key, received_at=event.received_at, account=event.account,
        ignored=event.ignored,
    )  # fmt: skip


def slim(run: Run) -> Run:
    """The run with what lists and counts need: which flow it was, whom it was about, when, and how it ended."""
    return Run(
        id=run.id, flow=run.flow, digest=run.digest, event_id=run.event_id, started_at=run.started_at,
        account=run.account, contact=run.contact, our_number=run.our_number, status=run.status, ended_at=run.ended_at,
        reason=run.reason, depth=run.depth, parent=run.parent, key=run.key, is_opt_out=run.is_opt_out,
        is_otherwise=run.is_otherwise, steps_taken=run.steps_taken, let_through=run.let_through, retries=run.retries,
        retried_at=run.retried_at, is_slim=True,
        # A run that waits for this one may not have heard of its end, when it is suspended.
        outputs_given=run.outputs_given if run.parent is not None else {},
    )  # fmt: skip


def ends_before(run: Run, time: datetime) -> bool:
    """Whether the run had ended by then."""
    return run.is_final and (run.ended_at or run.started_at) < time
