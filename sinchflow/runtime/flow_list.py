"""The project's flows in a list: what starts them, and what they did lately."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.model.flow import Flow, ListName, Text, Trigger

#: Instead of what must not be shown.
_SECRET = {"token": "with a token", "hmac": "signed"}
_NOTHING = {"open": 0, "started": 0, "failed": 0, "last_started_at": None}


def flow_list(flows: Iterable[Flow], lately: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The flows by name, for JSON. lately: see `journal.survey.flows_lately`.

    Flows that are gone from the project but have runs, or had some lately, are among them, without a place.
    """
    known = {flow.name: flow for flow in flows}
    return [
        {
            "name": name,
            "place": None if flow is None else f"{flow.origin.file}:{flow.origin.line}",
            "triggers": [] if flow is None else [in_words(trigger) for trigger in flow.triggers],
            "enabled": flow is not None and flow.enabled,
            **_NOTHING,
            **lately.get(name, {}),
        }
        for name in sorted(known.keys() | lately.keys())
        for flow in [known.get(name)]
    ]


def in_words(trigger: Trigger) -> str:
    """What starts the flow, in the words of its file: `inbound_sms: keyword HI, HELLO`."""
    kind = "".join(f"_{char.lower()}" if char.isupper() else char for char in type(trigger).__name__).strip("_")
    filters = "; ".join(_filters(trigger))
    return f"{kind}: {filters}" if filters else kind


def _filters(trigger: Trigger) -> Iterator[str]:
    for field in msgspec.structs.fields(trigger):
        value = getattr(trigger, field.name)
        if field.name == "origin" or value in (None, (), {}) or value == field.default:
            continue
        yield _SECRET.get(field.name) or f"{field.name.rstrip('_')} {_words(value)}"


def _words(value: Any) -> str:
    match value:
        case Text():
            return value.source
        case ListName():
            return f"list {value.name}"
        case timedelta():
            return _duration(value)
        case tuple():
            return ", ".join(map(_words, value))
        case dict():
            return ", ".join(f"{key}={_words(item)}" for key, item in value.items())
    return str(value)


def _duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def newer_files(flows: Iterable[Flow], root: Path, loaded_at: datetime) -> list[str]:
    """Files of these flows that were written after the flows were loaded, or are gone."""
    found = []
    for file in sorted({flow.origin.file for flow in flows}):
        try:
            is_newer = (root / file).stat().st_mtime > loaded_at.timestamp()
        except OSError:
            is_newer = True
        if is_newer:
            found.append(file)
    return found
