"""Trouble on demand: what the next calls to the simulated Sinch meet instead of a proper answer."""

from typing import Literal

import msgspec

FaultKind = Literal[
    "answer",  #: this status, body and headers
    "delay",  #: the proper answer, late
    "reset",  #: the connection is torn down without an answer
    "cut",  #: the answer ends in the middle of its body
    "hang",  #: no answer at all until the caller gives up
    "short",  #: the proper answer without its last message
]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `times` calls of POST /v1/messages meet.

    takes: whether the messages are taken all the same, so that only the answer goes wrong. `delay`, `cut` and `short`
    need a proper answer and so always take them.
    delay_s: before anything is answered, for every kind.
    """

    kind: FaultKind = "answer"
    status: int = 500
    body: str = ""
    headers: dict[str, str] = {}
    delay_s: float = 0.0
    takes: bool = False
    times: int = 1

    @property
    def is_answered_first(self) -> bool:
        """Whether the call is carried out before the fault strikes."""
        return self.takes or self.kind in {"delay", "cut", "short"}


class FaultPlan:
    """The faults to come, first in first out."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._left = 0

    def add(self, fault: Fault) -> None:
        """Let the calls after those already spoken for meet this fault."""
        if fault.times < 1:
            return
        if not self._faults:
            self._left = fault.times
        self._faults.append(fault)

    def next(self) -> Fault | None:
        """The fault that this call meets, used up by asking."""
        if not self._faults:
            return None
        fault = self._faults[0]
        self._left -= 1
        if self._left == 0:
            del self._faults[0]
            self._left = self._faults[0].times if self._faults else 0
        return fault

    def clear(self) -> None:
        """No more faults."""
        self._faults.clear()
