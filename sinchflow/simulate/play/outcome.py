"""What came of playing a script: the chat, and where script and flows differ."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from sinchflow.language.script import Script
from sinchflow.model.origin import Origin
from sinchflow.model.run import Run
from sinchflow.simulate.play.wanted import Difference

LineKind = Literal["in", "out", "call", "time", "event", "note", "fault"]


class Line(msgspec.Struct, frozen=True):
    """One line of the chat. who: the customer's number for `in` and `out`. order: of all that happens."""

    order: float
    at: datetime
    kind: LineKind
    who: str
    text: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Where a script and the flows differ. clues: what else happened that may explain it."""

    origin: Origin
    message: str
    differences: tuple[Difference, ...] = ()
    clues: tuple[str, ...] = ()


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one script. failures: all of them, where it was to go on after the first one."""

    script: Script
    failure: Failure | None
    failures: tuple[Failure, ...]
    chat: tuple[Line, ...]
    runs: tuple[Run, ...]


def failures(runs: Iterable[Run]) -> Iterator[Run]:
    """Those that have failed, and whose flow has no `on_error` for that: a script has to say so."""
    return (run for run in runs if run.status == "failed" and run.handled is None)


class Off(Exception):
    """The script and the flows differ."""

    def __init__(
        self, origin: Origin, message: str, differences: Iterable[Difference] = (), clues: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.failure = Failure(origin=origin, message=message, differences=tuple(differences), clues=tuple(clues))
