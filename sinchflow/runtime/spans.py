"""What runs and events look like as OpenTelemetry spans, derived from nothing but their own records. Pure.

A run is one trace. What it does between two waits is a segment, a span without a parent that is linked to the segment
before it; a segment's steps are its children. Ids are derived from the journal's identity and the run's id, and times
are those of the run's trace, so that a run has the same spans whichever process makes them, before and after a restart.

A segment is told when it has ended: when the run waits for a time, an answer, a receipt or another run, or has ended.
An event is a span of its own, in the trace of whoever sent it where that is known; what it leads to is linked to it.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from sinchflow.engine.trace import new_records
from sinchflow.model.command import AwaitReceipt, AwaitReply, Sleep, StartRun
from sinchflow.model.event import Event
from sinchflow.model.flow import Delay, Flow, Http, RunFlow, SendSms, WaitForReceipt, WaitForReply
from sinchflow.model.run import Cursor, Record, Run
from sinchflow.runtime.masking import mask
from sinchflow.runtime.run_words import action_of, step_named

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_LOGIN = re.compile(r"(?<=//)[^/@]*@")
_CHILD = re.compile(r"run (\d+) (\w+)")
_WAITS = (Delay, RunFlow, WaitForReceipt, WaitForReply)


class Spot(msgspec.Struct, frozen=True):
    """What names a span everywhere."""

    trace_id: int
    span_id: int

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


class SpanData(msgspec.Struct, frozen=True, kw_only=True):
    """A span that has ended. problem: why what it stands for failed."""

    name: str
    spot: Spot
    start: datetime
    end: datetime
    parent: Spot | None = None
    links: tuple[Spot, ...] = ()
    kind: Literal["internal", "client", "consumer"] = "internal"
    attributes: dict[str, Any] = {}
    problem: str | None = None


def read_traceparent(text: object) -> Spot | None:
    """The span that a `traceparent` header names (W3C Trace Context, version 00); None when it is none."""
    found = _TRACEPARENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    spot = Spot(int(found[1], 16), int(found[2], 16))
    return spot if spot.trace_id and spot.span_id else None


class Spans:
    """The spans of one journal's events and runs. identity: the journal's."""

    def __init__(self, identity: str) -> None:
        self._identity = identity

    # --- names ------------------------------------------------------------------------------------------------------

    def _id(self, what: str, size_bytes: int) -> int:
        digest = blake2b(f"{self._identity}/{what}".encode(), digest_size=size_bytes).digest()
        return int.from_bytes(digest, "big") or 1

    def of_event(self, event_id: int, sender: Spot | None) -> Spot:
        """An event's span. sender: the span that it was sent in."""
        trace_id = self._id(f"event/{event_id}", 16) if sender is None else sender.trace_id
        return Spot(trace_id, self._id(f"event/{event_id}", 8))

    def of_command(self, command_id: str) -> Spot:
        """The span of the step that a command belongs to."""
        asks_as, address, *_ = command_id.split(":")
        return Spot(self._run_trace(int(asks_as.partition("~")[0])), self._id(f"step/{asks_as}/{address}", 8))

    def _run_trace(self, run_id: int) -> int:
        return self._id(f"run/{run_id}", 16)

    def of_run(self, run_id: int) -> Spot:
        """The run's first segment."""
        return Spot(self._run_trace(run_id), self._id(f"segment/{run_id}/first", 8))

    def _segment(self, run: Run, start: datetime) -> Spot:
        if start == run.started_at:
            return self.of_run(run.id)
        return Spot(self._run_trace(run.id), self._id(f"segment/{run.id}/{start.isoformat()}", 8))

    # --- spans ------------------------------------------------------------------------------------------------------

    def event(self, event: Event, now: datetime, sender: Spot | None, flows: Sequence[str]) -> SpanData:
        """An event, from its arrival until it was routed. flows: those that it started."""
        attributes: dict[str, Any] = {
            "sinchflow.event_id": event.id, "sinchflow.account": event.account, "sinchflow.flows": [*flows],
        }  # fmt: skip
        _add(attributes, "sinchflow.contact", None if event.contact is None else _number(event.contact))
        _add(attributes, "sinchflow.message_id", event.fields.get("message_id"))
        return SpanData(
            name=f"event {event.kind}", spot=self.of_event(event.id, sender), parent=sender, kind="consumer",
            start=event.received_at, end=max(now, event.received_at), attributes=attributes,
        )  # fmt: skip

    def of_step_of(
        self, before: Run | None, after: Run, flow: Flow | None, events: Sequence[Spot] = ()
    ) -> list[SpanData]:
        """The segment that has ended with this step of a run, and its steps; nothing when none has.

        before: the run before it, None for a new one. events: what the segment began with.
        """
        if not _is_at_rest(after):
            return []
        starts = _starts(after, flow)
        start: datetime | None = starts[-1]
        if before is not None and _is_at_rest(before):
            start = next((record.at for record in new_records(before, after)), after.ended_at)
            if start is None:
                return []
        assert start is not None
        end = after.ended_at or max((record.at for record in after.trace), default=start)
        former = [each for each in starts if each < start]
        links = [self._segment(after, former[-1])] if former else []
        if not former and after.parent is not None:
            links.append(self.of_command(after.parent))
        segment = SpanData(
            name=f"run {after.flow}", spot=self._segment(after, start), start=start, end=max(start, end),
            links=(*links, *events), attributes={**_about(after), "sinchflow.status": after.status},
            problem=mask(after.reason or "failed") if after.status == "failed" else None,
        )  # fmt: skip
        return [segment, *self._steps(after, flow, start, starts)]

    def _steps(self, run: Run, flow: Flow | None, since: datetime, starts: Sequence[datetime]) -> Iterator[SpanData]:
        """The steps that have ended since then, each as long as it took, in the segment where it began."""
        open_now = {cursor.address for cursor in run.cursors}
        for (asks_as, address), records in _by_step(run).items():
            if records[-1].at < since or address in open_now:
                continue
            began = max((each for each in starts if each <= records[0].at), default=since)
            step = step_named(flow, address)
            action = "step" if step is None else action_of(step)
            name = address if step is None or step.id is None else step.id
            attributes = {**_about(run), "sinchflow.step": name, "sinchflow.action": action}
            told, links = self._told(records, None if step is None else step.action)
            errors = [each.detail for each in records if each.what == "error"]
            yield SpanData(
                name=f"{action} {name}", spot=self.of_command(f"{asks_as}:{address}"), start=records[0].at,
                end=records[-1].at, parent=self._segment(run, began), links=links, attributes={**attributes, **told},
                kind="client" if step is not None and isinstance(step.action, Http | SendSms) else "internal",
                problem=mask(str(errors[-1])) if errors else None,
            )  # fmt: skip

    def _told(self, records: Sequence[Record], action: object) -> tuple[dict[str, Any], tuple[Spot, ...]]:
        """What the records say of a step; never the text of a message."""
        asked = [each.detail for each in records if each.what == "command"]
        came = [each.detail for each in records if each.what == "outcome"]
        outcome = "skipped" if records[-1].what == "skipped" else "done"
        said: dict[str, Any] = {}
        links: tuple[Spot, ...] = ()
        last = came[-1] if came else None
        match action:
            case Http():
                if asked:
                    method, _, url = str(asked[0]).partition("\n")[0].partition(" ")
                    said["http.request.method"] = method
                    said["url.full"] = mask(_LOGIN.sub("", re.split("[?#]", url, maxsplit=1)[0]))
                if isinstance(last, int):
                    said["http.response.status_code"] = last
                said["sinchflow.attempts"] = 1 + sum(each.what == "attempt" for each in records)
            case SendSms():
                ids = [each for each in came if each is None or " " not in str(each)]  # else why it was not sent
                outcome = "sent" if ids else "skipped" if came else outcome
                _add(said, "sinchflow.message_id", next((each for each in ids if each), None))
                said["sinchflow.messages"] = max(len(asked), len(came))
            case WaitForReply() | WaitForReceipt() if came:
                category = str(last).partition(":")[0] if isinstance(action, WaitForReply) else str(last)
                outcome = "timeout" if last == "time" else category
            case RunFlow() if (child := _CHILD.fullmatch(str(last))) is not None:
                outcome, links = child[2], (self.of_run(int(child[1])),)
        if any(each.what == "error" for each in records):
            outcome = "failed"
        return {**said, "sinchflow.outcome": outcome}, links


