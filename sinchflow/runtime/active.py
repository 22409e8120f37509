"""A run in memory, and whether it is at work: then its contact's next event waits."""

from collections import deque
from collections.abc import Callable

import msgspec

from sinchflow.model.command import Outcome
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow
from sinchflow.model.run import Run
from sinchflow.model.send import Send
from sinchflow.runtime.lanes import Lanes


class Cancelled(msgspec.Struct, frozen=True):
    """In the place of an outcome: the run is to end."""

    reason: str
    command: str = ""


class Active:
    """A run in memory. moving: commands of it that are on their way. inbox: outcomes that came while it is stored.

    is_stored: whether the journal has the run, in this state or an older one.
    """

    __slots__ = ("event", "flow", "inbox", "is_at_work", "is_stored", "is_storing", "moving", "run")

    def __init__(self, run: Run, flow: Flow, event: Event | None, *, is_stored: bool = True) -> None:
        self.run = run
        self.flow = flow
        self.event = event
        self.inbox: deque[tuple[Outcome | Cancelled, Send | None, Callable[[], None] | None]] = deque()
        self.is_stored = is_stored
        self.is_storing = False
        self.is_at_work = False
        self.moving: set[str] = set()


class Pace:
    """Counts the runs at work, and tells their contacts' lanes. has_room: told whenever a run comes to rest."""

    def __init__(self, lanes: Lanes, has_room: Callable[[], None]) -> None:
        self._lanes = lanes
        self._has_room = has_room
        self.at_work = 0  #: runs that are not at rest

    def update(self, active: Active) -> None:
        """Something about the run has changed."""
        is_at_work = bool(active.moving) or active.is_storing
        if is_at_work == active.is_at_work:
            return
        active.is_at_work = is_at_work
        contact = active.run.contact
        self.at_work += 1 if is_at_work else -1
        if contact is not None and is_at_work:
            self._lanes.begin(contact)
        elif contact is not None:
            self._lanes.rest(contact)
        if not is_at_work:
            if active.event is not None and _may_be_large(active.event):
                active.event = None  # it is read back from the journal when the run goes on
            self._has_room()


def _may_be_large(event: Event) -> bool:
    """Whether it may hold files, or whatever somebody posted: up to 8 MiB, for as long as its run is open."""
    return event.kind == "webhook" or bool(event.fields.get("attachments"))
