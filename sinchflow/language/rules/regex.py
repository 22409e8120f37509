"""A pattern that RE2 refuses."""

from collections.abc import Iterator

from sinchflow.expression.pattern import regex_fault
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place not in ("inbound_sms.regex", "category.regex"):
            continue
        reason = (regex_fault(text.scalar.text) or "").removesuffix(f": {text.scalar.text}")
        if reason:
            message = f'the pattern "{text.scalar.text}" cannot be used: {reason}'
            yield finding(outline.document.origin_of(text.scalar), RULE.id, message, _hint(text.scalar.text))


def _hint(pattern: str) -> str:
    if any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!")):
        return "patterns are RE2, which has no look-around: match what is there, and decide the rest in the flow's if"
    if any(f"\\{digit}" in pattern for digit in "123456789"):
        return "patterns are RE2, which has no back-references"
    return ""


RULE = Rule(
    id="regex",
    reason="Patterns are RE2, which takes time in proportion to the text; it has no look-around or back-references.",
    failing="""\
on:
  inbound_sms:
    regex: 'order (\\d+'
steps:
  - reply: Thank you.
""",
    corrected="""\
on:
  inbound_sms:
    regex: 'order (\\d+)'
steps:
  - reply: Thank you.
""",
    check=_check,
)
