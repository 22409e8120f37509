"""Times that the provider cannot read, that are past, or that come in the wrong order."""

from collections.abc import Iterator
from datetime import datetime

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_PLACES = {
    "send.scheduled": "leave scheduled out to send at once, or write a time that is still to come",
    "delay.until": "the delay would be over at once; write a time that is still to come",
    "send.message_expiry_timestamp": "the message would be discarded at once; write a time that is still to come",
}


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place not in _PLACES or text.is_template:
            continue
        where, written = outline.document.origin_of(text.scalar), text.scalar.text
        time = _time(text.scalar)
        if time is None:
            yield finding(where, RULE.id, f'"{written}" is no ISO 8601 time', "write it like 2026-12-03T10:00+11:00")
        elif time.tzinfo is None and text.place != "delay.until":
            message = f'"{written}" does not say how far from UTC it is'
            yield finding(where, RULE.id, message, "write it like 2026-12-03T10:00+11:00")
        elif settings.now is not None and time.tzinfo is not None and time <= settings.now:
            yield finding(where, RULE.id, f'"{written}" is past', _PLACES[text.place])
    for step in outline.steps:
        for key, node in step.actions:
            if key.text in ("reply", "send_sms") and isinstance(node, Mapping):
                yield from _order(outline, node)


def has_times(outline: Outline) -> bool:
    """Whether the flow has a time written out: such a flow may have no finding today and one tomorrow."""
    return any(text.place in _PLACES and not text.is_template for text in outline.texts)


def _order(outline: Outline, node: Mapping) -> Iterator[Diagnostic]:
    expiry = node.get("message_expiry_timestamp")
    first, last = _time(node.get("scheduled")), _time(expiry)
    if first and last and expiry and first.tzinfo and last.tzinfo and last <= first:
        message = "the message expires before it is sent"
        hint = "message_expiry_timestamp must be later than scheduled"
        yield finding(outline.document.origin_of(expiry), RULE.id, message, hint)


def _time(node: Node | None) -> datetime | None:
    try:
        return datetime.fromisoformat(node.text) if isinstance(node, Scalar) else None
    except ValueError:
        return None


RULE = Rule(
    id="timestamp",
    reason="A time without its offset means another moment on every machine, and what is past cannot be sent.",
    failing="""\
on: inbound_sms
steps:
  - reply: {message: Good morning, scheduled: 2026-12-03T10:00}
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: {message: Good morning, scheduled: 2026-12-03T10:00+11:00}
""",
    check=_check,
)
