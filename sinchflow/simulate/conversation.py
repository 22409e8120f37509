"""What passes between customers, the flows and the outside world while `dev` runs: one list, numbered.

The terminal and the page on the admin port both show it; neither of them knows where the lines come from.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

LineKind = Literal[
    "in",  #: a customer texted us
    "out",  #: we texted a customer
    "receipt",  #: what became of a message of ours
    "call",  #: an `http` step called a URL
    "note",  #: what the daemon says: nothing matched, a run failed, flows were reloaded
]

#: Lines kept for a page that is opened late; a rehearsal has tens.
_KEPT = 5_000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `customer` is the phone it belongs to, None where no phone is concerned."""

    number: int
    at: datetime
    kind: LineKind
    text: str
    customer: str | None = None
    detail: dict[str, Any] = {}


class Conversation:
    """The lines so far, and whom to tell about new ones."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._last = 0
        self._grown = asyncio.Event()

    def add(self, kind: LineKind, text: str, customer: str | None = None, **detail: Any) -> None:
        """Append a line and wake whoever waits."""
        self._last += 1
        line = Line(number=self._last, at=self._now(), kind=kind, text=text, customer=customer, detail=detail)
        self._lines.append(line)
        self._grown.set()
        self._grown = asyncio.Event()

    def after(self, number: int) -> list[Line]:
        """The lines with a higher number, oldest first."""
        return [line for line in self._lines if line.number > number]

    async def grown_beyond(self, number: int) -> None:
        """Return once there is a line with a higher number."""
        while self._last <= number:
            await self._grown.wait()
