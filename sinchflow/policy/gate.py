"""The gate that every send passes before its intent is stored.

Today it holds the brake: at most so many messages to one contact in a while, which also stops two machines that
answer each other. It knows nothing of the journal: the caller counts, the gate decides.
"""

from datetime import timedelta

import msgspec

from sinchflow.model.project import Brake, Policy


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The send must not happen; `reason` is shown to people."""

    reason: str


def gate(policy: Policy, sent_to_contact: int) -> Refusal | None:
    """None when the send may happen now, else why not.

    sent_to_contact: messages to this contact within the brake's `per`, over all flows.
    """
    brake = policy.max_sends_per_contact
    if brake is not None and sent_to_contact >= brake.max:
        return Refusal(reason=brake_reason(brake))
    return None


def brake_reason(brake: Brake) -> str:
    """Why the brake refused, and which setting it is."""
    return f"{brake.max} messages to this contact within {spell(brake.per)} (policy.max_sends_per_contact)"


def spell(duration: timedelta) -> str:
    """A duration as flows write it: `90s`, `10m`, `24h`, `2d`."""
    seconds = duration.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"
