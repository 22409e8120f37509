"""Conditions, and parts of them, that are always true or never."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, remark in outline.remarks:
        if remark.rule == "constant":
            origin = outline.at(text, remark.start, remark.end - remark.start)
            yield finding(origin, RULE.id, remark.message, remark.hint, "warning")


RULE = Rule(
    id="constant-condition",
    reason="A condition that is always true or false decides nothing: the step always runs, or never does.",
    failing="""\
on: inbound_sms
steps:
  - if: event.content == "yes" or "y"
    reply: You are booked.
""",
    corrected="""\
on: inbound_sms
steps:
  - if: event.content in ["yes", "y"]
    reply: You are booked.
""",
    check=_check,
)
