"""The journal's in-memory twin: the same promises while the process lives, for virtual-time tests and `simulate`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sinchflow.journal.journal import Accepted, Changes, Done, FlowSource, Quarantined, SendOrigin, Snapshot
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send, SendSummary

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
        self.born_at = born_at
        self._call_soon = call_soon
        self._last_id = 0
        self._events: dict[int, Event] = {}
        self._keys: set[tuple[str, str, str]] = set()
        self._unrouted: dict[int, None] = {}
        self._runs: dict[int, Run] = {}
        self._sends: dict[int, Send] = {}
        self._calls: list[Call] = []
        self._sources: dict[str, FlowSource] = {}
        self._quarantine: list[Quarantined] = []
        self._kept: dict[tuple[int, str], tuple[Any, ...]] = {}

    def new_id(self) -> int:
        """See `Journal.new_id`."""
        self._last_id += 1
        return self._last_id

    def accept(self, event: Event, done: Accepted) -> None:
        """See `Journal.accept`."""
        key = (event.account, event.kind, event.key)
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
        self._kept.update(((run, address), items) for run, address, items in changes.kept)
        self._call_soon(done, None)

    def load(self, since: datetime) -> Snapshot:
        """See `Journal.load`."""
        return Snapshot(
            runs=tuple(run for _, run in sorted(self._runs.items()) if not run.is_final),
            sends=tuple(send for _, send in sorted(self._sends.items()) if send.is_open),
            calls=tuple(call for call in self._calls if call.started_at >= since),
            run_starts=tuple(
                (run.flow, run.account, run.contact, run.started_at)
                for _, run in sorted(self._runs.items())
                if run.started_at >= since and run.contact is not None
            ),
            send_times=tuple(
                (send.command.to, send.created_at)
                for _, send in sorted(self._sends.items())
                if send.created_at >= since and send.state != "skipped"
            ),
        )

    def unrouted(self, after: int, limit: int) -> Sequence[Event]:
        """See `Journal.unrouted`."""
        return [self._events[event_id] for event_id in sorted(self._unrouted) if event_id > after][:limit]

    def event(self, event_id: int) -> Event | None:
        """See `Journal.event`."""
        return self._events.get(event_id)

    def source(self, digest: str) -> FlowSource | None:
        """See `Journal.source`."""
        return self._sources.get(digest)

    def kept_items(self, run_id: int, address: str) -> Sequence[Any]:
        """See `Journal.kept_items`."""
        return self._kept[run_id, address]

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

    def close(self) -> None:
        """See `Journal.close`."""


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
