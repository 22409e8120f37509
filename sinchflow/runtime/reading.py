"""What needs to read the journal and cannot, because the disk refuses: it is tried again every second, and told."""

from collections.abc import Callable
from datetime import timedelta

from sinchflow.errors import JournalError
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.stats import Stats

_RETRY_EVERY = timedelta(seconds=1)
#: Under which subject it is noted.
_TROUBLE = "journal: reading"


class Reading:
    """On the loop's thread only."""

    def __init__(self, clock: Clock, stats: Stats) -> None:
        self._clock = clock
        self._stats = stats

    def works(self, read: Callable[[], object], again: Callable[[], None]) -> bool:
        """Whether `read` could read; if not, `again` is called in a second. Its reader keeps what it has read."""
        try:
            read()
        except JournalError as error:
            self.failed(error, again)
            return False
        self._stats.troubles.pop(_TROUBLE, None)
        return True

    def failed(self, error: JournalError, again: Callable[[], None]) -> None:
        """It could not be read; `again` is called in a second."""
        self._clock.call_after(_RETRY_EVERY, again)
        self._stats.troubles[_TROUBLE] = str(error)
