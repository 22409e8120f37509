"""Events as the admin API and the commands show them: what came, and what became of it.

Nothing in here may be called on the daemon's loop thread: it reads the journal.
"""

from pathlib import Path
from typing import Any

from sinchflow.journal.arrivals import Arrival, Arrivals, Aside, Begun, Wanted
from sinchflow.journal.clues import Clues

_LONGEST_TEXT = 200
_LONGEST_VALUE = 2_000
_LONGEST_BODY = 4_000


def list_events(path: Path, wanted: Wanted, limit: int) -> dict[str, Any]:
    """`events`, newest first, with what became of each, and whether all there are were looked at."""
    with Arrivals(path) as arrivals:
        found, is_all = arrivals.events(wanted, limit)
    return {"events": [_listed(each) for each in found], "is_all": is_all}


def list_quarantined(path: Path, limit: int) -> dict[str, Any]:
    """`quarantined`: bodies that could not be read, newest first; `count`: of all of them."""
    with Arrivals(path) as arrivals:
        return {"quarantined": [_aside(each) for each in arrivals.aside(limit)], "count": arrivals.quarantined()}


def story(path: Path, event_id: int) -> dict[str, Any] | None:
    """All that is known of an event, or of a body that could not be read; None when nothing has the id."""
    with Clues(path) as clues:
        event = clues.reader.event(event_id)
        if event is not None:
            runs = [Begun(run.id, run.flow, run.status) for run in clues.runs_of_event(event)]
            note, is_unrouted = clues.reader.note(event_id), clues.is_unrouted(event_id)
            arrival = Arrival(event=event, note=note, runs=runs, is_unrouted=is_unrouted)
            fields = {name: value for name, value in event.fields.items() if value not in (None, "", [], {})}
            if "attachments" in fields:
                fields["attachments"] = [_attachment(each) for each in fields["attachments"]]
            return {
                **_listed(arrival), "our_number": event.our_number, "key": event.key, "fields": _cut(fields),
                "note": note,
            }  # fmt: skip
    with Arrivals(path) as arrivals:
        bodies = arrivals.bodies([event_id])
        if not bodies:
            return None
        return {**_aside(*arrivals.aside_of([event_id])), "body": _cut(_text(bodies[0].body), _LONGEST_BODY)}


def _fate(arrival: Arrival) -> dict[str, Any]:
    """`outcome`: as in a note, or `started`, `unmatched`, `ignored`, `waiting`; with its runs, and the reason."""
    note = arrival.note or {}
    reason = note.get("reason") or note.get("word") or note.get("category")
    if arrival.event.ignored is not None:
        outcome, reason = "ignored", arrival.event.ignored
    elif note:
        outcome = note["outcome"]
    elif arrival.runs:
        outcome = "started"
    else:
        outcome = "waiting" if arrival.is_unrouted else "unmatched"
    flow = {"flow": note["flow"]} if "flow" in note else {}
    by = [{"id": note["run"]}] if "run" in note else []
    runs = ({"id": run.id, "flow": run.flow, "status": run.status} for run in arrival.runs)
    return {"outcome": outcome, "reason": reason, **flow, "runs": [*by, *runs]}


def _listed(arrival: Arrival) -> dict[str, Any]:
    event = arrival.event
    text = event.fields.get("status" if event.kind == "delivery_receipt" else "content")
    return {
        "id": event.id, "kind": event.kind, "received_at": event.received_at.isoformat(), "account": event.account,
        "contact": event.contact, "text": None if text is None else _cut(str(text), _LONGEST_TEXT), **_fate(arrival),
    }  # fmt: skip


def _aside(aside: Aside) -> dict[str, Any]:
    return {
        "id": aside.id, "received_at": aside.received_at.isoformat(), "path": aside.path, "reason": aside.reason,
        "size_bytes": aside.size_bytes,
    }  # fmt: skip


def _attachment(attachment: dict[str, Any]) -> dict[str, Any]:
    """Without the content, which is a picture in base64."""
    content = str(attachment.get("attachment_content") or "")
    return {
        "name": attachment.get("attachment_name"), "type": attachment.get("attachment_type"),
        "size_bytes": len(content.rstrip("=")) * 3 // 4,
    }  # fmt: skip


def _text(body: bytes) -> str:
    return body[: (_LONGEST_BODY + 1) * 4].decode("utf-8", "replace")


def _cut(value: Any, most: int = _LONGEST_VALUE) -> Any:
    match value:
        case str():
            return value if len(value) <= most else f"{value[: most - 1]}…"
        case dict():
            return {name: _cut(each, most) for name, each in value.items()}
        case list() | tuple():
            return [_cut(each, most) for each in value]
        case _:
            return value
