"""What becomes of a message after it was taken: which statuses it goes through, and how long after.

A phone that is always there is no test of a receipt flow, so some numbers fail: see `OUTCOMES`.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from sinchflow.simulate.message import Message, as_time


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Messages to numbers that end in `number` and whose text contains `text` end with this status. Empty fits all."""

    number: str = ""
    text: str = ""
    status: str = "failed"
    status_code: str = "330"


#: The numbers that the documentation of `dev` names.
OUTCOMES: tuple[Outcome, ...] = (
    Outcome(number="0009", status="failed", status_code="330"),
    Outcome(number="0008", status="expired", status_code="401"),
    Outcome(number="0007", status="rejected", status_code="302"),
)


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """When the statuses come, in seconds after the message was taken; None leaves that status out."""

    enroute_s: float | None = 0.1
    submitted_s: float | None = 0.3
    final_s: float | None = 0.6


class Stage(msgspec.Struct, frozen=True, gc=False):
    """One status of a message's way."""

    after_s: float
    status: str
    status_code: str


def stages(
    message: Message, timeline: Timeline, outcomes: Sequence[Outcome], now: datetime, *, is_opted_out: bool = False
) -> tuple[Stage, ...]:
    """The statuses that the message will go through, in order."""
    final = ("rejected", "302") if is_opted_out else _final(message, outcomes, now)
    way: list[Stage] = []
    if timeline.enroute_s is not None:
        way.append(Stage(timeline.enroute_s, "enroute", "101"))
    if timeline.submitted_s is not None and final[0] != "rejected":
        way.append(Stage(timeline.submitted_s, "submitted", "200"))
    if timeline.final_s is not None:
        way.append(Stage(timeline.final_s, *final))
    return tuple(way)


def _final(message: Message, outcomes: Sequence[Outcome], now: datetime) -> tuple[str, str]:
    if message.message_expiry_timestamp is not None:
        expiry = as_time(message.message_expiry_timestamp)
        if expiry is not None and expiry <= now:
            return "expired", "320"
    for outcome in outcomes:
        if message.destination_number.endswith(outcome.number) and outcome.text in message.content:
            return outcome.status, outcome.status_code
    return "delivered", "220"
