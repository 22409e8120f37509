"""`{{ 'a' if b }}` without `else`."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, remark in outline.remarks:
        if remark.rule == "no-else":
            origin = outline.at(text, remark.start, remark.end - remark.start)
            yield finding(origin, RULE.id, remark.message, remark.hint, "warning")


RULE = Rule(
    id="missing-else",
    reason="A hole that has nothing to say fails its step, also where nothing was meant: else '' says so.",
    failing="""\
on: inbound_sms
steps:
  - reply: "Thank you{{ ' for the picture' if event.type == 'MMS' }}!"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "Thank you{{ ' for the picture' if event.type == 'MMS' else '' }}!"
""",
    check=_check,
)
