"""What became of a send, decided: its record's new state and its run's outcome. Pure.

Also until when a message may leave.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from sinchflow.model.command import Failed, Outcome, Sent, Skipped
from sinchflow.model.send import Send

#: What became of a send, and the outcome for its run; None where the run has to wait on.
Settled = tuple[Send, Outcome | None]

#: The key of every message's metadata that holds its send id.
SEND_ID = "sinchflow_id"
#: What the reason of a refused send begins with; the provider's words follow.
REFUSED = "the provider refused it: "


def leaves_by(send: Send) -> datetime | None:
    """Until when the step itself lets the message leave: its `timeout` or `valid_for`, which count from the intent."""
    command = send.command
    limits = [each for each in (command.expires_after, command.valid_for) if each is not None]
    return send.created_at + min(limits) if limits else None


def sent(send: Send, message: dict[str, Any]) -> Settled:
    """The provider has taken it."""
    done = replace(send, state="sent", message_id=message["message_id"], due=None, reason=None)
    return done, Sent(command=send.command.id, message=message)


def proven(send: Send, message_id: str | None, status: str | None, how: str) -> Settled:
    """The provider has taken it after all. message_id: None where nobody knows it. how: in words, how that is known."""
    message = {**send.command.body, "message_id": message_id, "status": status}
    done = replace(send, state="sent", message_id=message_id, due=None, reason=how)
    return done, Sent(command=send.command.id, message=message)


def timed_out(send: Send) -> Settled:
    """It has not left within what its step allows."""
    command = send.command
    is_old = command.valid_for is not None and (
        command.expires_after is None or command.valid_for < command.expires_after
    )
    if is_old and command.valid_for is not None:
        return too_late(send, command.valid_for)
    reason = "it could not leave within the step's timeout"
    failed = Failed(command=command.id, kind="timeout", message=reason, to=command.to)
    return replace(send, state="expired", due=None, reason=reason), failed


def too_late(send: Send, valid_for: timedelta, before: str = "") -> Settled:
    """Nobody wants to get it any more. before: what had become of it until then."""
    reason = f"{before}it could not leave within {valid_for.total_seconds():g} s (valid_for)"
    failed = Failed(command=send.command.id, kind="expired", message=reason, to=send.command.to)
    return replace(send, state="expired", due=None, reason=reason), failed


def withdrawn(send: Send) -> Settled:
    """A message that nobody wants any more: its run was cancelled, or has given up that branch."""
    return replace(send, state="skipped", due=None, reason="withdrawn: its run went on without it"), None


def refused(send: Send, words: str, status: int | None) -> Settled:
    """The provider will not take it."""
    reason = f"{REFUSED}{words}"
    failed = Failed(command=send.command.id, kind="refused", message=reason, status=status, to=send.command.to)
    return replace(send, state="refused", reason=reason), failed


def given_up(send: Send, reason: str) -> Settled:
    """A person has decided that it did not go out and is not to."""
    failed = Failed(command=send.command.id, kind="unknown", message=reason, to=send.command.to, is_unknown=True)
    return replace(send, state="not_sent", due=None, reason=reason), failed


def passed_over(send: Send, reason: str) -> Settled:
    """The run goes on without knowing whether it went out."""
    skipped = Skipped(command=send.command.id, to=send.command.to, reason=reason)
    return replace(send, state="skipped", due=None, reason=reason), skipped


def again(send: Send, reason: str) -> Send:
    """It waits for another call."""
    return replace(send, state="queued", call=None, due=None, reason=reason)
