"""A template or condition that cannot be read."""

import re
from collections.abc import Iterator

from sinchflow.expression.inspection import Fault
from sinchflow.language.diagnostic import Diagnostic, Edit, finding
from sinchflow.language.fix import meant, operators, put
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings

_BRACES = re.compile(r"\s*(?P<opening>\{\{-?)(?P<inner>[^{}]*)\}\}\s*")


def faults(outline: Outline, rule: str) -> Iterator[Diagnostic]:
    """What the expression language finds wrong under one rule's id, at its place in the file."""
    for text, inspection in outline.inspections:
        for fault in inspection.faults:
            if fault.rule == rule:
                where = outline.at(text, fault.offset, fault.length)
                yield finding(where, rule, fault.message, fault.hint, edits=_edits(outline, text, fault))


def _edits(outline: Outline, text: TextUse, fault: Fault) -> tuple[Edit, ...]:
    from sinchflow.expression import filters
    from sinchflow.expression.inspect import inspect_condition, inspect_template

    source = text.scalar.text
    written = source[fault.offset : fault.offset + fault.length]
    match fault.rule:
        case "unknown-filter":
            return meant(outline.at(text, fault.offset, fault.length), written, filters.NAMES)
        case "unknown-test":
            return meant(outline.at(text, fault.offset, fault.length), written, filters.TESTS)
        case "template-syntax" if text.is_condition and (found := _BRACES.fullmatch(source)):
            inner = found["inner"].removesuffix("-").strip()
            begin = source.index(inner, found.start("inner"))
            braces = ((found.start("opening"), begin), (begin + len(inner), found.end("inner") + 2))
            parts = [(at, source[at:end], "") for at, end in braces]
        case "template-syntax":
            parts = [(fault.offset + at, sign, word) for at, sign, word in operators(written)]
        case _:
            return ()
    inspect = inspect_condition if text.is_condition else inspect_template
    is_signs = bool(parts) and parts[0][2] != ""
    if is_signs and len(inspect(_with(source, parts)).faults) >= len(inspect(source).faults):
        return ()
    edits = [put(outline.at(text, at, len(old)), old, new) for at, old, new in parts]
    return tuple(edit for each in edits for edit in each) if edits and all(edits) else ()


def _with(source: str, parts: list[tuple[int, str, str]]) -> str:
    for at, old, new in reversed(parts):
        source = f"{source[:at]}{new}{source[at + len(old) :]}"
    return source


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
