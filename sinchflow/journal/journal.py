"""The journal: all that must survive, behind one protocol.

Theory of operation
-------------------
Everything the runtime may not forget goes through two calls. `accept` stores an event unless it is a repeat;
`commit` stores the consequences of one decision (`Changes`): events routed, runs, sends, calls. Each is one atomic
unit. Units that wait together are written together and made durable by one fsync (group commit), in the order in
which they were handed in. `done` is called on the event loop's thread once the unit is on disk, or with the error
when it is not; nothing may be acknowledged or performed before that.

What a crash leaves behind, and what `load` gives the next start to work with:

- before an event's `accept` is durable: nothing; the provider was not answered 2xx and tries again.
- after `accept`, before the routing commit: the event is in `unrouted`.
- after the routing commit: the runs it started are open; their sends are `queued`, with no call.
- after a call's commit: the sends carry the call's id and are `sending`. Whether the provider got them is not known.
- after the outcome's commit: sends are settled and the run has advanced in the same unit.

Ids come from `new_id`: one ascending sequence over events, runs, sends and calls, so that an id names one thing.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send, SendSummary


class FlowSource(msgspec.Struct, frozen=True, kw_only=True):
    """One flow's YAML document, as runs are pinned to it. `line`: where the document begins in `file`, from 1."""

    digest: str
    name: str
    file: str
    line: int
    source: str
    language: int = 1


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A body that came with the right token and could not be read."""

    id: int
    received_at: datetime
    path: str
    reason: str
    body: bytes


class Changes(msgspec.Struct, kw_only=True):
    """The consequences of one decision, stored together or not at all.

    runs: new or changed, by id. new_sends: intents. sends: known sends whose state changed.
    """

    routed: tuple[int, ...] = ()
    runs: tuple[Run, ...] = ()
    new_sends: tuple[Send, ...] = ()
    sends: tuple[Send, ...] = ()
    calls: tuple[Call, ...] = ()
    sources: tuple[FlowSource, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    kept: tuple[tuple[int, str, tuple[Any, ...]], ...] = ()  #: run, address of a loop, its items; written once


class SendOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Which run asked for a send: its flow's name and digest, and the id of the command."""

    run: int
    flow: str
    digest: str
    command: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was open when the journal was opened. All in order of id."""

    runs: tuple[Run, ...]
    sends: tuple[Send, ...]
    calls: tuple[Call, ...]
    run_starts: tuple[tuple[str, str, str, datetime], ...]  #: flow, account, contact, when
    send_times: tuple[tuple[str, datetime], ...]  #: recipient, when


#: Called with None when durable, else with the reason why the unit was not stored.
Done = Callable[[Exception | None], None]
#: Called with True for a new event, False for a repeat, or the reason why it was not stored.
Accepted = Callable[[bool | Exception], None]


class Journal(Protocol):
    """See the module's text. Not thread-safe: called from the event loop's thread only."""

    #: 8 characters that tell this journal from every other; part of the ids that the provider sees
    identity: str
    #: when the journal was begun
    born_at: datetime

    def new_id(self) -> int:
        """The next id of the sequence; never given twice, also not after a restart, once it was stored."""
        ...

    def accept(self, event: Event, done: Accepted) -> None:
        """Store an event unless one with the same account, kind and key is known."""
        ...

    def commit(self, changes: Changes, done: Done) -> None:
        """Store one unit."""
        ...

    def load(self, since: datetime) -> Snapshot:
        """Everything open, and the starts, sends and calls since `since` (for throttle and brake)."""
        ...

    def unrouted(self, after: int, limit: int) -> Sequence[Event]:
        """Accepted events not yet routed with an id above `after`, oldest first."""
        ...

    def event(self, event_id: int) -> Event | None:
        """One event."""
        ...

    def source(self, digest: str) -> FlowSource | None:
        """The document that runs with this digest are pinned to."""
        ...

    def kept_items(self, run_id: int, address: str) -> Sequence[Any]:
        """The items of a run's loop, as they were kept. Raises JournalError when there are none."""
        ...

    def send_origin(self, send_id: int) -> SendOrigin | None:
        """Who asked for this send; None when there is none with the id."""
        ...

    def sends(self, states: Iterable[str], limit: int) -> Sequence[SendSummary]:
        """The newest sends in one of these states (all when empty), newest first."""
        ...

    def close(self) -> None:
        """Finish what was handed in, then release the file."""
        ...
