"""Keeps a trouble that thousands of runs have from writing thousands of lines.

Of lines that say the same (level, words, flow, account) the first ones of each minute are written; the others are
counted, and the count is written as one line when the minute is over.
"""

import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

#: Lines of one kind within a minute that are written.
BURST = 10
_MINUTE_S = 60.0
#: In an entry: it is written whatever came before.
ALWAYS = "_always"

Entry = MutableMapping[str, Any]


def _soon(call: Callable[[], None]) -> None:
    timer = threading.Timer(_MINUTE_S, call)
    timer.daemon = True
    timer.start()


class Flood:
    """A processor of structlog. On any thread. call_later: calls back in a minute."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        call_later: Callable[[Callable[[], None]], None] = _soon,
    ) -> None:
        self._now = now
        self._call_later = call_later
        self._lock = threading.Lock()
        self._began = now()
        self._counts: dict[tuple[object, ...], int] = {}
        self._last: dict[tuple[object, ...], Entry] = {}  # of kinds of which lines were left out

    def __call__(self, _logger: Any, method: str, entry: Entry) -> Entry:
        """The entry, unless there were enough of its kind."""
        if entry.pop(ALWAYS, False):
            return entry
        key = (method, entry.get("event"), entry.get("flow"), entry.get("account"))
        with self._lock:
            over = self._turn() if self._now() - self._began >= _MINUTE_S else ()
            count = self._counts[key] = self._counts.get(key, 0) + 1
            is_first = count > BURST and not self._last
            if count > BURST:
                self._last[key] = entry
        _tell(over)
        if is_first:
            self._call_later(self.end_minute)
        if count > BURST:
            raise structlog.DropEvent
        return entry

    def end_minute(self) -> None:
        """Write the counts of what was left out."""
        with self._lock:
            over = self._turn()
        _tell(over)

    def _turn(self) -> list[tuple[str, Entry, int]]:
        over = [(str(key[0]), entry, self._counts[key] - BURST) for key, entry in self._last.items()]
        self._counts, self._last, self._began = {}, {}, self._now()
        return over


def _tell(over: "list[tuple[str, Entry, int]] | tuple[()]") -> None:
    for method, entry, count in over:
        known = {name: entry[name] for name in ("flow", "account", "reason") if name in entry}
        words = f"{entry.get('event')} (more like this)"
        getattr(structlog.get_logger("sinchflow"), method)(words, count=count, **known, **{ALWAYS: True})
