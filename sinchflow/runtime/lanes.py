"""One lane per contact: the contact's next event is routed when all that the last one started is at rest.

At rest means: every run of the contact waits, backs off, is held or has ended. So a "Y" never overtakes the question
it answers. After 30 s the next event is routed in any case. Different contacts do not wait for each other.

Of a contact who storms, and of an event that is large, only the id is kept here; the event itself is read back from the
journal when its turn comes. So a lane holds little memory, and no other lane has to wait for room.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from sinchflow.errors import JournalError
from sinchflow.journal.journal import Journal
from sinchflow.model import codec
from sinchflow.model.event import Event
from sinchflow.runtime.clock import Clock

#: An event waits for its contact's runs at most this long.
LONGEST_WAIT = timedelta(seconds=30)
#: Events of one contact that wait in memory; a person writes less at once.
MOST_IN_MEMORY = 50
#: One that is larger waits in the journal.
_LARGE_BYTES = 8 * 1024
_RETRY_EVERY = timedelta(seconds=1)
#: As many ids take the memory of one event.
_IDS_PER_EVENT = 50


class _Lane:
    __slots__ = ("active", "blocked_since", "waiting")

    def __init__(self) -> None:
        self.active = 0  # runs of this contact that are at work
        self.waiting: deque[Event | int] | None = None  # an id: the event is in the journal
        self.blocked_since: datetime | None = None


class Lanes:
    """`route` is called with each event when its turn has come; it calls `begin` for each run that it starts."""

    def __init__(self, clock: Clock, journal: Journal, route: Callable[[Event], None]) -> None:
        self._clock = clock
        self._journal = journal
        self._route = route
        self._lanes: dict[str, _Lane] = {}
        self._blocked: set[str] = set()
        self._is_watching = False
        self.waiting = 0  #: events that wait for their turn
        self._in_journal = 0  # those of them of which only the id is here

    @property
    def load(self) -> int:
        """How much memory those that wait take, in events."""
        return self.waiting - self._in_journal + self._in_journal // _IDS_PER_EVENT

    def enter(self, event: Event, *, first: bool = False) -> None:
        """Route the event when its contact is at rest; at once where it has none. first: before those that wait."""
        contact = event.contact
        lane = None if contact is None else self._lanes.get(contact)
        if contact is None or lane is None or not (lane.active or lane.waiting):
            self._route(event)
            return
        if lane.waiting is None:
            lane.waiting = deque()
        if not lane.waiting:
            lane.blocked_since = self._clock.steady()
            self._blocked.add(contact)
            self._watch()
        self.waiting += 1
        if len(lane.waiting) >= MOST_IN_MEMORY or len(codec.encode(event)) > _LARGE_BYTES:
            self._in_journal += 1
            kept: Event | int = event.id
        else:
            kept = event
        if first:
            lane.waiting.appendleft(kept)
        else:
            lane.waiting.append(kept)

    def waiting_of(self, contact: str) -> int:
        """How many events of this contact wait for their turn."""
        lane = self._lanes.get(contact)
        return 0 if lane is None else len(lane.waiting or ())

    def begin(self, contact: str) -> None:
        """A run of this contact is at work."""
        lane = self._lanes.get(contact)
        if lane is None:
            lane = self._lanes[contact] = _Lane()
        lane.active += 1

    def rest(self, contact: str) -> None:
        """A run of this contact waits or has ended."""
        lane = self._lanes[contact]
        lane.active -= 1
        self._go_on(contact, lane)

    def _go_on(self, contact: str, lane: _Lane, *, is_overdue: bool = False) -> None:
        while lane.waiting and (is_overdue or not lane.active):
            is_overdue = False
            try:
                event = self._take(lane.waiting)
            except JournalError:  # the next unit tells of it, and is tried again every second, too
                self._clock.call_after(_RETRY_EVERY, lambda: self._again(contact))
                return
            lane.blocked_since = self._clock.steady()
            if event is not None:
                self._route(event)
        if not lane.waiting:
            self._blocked.discard(contact)
            if not lane.active and self._lanes.get(contact) is lane:
                del self._lanes[contact]

    def _take(self, waiting: "deque[Event | int]") -> Event | None:
        """The next event. None: it is in the journal no more, because its contact was forgotten. Raises JournalError,
        and leaves it where it was."""
        event = waiting[0]
        found = event if isinstance(event, Event) else self._journal.event(event)
        waiting.popleft()
        self.waiting -= 1
        self._in_journal -= not isinstance(event, Event)
        return found

    def _again(self, contact: str) -> None:
        """The journal could not be read a moment ago."""
        lane = self._lanes.get(contact)
        if lane is not None and lane.waiting:
            self._go_on(contact, lane)

    def _watch(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            self._clock.call_after(timedelta(seconds=1), self._look)

    def _look(self) -> None:
        """Let through what has waited for too long."""
        self._is_watching = False
        overdue_since = self._clock.steady() - LONGEST_WAIT
        for contact in list(self._blocked):
            lane = self._lanes[contact]
            if lane.blocked_since is not None and lane.blocked_since <= overdue_since:
                self._go_on(contact, lane, is_overdue=True)
        if self._blocked:
            self._watch()
