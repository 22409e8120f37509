"""Counts what becomes of the messages of one step, however many, without keeping each of them in the run."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from sinchflow.model.command import Failed, Outcome, Sent, Skipped
from sinchflow.model.message import as_message
from sinchflow.model.run import Tally

#: Messages and skipped recipients that an output shows in full; the counts are of all.
MOST_SHOWN = 100
#: Of the messages that are shown in full, together.
_MOST_CHARACTERS = 10_000


def new_tally(recipients: Sequence[str], skipped: Sequence[Skipped]) -> Tally:
    """Nothing has come back yet. skipped: recipients that were left out from the start."""
    asked = len(recipients)
    shown = tuple({"to": each.to, "reason": each.reason} for each in skipped[:MOST_SHOWN])
    whom = _whom(recipients) if asked > 1 else ""
    return Tally(asked=asked, open=f"{(1 << asked) - 1:x}", failed=len(skipped), skipped=shown, whom=whom)


def _whom(recipients: Iterable[str]) -> str:
    return hashlib.blake2b("\0".join(recipients).encode(), digest_size=8).hexdigest()


def sent_again(tally: Tally, recipients: Sequence[str]) -> tuple[Tally, tuple[int, ...]] | None:
    """What a retry begins with, and which messages it sends: those that failed, and those with no outcome.

    None when the step would send to other people now, so that nobody can say which of them have their message.
    """
    if len(recipients) != tally.asked or (tally.whom and _whom(recipients) != tally.whom):
        return None
    lost = int(tally.lost or "0", 16)
    again = int(tally.open, 16) | lost
    failed = {to for position, to in enumerate(recipients) if lost >> position & 1}
    tally = replace(
        tally,
        open=f"{again:x}",
        lost="",
        failed=tally.failed - lost.bit_count(),
        skipped=tuple(each for each in tally.skipped if each["to"] not in failed),
        failure=None,
    )
    return tally, tuple(position for position in range(tally.asked) if again >> position & 1)


def is_open(tally: Tally, position: int) -> bool:
    """Whether this message has no outcome yet."""
    return bool(int(tally.open, 16) >> position & 1)


def count(tally: Tally, position: int, outcome: Outcome) -> Tally:
    """The tally with one more outcome."""
    tally = replace(tally, open=f"{int(tally.open, 16) & ~(1 << position):x}")
    match outcome:
        case Sent(message=message):
            shown = (*tally.messages, message) if _has_room(tally, message) else tally.messages
            return replace(tally, sent=tally.sent + 1, messages=shown)
        case Skipped(to=to, reason=reason):
            return replace(_skip(tally, to, reason), refused=tally.refused + 1)
        case Failed(to=to, message=reason):
            lost = f"{int(tally.lost or '0', 16) | 1 << position:x}"
            return replace(_skip(tally, to or "", reason), failure=tally.failure or outcome, lost=lost)
    raise TypeError(f"no outcome of a message: {outcome!r}")


def _has_room(tally: Tally, message: dict[str, Any]) -> bool:
    """The first message always has."""
    size = sum(len(str(each.get("content", ""))) for each in (*tally.messages, message))
    return not tally.messages or (len(tally.messages) < MOST_SHOWN and size <= _MOST_CHARACTERS)


def _skip(tally: Tally, to: str, reason: str) -> Tally:
    shown = tally.skipped if len(tally.skipped) >= MOST_SHOWN else (*tally.skipped, {"to": to, "reason": reason})
    return replace(tally, failed=tally.failed + 1, skipped=shown)


def tally_output(tally: Tally) -> dict[str, Any] | Failed:
    """`steps.ID` of a send, or the failure when every message that was asked for failed."""
    if tally.failure is not None and not tally.sent and not tally.refused:
        return tally.failure
    messages = [as_message(message) for message in tally.messages]
    first = messages[0] if messages else {}
    return {
        "messages": messages,
        "message_id": first.get("message_id"),
        "status": first.get("status"),
        "skipped": list(tally.skipped),
        "sent": tally.sent,
        "not_sent": tally.failed,
    }
