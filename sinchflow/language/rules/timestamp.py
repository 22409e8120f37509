"""Times that the provider cannot read."""

from collections.abc import Iterator
from datetime import datetime

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_PLACES = ("send.scheduled", "send.message_expiry_timestamp")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place not in _PLACES or text.is_template:
            continue
        where = outline.document.origin_of(text.scalar)
        hint = "write it like 2026-12-03T10:00+11:00"
        try:
            time = datetime.fromisoformat(text.scalar.text)
        except ValueError:
            yield finding(where, RULE.id, f'"{text.scalar.text}" is no ISO 8601 time', hint)
            continue
        if time.tzinfo is None:
            yield finding(where, RULE.id, f'"{text.scalar.text}" does not say how far from UTC it is', hint)


RULE = Rule(
    id="timestamp",
    reason="A time without its offset means another moment on every machine.",
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
