"""The journal's in-memory twin: the same promises while the process lives, for virtual-time tests and `simulate`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec.structs import replace

from sinchflow.errors import JournalError
from sinchflow.journal import rows
from sinchflow.journal.journal import (
    Accepted,
    Act,
    CallAnswer,
    Changes,
    Done,
    FlowSource,
    ForgetDone,
    Forgotten,
    Quarantined,
    RetainDone,
    SendOrigin,
    Snapshot,
    Suspended,
    Tick,
)
from sinchflow.journal.person import Left, Person
from sinchflow.journal.retained import NOTES_PER_TRACE, REPEATS_KNOWN, WENT_WELL, Retained, emptied, ends_before, slim
from sinchflow.model import codec
from sinchflow.model.contact import Contact, Lifted, Suppression, changed
from sinchflow.model.event import Event
from sinchflow.model.project import Retention
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send, SendIds, SendSummary

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MemoryJournal:
    """A `Journal` in dictionaries.

    call_soon: how `done` is called: after the current step of the loop, as with a real journal
    (`asyncio.get_running_loop().call_soon`, or the virtual clock's).
    """

    def __init__(
        self, call_soon: Callable[..., object], identity: str = "memory00", born_at: datetime = _EPOCH
    ) -> None:
        self.identity = identity
        self.send_ids = SendIds(identity=identity)
        self.born_at = born_at
        self._call_soon = call_soon
        self._last_id = 0
        self._events: dict[int, Event] = {}
        self._keys: set[bytes] = set()
        self._unrouted: dict[int, None] = {}
        self._runs: dict[int, Run] = {}
        self._sends: dict[int, Send] = {}
        self._calls: list[Call] = []
        self._sources: dict[str, FlowSource] = {}
        self._quarantine: list[Quarantined] = []
        self._contacts: dict[str, Contact] = {}
        self._suppressed: dict[str, Suppression] = {}
        self._ticks: dict[tuple[str, int], Tick] = {}
        self._answers: dict[bytes, CallAnswer] = {}
        self._kept: dict[tuple[int, str], tuple[Any, ...]] = {}
        self._notes: dict[int, dict[str, Any]] = {}
        self._acts: list[Act] = []
        self._settings: dict[str, str | None] = {}

    def new_id(self) -> int:
        """See `Journal.new_id`."""
        self._last_id += 1
        return self._last_id

    def accept(self, event: Event, done: Accepted) -> None:
        """See `Journal.accept`."""
        key = rows.event_key(event)
        is_new = key not in self._keys
        if is_new:
            self._keys.add(key)
            self._events[event.id] = event
            self._unrouted[event.id] = None
        self._call_soon(done, is_new)

    def commit(self, changes: Changes, done: Done) -> None:
        """See `Journal.commit`."""
        for event_id in changes.routed:
            self._unrouted.pop(event_id, None)
        self._runs.update((run.id, run) for run in changes.runs)
        self._sends.update((send.id, send) for send in changes.new_sends)
        self._sends.update((send.id, send) for send in changes.sends)
        self._calls.extend(changes.calls)
        self._sources.update((source.digest, source) for source in changes.sources)
        self._quarantine.extend(changes.quarantined)
        again = dict(changes.requarantined)
        self._quarantine = [
            replace(it, reason=again.get(it.id, it.reason))
            for it in self._quarantine
            if it.id not in changes.dequarantined
        ]
        self._ticks.update(((tick.flow, tick.trigger), tick) for tick in changes.ticks)
        for answer in changes.answers:
            self._answers.setdefault(rows.event_key(answer.event), answer)
        for event_id, said in changes.notes:
            self._notes.setdefault(event_id, codec.decode_data(codec.encode_data(said)))
        self._acts.extend(changes.acts)
        self._settings.update(changes.settings)
        for change in changes.contacts:
            plain = replace(change, values=codec.decode_data(codec.encode_data(change.values)))
            self._contacts[change.number] = changed(self._contacts.get(change.number), plain)
        for it in changes.suppressions:
            if isinstance(it, Lifted):
                self._suppressed.pop(it.number, None)
                self._suppressed.pop(self.pseudonym(it.number), None)
            else:
                self._suppressed.setdefault(it.number, it)
        self._kept.update(((run, address), items) for run, address, items in changes.kept)
        self._call_soon(done, None)

    def load(self, since: datetime) -> Snapshot:
        """See `Journal.load`."""
        return Snapshot(
            runs=tuple(run for _, run in sorted(self._runs.items()) if not run.is_final),
            sends=tuple(send for _, send in sorted(self._sends.items()) if send.is_open),
            calls=tuple(call for call in self._calls if call.started_at >= since),
            run_starts=tuple(
                (run.counts_as, run.account, run.contact, run.started_at)
                for _, run in sorted(self._runs.items())
                if run.started_at >= since and run.contact is not None
            ),
            send_times=tuple(
                (send.command.to, self._runs[send.run].counts_as, send.created_at)
                for _, send in sorted(self._sends.items())
                if send.created_at >= since and send.state != "skipped"
            ),
            latest=max(
                (
                    *(self._events[each].received_at for each in sorted(self._events)[-1:]),
                    *(self._runs[each].started_at for each in sorted(self._runs)[-1:]),
                    *(call.started_at for call in self._calls[-1:]),
                ),
                default=None,
            ),
        )

    def unrouted(self, after: int, limit: int) -> Sequence[Event]:
        """See `Journal.unrouted`."""
        return [self._events[event_id] for event_id in sorted(self._unrouted) if event_id > after][:limit]

    def suspended(self) -> Suspended:
        """See `Journal.suspended`: it is never restored."""
        return Suspended()

    def event(self, event_id: int) -> Event | None:
        """See `Journal.event`."""
        return self._events.get(event_id)

    def source(self, digest: str) -> FlowSource | None:
        """See `Journal.source`."""
        return self._sources.get(digest)

    def kept_items(self, run_id: int, address: str) -> Sequence[Any]:
        """See `Journal.kept_items`."""
        items = self._kept.get((run_id, address))
        if items is None:
            raise JournalError(f"the items of the loop at {address} of run {run_id} are not in the journal")
        return items

    def send_origin(self, send_id: int) -> SendOrigin | None:
        """See `Journal.send_origin`."""
        send = self._sends.get(send_id)
        run = None if send is None else self._runs.get(send.run)
        if send is None or run is None:
            return None
        return SendOrigin(run=run.id, flow=run.flow, digest=run.digest, command=send.command.id)

    def sends(self, states: Iterable[str], limit: int) -> Sequence[SendSummary]:
        """See `Journal.sends`."""
        wanted = frozenset(states)
        chosen = [send for _, send in sorted(self._sends.items(), reverse=True) if not wanted or send.state in wanted]
        return [summary(send) for send in chosen[:limit]]

    def quarantined(self) -> int:
        """See `Journal.quarantined`."""
        return len(self._quarantine)

    def send(self, send_id: int) -> SendSummary | None:
        """See `Journal.send`."""
        send = self._sends.get(send_id)
        return None if send is None else summary(send)

    def contact(self, number: str) -> Contact | None:
        """See `Journal.contact`."""
        return self._contacts.get(number)

    def contacts(self, limit: int, after: str = "") -> Sequence[Contact]:
        """See `Journal.contacts`."""
        return [self._contacts[number] for number in sorted(self._contacts) if number > after][:limit]

    def suppressed(self) -> Sequence[Suppression]:
        """See `Journal.suppressed`."""
        return [it for _, it in sorted(self._suppressed.items())]

    def pseudonym(self, number: str) -> str:
        """See `Journal.pseudonym`."""
        return rows.pseudonym(number, b"memory")

    def ticks(self) -> Sequence[Tick]:
        """See `Journal.ticks`."""
        return [tick for _, tick in sorted(self._ticks.items())]

    def heard_of(self, values: Iterable[str], after: int) -> dict[str, dict[str, Any]]:
        """See `Journal.heard_of`."""
        wanted, found = frozenset(values), dict[str, dict[str, Any]]()
        for event in self._events.values():
            value = (event.fields.get("metadata") or {}).get("sinchflow_id")
            if event.id > after and value in wanted:
                found[value] = event.fields
        return found

    def setting(self, name: str) -> str | None:
        """See `Journal.setting`."""
        return self._settings.get(name)

    def note(self, event_id: int) -> dict[str, Any] | None:
        """See `Journal.note`."""
        return self._notes.get(event_id)

    def answer(self, event: Event) -> CallAnswer | None:
        """See `Journal.answer`."""
        found = self._answers.get(rows.event_key(event))
        return None if found is None else replace(found, event=event)

    def run(self, run_id: int) -> Run | None:
        """See `Journal.run`."""
        return self._runs.get(run_id)

    def runs_of(self, contact: str, limit: int) -> Sequence[Run]:
        """See `Journal.runs_of`."""
        return [run for _, run in sorted(self._runs.items(), reverse=True) if run.contact == contact][:limit]

    def forget(self, number: str, done: ForgetDone) -> None:
        """See `Journal.forget`."""
        person, left = Person(number), set[int]()
        open_runs = {run.id: run for run in self._runs.values() if not run.is_final}
        own_runs = {run.id: run for run in self._runs.values() if run.contact == number}
        began_own = {run.event_id for run in own_runs.values()}
        needed = {run.event_id for run in open_runs.values() if run.id not in own_runs} | set(self._unrouted)

        events, sends, runs = dict[int, Event](), dict[int, Send](), dict[int, Run]()
        for event in self._events.values():
            is_needed = event.id in needed
            after = person.event_after(event, began_own_run=event.id in began_own, is_needed=is_needed)
            _sort(event.id, after, events, left)
        for send in self._sends.values():
            is_of_own_run = send.run in own_runs
            is_needed = send.is_open and not is_of_own_run and send.run in open_runs
            _sort(send.id, person.send_after(send, is_of_own_run=is_of_own_run, is_needed=is_needed), sends, left)
        for run in self._runs.values():
            _sort(run.id, person.run_after(run), runs, left)
        self._kept = {
            place: items if place[0] in open_runs else tuple(person.blotted(items))
            for place, items in self._kept.items()
            if place[0] not in own_runs
        }
        self._events |= events
        self._sends |= sends
        self._runs |= runs
        named = [it for it in self._quarantine if person.is_named_in(it.body)]
        self._quarantine = [replace(it, body=b"", reason="forgotten") if it in named else it for it in self._quarantine]
        self._contacts.pop(number, None)
        self._contacts = {
            other: replace(contact, values=person.blotted(contact.values)) for other, contact in self._contacts.items()
        }
        if (suppression := self._suppressed.pop(number, None)) is not None:
            pseudonym = self.pseudonym(number)
            self._suppressed.setdefault(pseudonym, replace(suppression, number=pseudonym, reason=""))
        forgotten = Forgotten(
            events=len(events), runs=len(runs), sends=len(sends), quarantined=len(named), left=tuple(sorted(left))
        )
        self._call_soon(done, forgotten)

    def retain(self, rules: Retention, now: datetime, _least: timedelta, done: RetainDone) -> None:
        """See `Journal.retain`. It has no size, so that nothing is too large."""
        result = Retained()
        if rules.traces is not None:
            self._slim(rules.traces, result)
        if rules.runs is not None:
            self._drop_runs(now - rules.runs, result)
        if rules.events is not None:
            self._drop_events(now - rules.events, now - max(rules.events, REPEATS_KNOWN), result)
        self._call_soon(done, result)

    def _slim(self, traces: int, result: Retained) -> None:
        groups: dict[tuple[str, str], list[Run]] = {}
        for _, run in sorted(self._runs.items(), reverse=True):
            if run.status in WENT_WELL:
                groups.setdefault((run.counts_as, run.status), []).append(run)
        for run in (run for group in groups.values() for run in group[traces:] if not run.is_slim):
            self._runs[run.id] = slim(run)
            self._forget_kept({run.id})
            result.slimmed += 1
        notes: dict[tuple[Any, Any], list[int]] = {}
        for event_id, said in sorted(self._notes.items(), reverse=True):
            notes.setdefault((said.get("flow"), said.get("outcome")), []).append(event_id)
        for event_id in (each for group in notes.values() for each in group[traces * NOTES_PER_TRACE :]):
            del self._notes[event_id]
            result.others += 1

    def _drop_runs(self, before: datetime, result: Retained) -> None:
        gone = {run.id for run in self._runs.values() if ends_before(run, before)}
        for run_id in gone:
            del self._runs[run_id]
        self._forget_kept(gone)
        result.runs = len(gone)
        for send in [*self._sends.values()]:
            if send.created_at < before and not send.is_open and send.run not in self._runs:
                del self._sends[send.id]
                result.sends += 1

    def _forget_kept(self, runs: set[int]) -> None:
        self._kept = {place: items for place, items in self._kept.items() if place[0] not in runs}

    def _drop_events(self, empty_before: datetime, drop_before: datetime, result: Retained) -> None:
        needed = {run.event_id for run in self._runs.values() if run.status in ("running", "failed")}
        for event in [*self._events.values()]:
            if event.received_at >= empty_before or event.id in needed or event.id in self._unrouted:
                continue
            self._notes.pop(event.id, None)
            if event.received_at < drop_before:
                del self._events[event.id]
                self._keys.discard(rows.event_key(event))
                self._answers.pop(rows.event_key(event), None)
                result.events += 1
            elif (after := emptied(event)) != event:
                self._events[event.id] = after
                result.emptied += 1

    def close(self) -> None:
        """See `Journal.close`."""


_Record = TypeVar("_Record", Event, Run, Send)


def _sort(record_id: int, after: _Record | Left | None, changed_: dict[int, _Record], left: set[int]) -> None:
    """Put what a record becomes where it belongs."""
    if after == "left":
        left.add(record_id)
    elif after is not None:
        changed_[record_id] = after


def summary(send: Send) -> SendSummary:
    """The send as lists show it."""
    return SendSummary(
        id=send.id,
        state=send.state,
        run=send.run,
        to=send.command.to,
        message=str(send.command.body.get("content", "")),
        message_id=send.message_id,
        reason=send.reason,
    )
