"""A send: the durable record of one message to one recipient, from intent to outcome."""

from datetime import datetime
from typing import Literal

import msgspec

from sinchflow.model.command import SendMessage

SendState = Literal[
    "queued",  #: stored, not yet in a call; leaves as soon as the throttle allows
    "deferred",  #: stored, waits for a time that policy chose
    "sending",  #: in a call to the provider that has not come back
    "sent",  #: accepted by the provider
    "not_sent",  #: given up: the provider could not be reached in time
    "unknown",  #: the call's outcome is not known, look-up under way
    "held",  #: waits for a person: the outcome is unknown
    "refused",  #: the provider refused it
    "expired",  #: did not leave within the step's timeout
    "skipped",  #: policy refused it, or the recipient is no number
]

#: States in which something may still happen.
OPEN_STATES: frozenset[str] = frozenset({"queued", "deferred", "sending", "unknown", "held"})


class Send(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One send. `id` is the journal's key; `call` the call that carries or carried it; `attempt` counts its calls.

    due: not before this time (back-off, deferral). reason: why it is in this state, in words, for people.
    """

    id: int
    run: int
    command: SendMessage
    state: SendState
    created_at: datetime
    attempt: int = 0
    due: datetime | None = None
    call: int | None = None
    message_id: str | None = None
    reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the run still waits for this send."""
        return self.state in OPEN_STATES


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call to the provider, stored before its first byte leaves: what the throttle counts, also after a restart."""

    id: int
    account: str
    started_at: datetime


class SendIds(msgspec.Struct, frozen=True, kw_only=True):
    """How a journal's messages are called at the provider: 20 characters, the journal's identity and the send's key.

    former: identities that the journal had before it was restored from a backup, each with the last key that it was
    used for in what was restored. Whatever the original journal sent after the backup is nobody's here.
    """

    identity: str
    former: tuple[tuple[str, int], ...] = ()  #: in order of the keys

    def write(self, send_id: int) -> str:
        """`sinchflow_id`: the identity's 8 characters, then the key as 12 hexadecimal digits."""
        identity = self.identity
        if self.former:  # hardly ever: every message is written
            identity = next((each for each, last in self.former if send_id <= last), identity)
        return f"{identity}{send_id:012x}"

    def read(self, text: object) -> int | None:
        """The key of a send of this journal's; None when it is of no send of ours."""
        if not isinstance(text, str) or len(text) != len(self.identity) + 12:
            return None
        try:
            send_id = int(text[len(self.identity) :], 16)
        except ValueError:
            return None
        return send_id if send_id > 0 and self.write(send_id) == text else None


class SentBy(msgspec.Struct, frozen=True, kw_only=True):
    """Which run of ours sent a message: its flow's name, the step's id (else its address), the run's id."""

    flow: str
    step: str
    run: int


class SendSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A send as `sends list` shows it (design.md section 5)."""

    id: int
    state: str
    run: int
    to: str
    message: str
    message_id: str | None
    reason: str | None
