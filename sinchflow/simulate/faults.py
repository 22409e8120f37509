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
    """What `times` calls of this method and a path that begins like this meet; an empty method fits all.

    body: None: what is documented for that status, where anything is.
    takes: whether the call is carried out all the same, so that only the answer goes wrong. `delay`, `cut` and `short`
    need a proper answer and so always take them. `short` is about POST /v1/messages; elsewhere nothing is missing.
    delay_s: before anything is answered, for every kind.
    """

    kind: FaultKind = "answer"
    status: int = 500
    body: str | None = ""
    headers: dict[str, str] = {}
    delay_s: float = 0.0
    takes: bool = False
    times: int = 1
    method: str = "POST"
    path: str = "/v1/messages"

    @property
    def is_answered_first(self) -> bool:
        """Whether the call is carried out before the fault strikes."""
        return self.takes or self.kind in {"delay", "cut", "short"}


class FaultPlan:
    """The faults to come, first in first out among those that fit a call."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, int]] = []  # and how many times more

    def add(self, fault: Fault) -> None:
        """Let the calls after those already spoken for meet this fault."""
        if fault.times >= 1:
            self._faults.append((fault, fault.times))

    def next(self, method: str = "POST", path: str = "/v1/messages") -> Fault | None:
        """The fault that this call meets, used up by asking."""
        for index, (fault, times) in enumerate(self._faults):
            if path.startswith(fault.path) and fault.method in {"", method}:
                if times == 1:
                    del self._faults[index]
                else:
                    self._faults[index] = (fault, times - 1)
                return fault
        return None

    def clear(self) -> None:
        """No more faults."""
        self._faults.clear()
