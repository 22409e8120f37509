"""Acknowledgements that wait for the journal, and when there are too many of them, or one waits for too long.

Sinch waits for an answer for 10 s (`webhooks.read_timeout`). While the oldest acknowledgement has waited for half of
that, newcomers are refused at once: their provider hears in time that it is to come again.
"""

import asyncio

from sinchflow.runtime.guard import Refusal

#: Seconds after which newcomers are refused, and after which one that waits is answered 503: the event may be stored
#: yet, and is a repeat when it comes again.
SLOW_S, TOO_LATE_S = 4.0, 8.0
_LOOK_EVERY_S = 1.0

LATER = ((b"retry-after", b"5"),)

Answer = asyncio.Future[bool | Exception]


class Acknowledging:
    """See the module's text. How many wait is bounded by the connections that there may be."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[Answer, float] = {}  # since when; in the order in which they came
        self._is_watching = False

    def check(self) -> None:
        """Raises Refusal when one more would wait for too long."""
        if self._waiting and self._loop.time() - next(iter(self._waiting.values())) > SLOW_S:
            raise Refusal(503, "more comes in than can be stored: try again", headers=LATER)

    def begin(self, answer: Answer) -> None:
        """It waits from now on; it becomes a TimeoutError when that takes too long."""
        self._waiting[answer] = self._loop.time()
        if not self._is_watching:
            self._is_watching = True
            self._loop.call_later(_LOOK_EVERY_S, self._look)

    def end(self, answer: Answer) -> None:
        """It waits no more."""
        del self._waiting[answer]

    def _look(self) -> None:
        late = self._loop.time() - TOO_LATE_S
        for answer, since in self._waiting.items():
            if since > late:
                break
            if not answer.done():
                answer.set_exception(TimeoutError())
        self._is_watching = bool(self._waiting)
        if self._is_watching:
            self._loop.call_later(_LOOK_EVERY_S, self._look)
