"""Durations, forms of times and of numbers that a filter is given and cannot use."""

import re
from collections.abc import Iterator

from sinchflow.expression.durations import parse_duration
from sinchflow.expression.numbers import FORMS
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import as_duration, meant, respelled
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean

#: Filters whose first argument is a word of ours, where it is written out.
_CALL = re.compile(
    r"""\|\s*(plus|minus|local|phone)\(\s*(?:(?:duration|form)\s*=\s*)?(?:'([^'\\]*)'|"([^"\\]*)")\s*\)"""
)
_MARKS = ("plus(", "minus(", "local(", "phone(")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        source = text.scalar.text
        if "|" in source and any(mark in source for mark in _MARKS) and (text.is_condition or text.is_rendered):
            for found in _CALL.finditer(source):
                group = 2 if found[2] is not None else 3
                message, hint = _fault(found[1], found[group])
                if message and (text.is_condition or _is_in_hole(source, found.start())):
                    where = outline.at(text, found.start(group), max(len(found[group]), 1))
                    mended = respelled(where, found[group], as_duration(found[group]))
                    edits = {"phone": meant(where, found[group], FORMS), "local": ()}.get(found[1], mended)
                    yield finding(where, RULE.id, message, hint, edits=edits)


def _is_in_hole(source: str, at: int) -> bool:
    return max(source.rfind("{{", 0, at), source.rfind("{%", 0, at)) > max(
        source.rfind("}}", 0, at), source.rfind("%}", 0, at)
    )


def _fault(name: str, given: str) -> tuple[str, str]:
    match name:
        case "plus" | "minus" if parse_duration(given) is None:
            mended = as_duration(given)
            hint = f"write '{mended}'" if mended and parse_duration(mended) else "write it as 30s, 15m, 24h or 2d"
            return f'"{given}" is no duration', hint
        case "local" if "%" not in given:
            hint = "%d %m %Y are day, month and year, %H:%M the time, %a and %b the names of day and month"
            return f'"{given}" has no part of a time in it, and would be sent as it stands', hint
        case "phone" if given not in FORMS:
            return f'"{given}" is no form of a number', did_you_mean(given, FORMS, "forms")
        case _:
            return "", ""


RULE = Rule(
    id="filter-argument",
    reason="A duration that cannot be read fails the step; a time's form without % codes is sent as it stands.",
    failing="""\
on: inbound_sms
steps:
  - reply: "We answer before {{ now() | plus('4 hours') | local('%H:%M') }}."
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "We answer before {{ now() | plus('4h') | local('%H:%M') }}."
""",
    check=_check,
)
