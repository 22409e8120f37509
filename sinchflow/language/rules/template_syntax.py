"""A template or condition that cannot be read."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def faults(outline: Outline, rule: str) -> Iterator[Diagnostic]:
    """What the expression language finds wrong under one rule's id, at its place in the file."""
    for text, inspection in outline.inspections:
        for fault in inspection.faults:
            if fault.rule == rule:
                yield finding(outline.at(text, fault.offset, fault.length), rule, fault.message, fault.hint)


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    yield from faults(outline, RULE.id)


RULE = Rule(
    id="template-syntax",
    reason="A text with a broken template cannot be rendered, so the step would fail for every message.",
    failing="""\
on: inbound_sms
steps:
  - reply: "You wrote {{ event.content }"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "You wrote {{ event.content }}"
""",
    check=_check,
    applies_to="both",
)
