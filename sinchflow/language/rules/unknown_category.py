"""A condition that compares an answer's category with one that the wait does not have."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.nodes import Mapping
from sinchflow.language.outline import Outline, StepView
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean

_ONE = re.compile(r"""\s*[!=]=\s*(['"])(.*?)\1""")
_SEVERAL = re.compile(r"""\s*(?:not\s+)?in\s*[\[(]([^\])]*)[\])]""")
_QUOTED = re.compile(r"""(['"])(.*?)\1""")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    ids = outline.ids()
    for text, use in outline.uses("steps"):
        known = _categories(ids.get(use.path[1])) if len(use.path) == 3 and use.path[2] == "category" else None
        if known is None:
            continue
        for at, name in _compared(text.scalar.text, use.offset + use.length):
            if name not in known:
                message = f'the answer of "{use.path[1]}" is never called "{name}"'
                where = outline.at(text, at, len(name))
                yield finding(where, RULE.id, message, did_you_mean(name, known), edits=meant(where, name, known))


def _categories(step: StepView | None) -> tuple[str, ...] | None:
    """What `category` of a wait can be; None where that is not known."""
    if step is None or step.action != "wait_for_reply":
        return None
    node = step.actions[0][1]
    if not isinstance(node, Mapping):
        return None
    categories = node.get("categories")
    if categories is None:
        return ("reply", "timeout")
    if not isinstance(categories, Mapping):
        return None
    return (*(key.text for key, _ in categories.entries), "other", "timeout")


def _compared(source: str, at: int) -> Iterator[tuple[int, str]]:
    """The texts that what ends before `at` is compared with, and where they stand."""
    if one := _ONE.match(source, at):
        yield one.start(2), one[2]
    elif several := _SEVERAL.match(source, at):
        for each in _QUOTED.finditer(source, several.start(1), several.end(1)):
            yield each.start(2), each[2]


RULE = Rule(
    id="unknown-category",
    reason="A branch for a category that no answer has is never taken.",
    failing="""\
on: inbound_sms
steps:
  - id: answer
    wait_for_reply: {timeout: 1h, categories: {confirmed: {answer: yes}}}
  - if: steps.answer.category == "confirm"
    stop: all is well
""",
    corrected="""\
on: inbound_sms
steps:
  - id: answer
    wait_for_reply: {timeout: 1h, categories: {confirmed: {answer: yes}}}
  - if: steps.answer.category == "confirmed"
    stop: all is well
""",
    check=_check,
)
