"""Filters, operators and items that a value of this type does not have."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean

_RULES = ("filter-type", "operand-type", "unknown-item")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, remark in outline.remarks:
        if remark.rule in _RULES:
            word = text.scalar.text[remark.start : remark.end]
            hint = did_you_mean(word, remark.known, "it has") if remark.known else remark.hint
            where = outline.at(text, remark.start, len(word))
            edits = meant(where, word, remark.known) if remark.known else ()
            yield finding(where, RULE.id, remark.message, hint, edits=edits)


RULE = Rule(
    id="value-type",
    reason="A text has no fields, is not larger than a number, and cannot be rounded: the step would fail every time.",
    failing="""\
on: inbound_sms
steps:
  - if: now() | local("%H") >= 18
    reply: We are closed.
""",
    corrected="""\
on: inbound_sms
steps:
  - if: now() | local("%H") | int >= 18
    reply: We are closed.
""",
    check=_check,
)
