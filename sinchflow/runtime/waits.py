"""The open waits for answers, by whom they wait for. In memory: rebuilt at start from the open runs.

It knows who might be meant by a message, in which order; whether the message fits is for the engine to say.
"""

from collections.abc import Sequence
from typing import TypeVar

from sinchflow.model.command import AwaitReceipt, AwaitReply
from sinchflow.model.event import Event


class Waits:
    """Waits by command id, found by contact or by message."""

    def __init__(self) -> None:
        self._replies: dict[tuple[str, str], dict[str, tuple[int, AwaitReply]]] = {}
        self._receipts: dict[tuple[str, str], dict[str, tuple[int, AwaitReceipt]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, run_id: int, wait: AwaitReply | AwaitReceipt) -> None:
        """A run waits."""
        self._count += 1
        if isinstance(wait, AwaitReply):
            self._replies.setdefault((wait.account, wait.contact), {})[wait.id] = (run_id, wait)
        else:
            self._receipts.setdefault((wait.account, wait.message_id), {})[wait.id] = (run_id, wait)

    def remove(self, wait: AwaitReply | AwaitReceipt) -> None:
        """It waits no more."""
        if isinstance(wait, AwaitReply):
            self._count -= _take_out(self._replies, (wait.account, wait.contact), wait.id)
        else:
            self._count -= _take_out(self._receipts, (wait.account, wait.message_id), wait.id)

    def for_reply(self, event: Event) -> Sequence[tuple[int, AwaitReply]]:
        """Who may be meant by an inbound message: whose message it answers, then the newest that fits our number."""
        if event.contact is None:
            return ()
        found = self._replies.get((event.account, event.contact))
        if not found:
            return ()
        newest_first = list(reversed(found.values()))
        answered = event.fields.get("message_id")
        named = [each for each in newest_first if answered is not None and answered in each[1].messages]
        others = [each for each in newest_first if each not in named and _is_to(each[1], event.our_number)]
        return [*named, *others]

    def for_receipt(self, event: Event) -> Sequence[tuple[int, AwaitReceipt]]:
        """Who waits for this receipt."""
        message_id, status = event.fields.get("message_id"), str(event.fields.get("status")).lower()
        found = self._receipts.get((event.account, str(message_id)), {})
        return [(run_id, wait) for run_id, wait in found.values() if status in wait.statuses]


_Wait = TypeVar("_Wait", AwaitReply, AwaitReceipt)


def _take_out(index: dict[tuple[str, str], dict[str, tuple[int, _Wait]]], key: tuple[str, str], wait_id: str) -> bool:
    """Whether it was there."""
    waits = index.get(key)
    if waits is None or waits.pop(wait_id, None) is None:
        return False
    if not waits:
        del index[key]
    return True


def _is_to(wait: AwaitReply, our_number: str | None) -> bool:
    """Whether a text to this number of ours may answer; a missing number fits."""
    return None in (wait.our_number, our_number) or wait.our_number == our_number
