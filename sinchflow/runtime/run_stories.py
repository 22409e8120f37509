"""Runs as the admin API and the commands show them: the same plain objects with a daemon and without.

Nothing in here may be called on the daemon's loop thread: it reads the journal.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.engine.retrying import why_not
from sinchflow.engine.trace import without_secrets
from sinchflow.journal.stories import MOST_LOOKED_AT, Stories, Wanted
from sinchflow.language.build import flow_from_source
from sinchflow.model.flow import Flow
from sinchflow.model.run import Run
from sinchflow.model.send import Send
from sinchflow.runtime.run_words import doing, place_of, told

STATUSES = ("running", "completed", "stopped", "failed", "cancelled")
#: What an open run does.
DOINGS = ("held", "waiting")
_CHILD = re.compile(r"run (\d+) ")
#: Of a value of an event.
_LONGEST_VALUE = 2_000
_MOST_SENDS = 1_000
_MOST_RELATIVES = 50


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are asked for; `statuses` of STATUSES and DOINGS."""

    flow: str | None = None
    statuses: frozenset[str] = frozenset()
    contact: str | None = None
    since: datetime | None = None
    is_since_end: bool = False
    limit: int = 50


def list_runs(path: Path, question: Question) -> dict[str, Any]:
    """`runs`, newest first, and whether all there are were looked at. Raises SinchflowError."""
    with Stories(path) as stories:
        sends: dict[int, list[Send]] = {}
        flows = _Flows(stories)
        doings = question.statuses & set(DOINGS)
        statuses = question.statuses - doings | ({"running"} if doings else set())
        if not statuses or "running" in statuses:
            sends = stories.open_sends()

        def is_meant(run: Run) -> bool:
            if not doings or run.status in question.statuses:
                return True
            return doing(run, None, sends.get(run.id, ()))[0] in doings

        wanted = Wanted(
            flow=question.flow, statuses=statuses, contact=question.contact, since=question.since,
            is_since_end=question.is_since_end,
        )  # fmt: skip
        found, is_all = stories.runs(wanted, question.limit, is_meant)
        listed = [summary(run, flows.of(run) if not run.is_final else None, sends.get(run.id, ())) for run in found]
    return {"runs": listed, "is_all": is_all, "looked_at": None if is_all else MOST_LOOKED_AT}


def summary(run: Run, flow: Flow | None, sends: Any = ()) -> dict[str, Any]:
    """A run in a few fields. sends: its open messages."""
    state, waits = doing(run, flow, sends)
    return {
        "id": run.id,
        "flow": run.flow,
        "status": run.status,
        "doing": state,
        "waits_for": waits,
        "account": run.account,
        "contact": run.contact,
        "started_at": run.started_at.isoformat(),
        "ended_at": None if run.ended_at is None else run.ended_at.isoformat(),
        "reason": run.reason,
        "place": place_of(run),
        "retries": run.retries,
    }


def story(path: Path, run_id: int) -> dict[str, Any] | None:
    """All that is known of a run; None when there is none with the id. Raises SinchflowError."""
    with Stories(path) as stories:
        run = stories.run(run_id)
        if run is None:
            return None
        flow = _Flows(stories).of(run)
        sends, is_all = stories.sends_of(run)
        return {
            **summary(run, flow, [send for send in sends if send.is_open]),
            "file": None if flow is None else str(flow.origin),
            "digest": run.digest,
            "steps_taken": run.steps_taken,
            "event": _event(stories, run),
            "inputs": _plain(run.inputs),
            "vars": _plain(run.vars),
            "outputs": _plain(run.outputs_given),
            "error": msgspec.to_builtins(run.error),
            "trace": [*told(flow, run.trace)],
            "sends": [_send(send) for send in sends[:_MOST_SENDS]],
            "are_all_sends": is_all and len(sends) <= _MOST_SENDS,
            "parent": _relative(stories.run(int(run.parent.split(":")[0].partition("~")[0]))) if run.parent else None,
            "children": [_relative(each) for each in stories.ids(_children(run))],
            "cannot_retry": why_not(run),
        }


class _Flows:
    """The flows that runs are pinned to, each built once."""

    def __init__(self, stories: Stories) -> None:
        self._stories = stories
        self._built: dict[str, Flow | None] = {}

    def of(self, run: Run) -> Flow | None:
        """The run's flow; None when its document is gone, or of a language that this release does not read."""
        if run.digest not in self._built:
            source = self._stories.source(run.digest)
            try:
                flow = None if source is None else flow_from_source(source.source, source.file, source.line)
            except ValueError:
                flow = None
            self._built[run.digest] = flow
        return self._built[run.digest]


def _event(stories: Stories, run: Run) -> dict[str, Any] | None:
    event = stories.event(run.event_id)
    if event is None:
        return None
    fields = {name: value for name, value in event.fields.items() if value not in (None, "", [], {})}
    return {
        "id": event.id, "kind": event.kind, "received_at": event.received_at.isoformat(), "contact": event.contact,
        "our_number": event.our_number, "fields": _cut(fields),
    }  # fmt: skip


def _cut(value: Any) -> Any:
    """The value with its texts cut: a picture is of no use here."""
    match value:
        case str():
            return value if len(value) <= _LONGEST_VALUE else f"{value[: _LONGEST_VALUE - 1]}…"
        case dict():
            return {name: _cut(each) for name, each in value.items()}
        case list() | tuple():
            return [_cut(each) for each in value]
        case _:
            return value


def _plain(values: Any) -> Any:
    return msgspec.json.decode(without_secrets(msgspec.json.encode(values).decode()))


def _send(send: Send) -> dict[str, Any]:
    return {
        "id": send.id,
        "step": send.command.id.split(":")[1],
        "state": send.state,
        "to": send.command.to,
        "message": str(send.command.body.get("content", "")),
        "message_id": send.message_id,
        "attempts": send.attempt,
        "created_at": send.created_at.isoformat(),
        "due": None if send.due is None else send.due.isoformat(),
        "reason": send.reason,
    }


def _children(run: Run) -> set[int]:
    """Runs that this one began, as far as its trace tells."""
    stand = () if run.stand is None else run.stand.cursors
    found = {child for cursor in (*run.cursors, *stand) for child in cursor.runs.values()}
    for record in run.trace:
        if record.what == "outcome" and isinstance(record.detail, str) and (match := _CHILD.match(record.detail)):
            found.add(int(match[1]))
    return set(sorted(found)[:_MOST_RELATIVES])


def _relative(run: Run | None) -> dict[str, Any] | None:
    return None if run is None else {"id": run.id, "flow": run.flow, "status": run.status, "reason": run.reason}
