"""Accepted events on their way to their lanes: through memory while there is room, else through the journal.

When more is in memory than `CAPACITY`, newly accepted events are left where they are, in the journal, and read back in
order as soon as there is room. A start uses the same way: it reads back whatever a former process left unrouted.
"""

import asyncio
from collections.abc import Callable, Sequence

from sinchflow.journal.journal import Journal
from sinchflow.model.event import Event
from sinchflow.runtime.reading import Reading

#: Runs at work and waiting events held in memory; beyond it, new events wait in the journal.
CAPACITY = 20_000
#: Events read back from the journal at once; about 1 ms of work.
_PORTION = 200


class Backlog:
    """`enter` gets each event once, in order of acceptance. `load`: runs at work and events waiting in memory."""

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        *,
        enter: Callable[[Event], None],
        load: Callable[[], int],
        reading: Reading,
    ) -> None:
        self._journal = journal
        self._reading = reading
        self._loop = loop
        self._enter = enter
        self._load = load
        self._from: int | None = 0  # events above this id wait in the journal; None: none do
        self._read_up_to = 0  # events up to this id came from the journal
        self._elsewhere: set[int] = set()
        self._portion: Sequence[Event] = ()
        self._is_scheduled = False
        self._is_stopping = False

    @property
    def is_empty(self) -> bool:
        """Whether no accepted event waits in the journal for room in memory."""
        return self._from is None

    def take(self, event: Event) -> None:
        """A newly accepted event."""
        if self._from is not None or event.id <= self._read_up_to:
            return  # it is, or was, read back from the journal, after those before it
        if self._load() >= CAPACITY:
            self._from = event.id - 1
            return
        self._enter(event)

    def leave_out(self, event_id: int) -> None:
        """This event is being routed by other means: it is not to be read back while it is."""
        self._elsewhere.add(event_id)

    def is_routed(self, event_id: int) -> None:
        """An event that was left out is routed, and the journal knows it."""
        self._elsewhere.discard(event_id)

    def read_soon(self) -> None:
        """There may be room now: read back, if anything waits."""
        if self._from is not None and not self._is_scheduled and not self._is_stopping:
            self._is_scheduled = True
            self._loop.call_soon(self._read)

    def stop(self) -> None:
        """Read nothing more."""
        self._is_stopping = True

    def _read(self) -> None:
        self._is_scheduled = False
        if self._from is None or self._is_stopping or self._load() >= CAPACITY // 2:
            return  # runs that come to rest ask again
        if self._reading.works(self._read_portion, again=self.read_soon):
            self._enter_portion()

    def _read_portion(self) -> None:
        assert self._from is not None
        self._portion = self._journal.unrouted(after=self._from, limit=_PORTION)

    def _enter_portion(self) -> None:
        portion, self._portion = self._portion, ()
        if not portion:
            self._from = None
            return
        self._from = self._read_up_to = portion[-1].id
        for event in portion:
            if event.id not in self._elsewhere:
                self._enter(event)
        self.read_soon()