@lru_cache(maxsize=10_000)
def _number(number: str) -> str:
    return mask(number)


def _add(attributes: dict[str, Any], name: str, value: object) -> None:
    if value is not None:
        attributes[name] = str(value)


def _about(run: Run) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "sinchflow.flow": run.flow, "sinchflow.run": run.id, "sinchflow.event_id": run.event_id,
        "sinchflow.account": run.account,
    }  # fmt: skip
    _add(attributes, "sinchflow.contact", None if run.contact is None else _number(run.contact))
    return attributes


def _is_at_rest(run: Run) -> bool:
    return run.is_final or all(map(_only_waits, run.cursors))


def _only_waits(cursor: Cursor) -> bool:
    if cursor.is_pause and not cursor.commands:  # held by `concurrency`
        return True
    waits = (AwaitReply, AwaitReceipt, Sleep, StartRun)
    return cursor.tally is None and all(isinstance(each, waits) for each in cursor.commands)


def _starts(run: Run, flow: Flow | None) -> list[datetime]:
    """When the run's segments began: whenever something came while all that was under way were waits."""
    starts, waiting, working, answered = [run.started_at], set[str](), set[str](), set[str]()
    last = run.started_at
    for record in run.trace:
        address, step = record.address, step_named(flow, record.address)
        is_new = record.what == "retried" or bool(waiting and not working and record.at > last)
        if is_new and record.at > starts[-1]:
            starts.append(record.at)
        last = record.at
        is_wait = step is not None and isinstance(step.action, _WAITS)
        match record.what:
            case "command" if is_wait and address not in answered:
                waiting.add(address)
            case "command":  # a wait that has had an answer asks again
                working.add(address)
            case "outcome" if is_wait and address in working:
                working.discard(address)
                waiting.add(address)
            case "outcome":
                answered.add(address)
                waiting.discard(address)
                working.discard(address)
            case "error":
                waiting.discard(address)
                working.discard(address)
            case "retried" | "left_out":
                waiting.clear()
                working.clear()
                answered.clear()
    return starts


def _by_step(run: Run) -> dict[tuple[str, str], list[Record]]:
    """The records of each step, by the try of the run and the step's address."""
    number = run.retries - sum(record.what == "retried" for record in run.trace)
    found: dict[tuple[str, str], list[Record]] = {}
    for record in run.trace:
        if record.what == "retried":
            number += 1
        elif record.address:
            asks_as = f"{run.id}~{number}" if number > 0 else str(run.id)
            found.setdefault((asks_as, record.address), []).append(record)
    return found
