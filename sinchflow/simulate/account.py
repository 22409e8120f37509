"""What the simulated Sinch keeps for one account: the main one, or a sub-account named by the header `Account`."""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from sinchflow.simulate.bodies import ACCOUNT, Reply, Report
from sinchflow.simulate.message import Message
from sinchflow.simulate.opt_out_list import OptOutList
from sinchflow.simulate.webhooks import Webhooks

Entry = TypeVar("Entry")

_MOST_UNCONFIRMED = 100_000


class Queue(Generic[Entry]):
    """Entries by id, oldest first, until they are taken out; the oldest gives way when there are too many."""

    def __init__(self, most: int) -> None:
        self._entries: dict[str, Entry] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, id: str, entry: Entry) -> None:
        """Append an entry."""
        if len(self._entries) >= self._most:
            del self._entries[next(iter(self._entries))]
        self._entries[id] = entry

    def oldest(self, most: int) -> list[Entry]:
        """The first entries."""
        return list(islice(self._entries.values(), most))

    def remove(self, id: str) -> None:
        """Take an entry out; nothing happens when it is not there."""
        self._entries.pop(id, None)

    def clear(self) -> None:
        """Take all out."""
        self._entries.clear()


class Account:
    """One account. `name`: as reports and pushes call it. keep: messages and events to remember; None: all.

    unconfirmed_replies, unconfirmed_reports: what polling shows. Whatever is texted in or reported is there, pushed
    or not, until it is confirmed; when there are too many the oldest is forgotten.
    """

    def __init__(self, name: str = ACCOUNT, *, keep: int | None = None, now: Callable[[], float] = time.time) -> None:
        self.name = name
        self.messages: list[Message] = []
        self.dropped = 0  #: messages that are remembered no more
        self.last: dict[tuple[str, str], Message] = {}  #: by handset and number: what a reply answers
        self.replies: list[Reply] = []
        self.unconfirmed_replies: Queue[Reply] = Queue(_MOST_UNCONFIRMED if keep is None else keep)
        self.unconfirmed_reports: Queue[Report] = Queue(_MOST_UNCONFIRMED if keep is None else keep)
        self.opted_out = OptOutList()
        self.webhooks = Webhooks()
        self._keep = keep
        self._now = now
        self._arrivals: list[tuple[int, float]] = []  # number of the first message of each call, and its time

    def take(self, messages: list[Message]) -> None:
        """Remember messages that came in one call."""
        self._arrivals.append((self.dropped + len(self.messages), self._now()))
        self.messages.extend(messages)

    def reply(self, reply: Reply) -> None:
        """Remember a customer's text."""
        self.replies.append(reply)
        if self._keep is not None and len(self.replies) > self._keep:
            del self.replies[: -self._keep]
        self.unconfirmed_replies.add(reply.reply_id, reply)

    def find(self, message_id: str) -> Message | None:
        """The message with this id."""
        return next((one for one in reversed(self.messages) if one.message_id == message_id), None)

    def taken(self) -> Iterator[tuple[float, Message]]:
        """Each message with the time when it was taken, oldest first."""
        firsts = [first for first, _ in self._arrivals]
        for index, message in enumerate(self.messages):
            yield self._arrivals[bisect_right(firsts, self.dropped + index) - 1][1], message

    def forget(self, number: str) -> None:
        """Keep no more messages than asked for. `number`: the one that messages without a source went out from."""
        surplus = 0 if self._keep is None else len(self.messages) - self._keep
        if surplus <= 0:
            return
        for message in self.messages[:surplus]:
            pair = (message.destination_number, message.source_number or number)
            if self.last.get(pair) is message:
                del self.last[pair]
        del self.messages[:surplus]
        self.dropped += surplus
        while len(self._arrivals) > 1 and self._arrivals[1][0] <= self.dropped:
            del self._arrivals[0]

    def clear(self) -> None:
        """Forget everything but webhooks."""
        self.messages.clear()
        self.last.clear()
        self.replies.clear()
        self.unconfirmed_replies.clear()
        self.unconfirmed_reports.clear()
        self.opted_out.clear()
        self._arrivals.clear()
        self.dropped = 0
