"""Text filters that no message can match."""

from collections.abc import Iterator

from sinchflow.expression.pattern import words
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_FILTERS = ("keyword", "exact", "contains", "starts_with", "answer")
_OWNERS = ("inbound_sms", "category")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        trigger, _, name = text.place.partition(".")
        if trigger not in _OWNERS or name not in _FILTERS or text.is_template:
            continue
        where = outline.document.origin_of(text.scalar)
        count = len(list(words(text.scalar.text)))
        if not count and name in ("contains", "starts_with", "keyword"):
            yield finding(where, RULE.id, f'{name} "{text.scalar.text}" has no word in it', "use regex for signs")
        elif count > 1 and name == "keyword":
            message = f'keyword "{text.scalar.text}" has {count} words, but a keyword is the first word of a message'
            yield finding(where, RULE.id, message, f"use starts_with: {text.scalar.text}")


RULE = Rule(
    id="keyword",
    reason="A keyword is compared with the first word of the message, so two words never match.",
    failing="""\
on:
  inbound_sms:
    keyword: OPENING HOURS
steps:
  - reply: We are open.
""",
    corrected="""\
on:
  inbound_sms:
    starts_with: OPENING HOURS
steps:
  - reply: We are open.
""",
    check=_check,
)
