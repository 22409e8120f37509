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
- while somebody is being forgotten: all of it is done or nothing, up to the last step, in which the bytes go out of the
  files; the journal's user asks for it again.

Ids come from `new_id`: one ascending sequence over events, runs, sends and calls, so that an id names one thing.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from sinchflow.journal.retained import Retained
from sinchflow.model.contact import Contact, ContactChange, Lifted, Suppression
from sinchflow.model.event import Event
from sinchflow.model.project import Retention
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send, SendIds, SendSummary


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


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """The last tick that a schedule has had. trigger: its index among the flow's triggers."""

    flow: str
    trigger: int
    at: datetime


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person did to the daemon. what: `pause`, `resolve`, …; subject: an id or a name."""

    id: int
    at: datetime
    what: str
    subject: str = ""
    detail: str = ""


class CallAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook call began: a run, or none for this reason. event: of kind `webhook`; its key tells repeats."""

    event: Event
    run: int | None = None
    reason: str | None = None


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
    contacts: tuple[ContactChange, ...] = ()
    suppressions: tuple[Suppression | Lifted, ...] = ()  #: in order; one that is there already stays as it is
    ticks: tuple[Tick, ...] = ()
    dequarantined: tuple[int, ...] = ()  #: bodies that were dealt with
    requarantined: tuple[tuple[int, str], ...] = ()  #: bodies that could not be read again, and why
    answers: tuple[CallAnswer, ...] = ()  #: written once
    notes: tuple[tuple[int, dict[str, Any]], ...] = ()  #: what routing had to say of events, by id; written once
    acts: tuple[Act, ...] = ()
    settings: tuple[tuple[str, str | None], ...] = ()  #: of the daemon's own, by name; None forgets one
    released: tuple[int, ...] = ()  #: runs and events that are no longer suspended (`Journal.suspended`)


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
    send_times: tuple[tuple[str, str, datetime], ...]  #: recipient, flow, when
    latest: datetime | None = None  #: of when the last event, run or call is; None: there is none

    @property
    def unanswered_calls(self) -> frozenset[int]:
        """Calls whose sends have no outcome yet."""
        return frozenset(send.call for send in self.sends if send.call is not None)


class Suspended(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal that was restored from a backup does not go on with by itself. All in order of id.

    runs: that were open. sends: of theirs, all held. events: accepted and not routed.
    """

    runs: tuple[Run, ...] = ()
    sends: tuple[Send, ...] = ()
    events: tuple[Event, ...] = ()


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a person: how many events, runs and sends were emptied or had the number taken out of them.

    left: ids of open runs, open sends and their events that are about others and name the number. They are as they
    were, because they could not go on without; once they have ended, forgetting the person again takes it out.
    """

    events: int = 0
    runs: int = 0
    sends: int = 0
    quarantined: int = 0
    left: tuple[int, ...] = ()


#: Called with None when durable, else with the reason why the unit was not stored.
Done = Callable[[Exception | None], None]
#: Called with True for a new event, False for a repeat, or the reason why it was not stored.
Accepted = Callable[[bool | Exception], None]
#: Called with what was done once nothing of it is in the files any more, or with the reason why it may still be.
ForgetDone = Callable[[Forgotten | Exception], None]
#: Called with what went, or with the reason why not all that should go did.
RetainDone = Callable[[Retained | Exception], None]


class Journal(Protocol):
    """See the module's text. Not thread-safe: called from the event loop's thread only."""

    #: 8 characters that tell this journal from every other; part of the ids that the provider sees
    identity: str
    #: what messages are called at the provider
    send_ids: SendIds
    #: when the journal was begun, or restored from a backup: what happened before was seen to by others
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
        """Everything open that is not suspended, and starts, sends and calls since `since` (for throttle and brake)."""
        ...

    def unrouted(self, after: int, limit: int) -> Sequence[Event]:
        """Accepted events not yet routed with an id above `after`, oldest first; without those that are suspended."""
        ...

    def suspended(self) -> Suspended:
        """What waits for a person's word since the journal was restored; `Changes.released` takes it out of here."""
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

    def quarantined(self) -> int:
        """How many bodies are in quarantine."""
        ...

    def send(self, send_id: int) -> SendSummary | None:
        """One send, open or settled."""
        ...

    def contact(self, number: str) -> Contact | None:
        """One person, by primary key; None when nothing is known. Callers keep what they ask for often."""
        ...

    def contacts(self, limit: int, after: str = "") -> Sequence[Contact]:
        """People in order of their numbers, those above `after`."""
        ...

    def suppressed(self) -> Sequence[Suppression]:
        """Everybody to whom nothing is sent, in order of number; somebody forgotten by pseudonym."""
        ...

    def pseudonym(self, number: str) -> str:
        """The name under which the suppression of this person is kept after they were forgotten. Costs 2 µs."""
        ...

    def ticks(self) -> Sequence[Tick]:
        """The last tick of each schedule."""
        ...

    def heard_of(self, values: Iterable[str], after: int) -> dict[str, dict[str, Any]]:
        """The fields of the last receipt or reply about each message whose metadata `sinchflow_id` is one of `values`,
        among events with ids above `after`; by value."""
        ...

    def setting(self, name: str) -> str | None:
        """One of the daemon's own settings, as `Changes.settings` left it."""
        ...

    def note(self, event_id: int) -> dict[str, Any] | None:
        """What routing had to say of an event besides the runs that it began."""
        ...

    def answer(self, event: Event) -> CallAnswer | None:
        """What the first call with this event's account, kind and key was answered; None when nothing is known."""
        ...

    def run(self, run_id: int) -> Run | None:
        """One run, open or ended."""
        ...

    def runs_of(self, contact: str, limit: int) -> Sequence[Run]:
        """The newest runs of a person, newest first. Takes milliseconds: for people, not for every event."""
        ...

    def forget(self, number: str, done: ForgetDone) -> None:
        """Take a person out of everything stored, and the bytes out of the files. May be asked for again.

        Events, runs and sends of the person stay as rows, emptied, under a random name instead of the number; repeats
        of their events stay known. Of what is about others the number alone is taken out, written with `+`, `00` or
        neither; other spellings are found only in what is the person's own. What flows remember is deleted. Somebody
        suppressed stays so, under a pseudonym: whoever has the file and tries all numbers there are can find it out.
        Flow documents are not touched. The caller ends the person's open runs first: one that is still open is stored
        as cancelled, its sends as skipped, and whatever is committed about them later stands in the files again.
        """
        ...

    def retain(self, rules: Retention, now: datetime, least: timedelta, done: RetainDone) -> None:
        """Let go of what the rules do not keep, once; in small steps that others hardly wait for.

        What is open stays, with all it needs; so do the events of failed runs, people, and who is suppressed. That an
        event was there stays known for `retained.REPEATS_KNOWN`. least: what is younger stays even when the journal is
        too large. Runs that ended well and are not among the newest `traces` of their flow and outcome become slim
        (`Run.is_slim`). Not to be called again before `done` was.
        """
        ...

    def close(self) -> None:
        """Finish what was handed in, then release the file."""
        ...
