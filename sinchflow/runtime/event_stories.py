"""Events as the admin API and the commands show them: what came, and what became of it.

Nothing in here may be called on the daemon's loop thread: it reads the journal.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.journal.clues import Clues
from sinchflow.journal.journal import Quarantined
from sinchflow.model.event import Event
from sinchflow.model.run import Run

_LONGEST_TEXT = 200
_LONGEST_VALUE = 2_000
_LONGEST_BODY = 4_000


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are asked for. is_unmatched: those that nobody took."""

    kind: str | None = None
    contact: str | None = None
    since: datetime | None = None
    is_unmatched: bool = False
    limit: int = 50


def list_events(path: Path, question: Question) -> dict[str, Any]:
    """`events`, newest first, with what became of each, and whether all there are were looked at."""
    with Clues(path) as clues:

        def fits(event: Event) -> bool:
            if question.kind not in (None, event.kind) or question.contact not in (None, event.contact):
                return False
            return not question.is_unmatched or _fate(clues, event)["outcome"] in ("unmatched", "near")

        found = clues.events(fits, question.since, question.limit)
        listed = [_listed(event, _fate(clues, event)) for event in found]
        return {"events": listed, "is_all": clues.is_all}


def list_quarantined(path: Path, limit: int) -> dict[str, Any]:
    """`quarantined`: bodies that could not be read, newest first."""
    with Clues(path) as clues:
        return {"quarantined": [_kept(each) for each in clues.quarantined(None, limit)], "is_all": clues.is_all}


def story(path: Path, event_id: int) -> dict[str, Any] | None:
    """All that is known of an event, or of a body that could not be read; None when nothing has the id."""
    with Clues(path) as clues:
        event = clues.reader.event(event_id)
        if event is not None:
            fields = {name: _cut(value) for name, value in event.fields.items() if value not in (None, "", [], {})}
            return {**_listed(event, _fate(clues, event)), "our_number": event.our_number, "fields": fields}
        kept = clues.quarantined([event_id], 1)
        if not kept:
            return None
        body = kept[0].body.decode("utf-8", "replace")
        return {**_kept(kept[0]), "body": body if len(body) <= _LONGEST_BODY else body[:_LONGEST_BODY] + "…"}


def _fate(clues: Clues, event: Event) -> dict[str, Any]:
    """`outcome`: as in a note, or `started`, `unmatched`, `ignored`, `waiting`; with its runs, and the reason."""
    note: Mapping[str, Any] = clues.reader.note(event.id) or {}
    runs = clues.runs_of_event(event)
    outcome: str
    reason: str | None = None
    if event.ignored is not None:
        outcome, reason = "ignored", event.ignored
    elif note:
        outcome, reason = note["outcome"], note.get("reason") or note.get("word") or note.get("category")
    elif runs:
        outcome = "started"
    else:
        outcome = "waiting" if clues.is_unrouted(event.id) else "unmatched"
    flow = {"flow": note["flow"]} if "flow" in note else {}
    by = [{"id": note["run"]}] if "run" in note else []
    return {"outcome": outcome, "reason": reason, **flow, "runs": [*by, *map(_run, runs)]}


def _run(run: Run) -> dict[str, Any]:
    return {"id": run.id, "flow": run.flow, "status": run.status}


def _listed(event: Event, fate: dict[str, Any]) -> dict[str, Any]:
    text = event.fields.get("status" if event.kind == "delivery_receipt" else "content")
    return {
        "id": event.id, "kind": event.kind, "received_at": event.received_at.isoformat(), "account": event.account,
        "contact": event.contact, "text": None if text is None else _cut(str(text), _LONGEST_TEXT), **fate,
    }  # fmt: skip


def _kept(kept: Quarantined) -> dict[str, Any]:
    return {
        "id": kept.id, "received_at": kept.received_at.isoformat(), "path": kept.path, "reason": kept.reason,
        "size_bytes": len(kept.body),
    }  # fmt: skip


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
