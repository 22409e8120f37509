"""Forgetting one person, decided: what of a record is theirs, and what is left of it. Knows nothing of storage.

What is the person's own is emptied. In what is about others the number alone is blotted out, but not while the record
is open: it could not go on without. What comes to stand for the number is random: nobody can compute it from the
number or the number from it; it only shows which records belonged together.
"""

import re
import secrets
from typing import Any, Literal

from msgspec.structs import replace

from sinchflow.model import codec
from sinchflow.model.command import SendMessage
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.run import Run
from sinchflow.model.send import Send

#: The record is about others, names the number, and is open: it stays as it is.
Left = Literal["left"]
_REASON = "the contact was forgotten"
#: What is a number of the journal's, whatever its digits.
_IDS = ("id", "event_id")


class Person:
    """The person with this number, in E.164."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.digits = number.removeprefix("+")
        self.marker = f"forgotten-{secrets.token_hex(6)}"
        bounds = rf"(?<!\d)(?:\+|00)?{re.escape(self.digits)}(?!\d)"
        self._pattern = re.compile(bounds)
        self._bytes_pattern = re.compile(bounds.encode())

    def is_named_in(self, body: bytes) -> bool:
        """Whether the number stands in these bytes."""
        return self._bytes_pattern.search(body) is not None

    def blotted(self, data: Any) -> Any:
        """JSON-like data without the number; equal to `data` when it was not there."""
        match data:
            case str():
                return self._pattern.sub(self.marker, data)
            case int() if not isinstance(data, bool) and str(data) == self.digits:
                return self.marker
            case list() | tuple():
                return [self.blotted(item) for item in data]
            case dict():
                return {self.blotted(name): self.blotted(value) for name, value in data.items()}
            case _:
                return data

    def blotted_text(self, text: str | bytes) -> str | None:
        """A stored record without the number, None when it is not named there."""
        before = codec.decode_data(text)
        after = self.blotted(before)
        if isinstance(before, dict):
            after |= {name: before[name] for name in _IDS if name in before}
        return None if after == before else codec.encode_data(after).decode()

    def event_after(self, event: Event, *, began_own_run: bool, is_needed: bool) -> Event | Left | None:
        """What is to stand for the event; None: the person is not in it.

        began_own_run: a run of the person began with it. is_needed: an open run of somebody else did, or it is still to
        be routed.
        """
        is_own = event.contact == self.number
        text = None if is_own else self.blotted_text(codec.encode(event))
        if text is None and not is_own and not (began_own_run and event.contact is None):
            return None
        if is_needed and not is_own:
            return "left"
        return codec.decode_event(text) if text is not None and event.contact is not None else self._emptied(event)

    def run_after(self, run: Run) -> Run | Left | None:
        """What is to stand for the run: of the person's own, which flow it was, when, and how it ended."""
        if run.contact != self.number:
            text = self.blotted_text(codec.encode(run))
            if text is None:
                return None
            return codec.decode_run(text) if run.is_final else "left"
        return Run(
            id=run.id, flow=run.flow, digest=run.digest, event_id=run.event_id, started_at=run.started_at,
            account=run.account, contact=self.marker, status=run.status if run.is_final else "cancelled",
            ended_at=run.ended_at, reason=_REASON, steps_taken=run.steps_taken,
        )  # fmt: skip

    def send_after(self, send: Send, *, is_of_own_run: bool, is_needed: bool) -> Send | Left | None:
        """What is to stand for the send: of one to the person or of the person's run, when it was and how it ended.

        is_needed: it is open, and so is its run, which is somebody else's.
        """
        command, to = send.command, send.command.to
        if to != self.number and not is_of_own_run:
            text, reason = self.blotted_text(codec.encode(command)), self.blotted(send.reason)
            if text is None and reason == send.reason:
                return None
            if is_needed:
                return "left"
            return replace(send, command=command if text is None else codec.decode_send(text), reason=reason)
        if is_needed:
            return "left"
        to = self.marker if to == self.number else to
        return Send(
            id=send.id, run=send.run, command=SendMessage(id=command.id, account=command.account, to=to, body={}),
            state="skipped" if send.is_open else send.state, created_at=send.created_at, attempt=send.attempt,
            call=send.call, reason=_REASON,
        )  # fmt: skip

    def _emptied(self, event: Event) -> Event:
        """The event with nothing said in it. It starts nothing any more."""
        return replace(
            event,
            key="",
            contact=self.marker if event.contact == self.number else None,
            fields=dict.fromkeys(EVENT_FIELDS[event.kind]),
            ignored=_REASON,
        )
