"""Numbers, times, durations and patterns of transcript tests that are none."""

import re
from collections.abc import Iterator
from datetime import datetime

from sinchflow.expression.durations import LONGEST, parse_duration
from sinchflow.expression.numbers import to_e164
from sinchflow.expression.pattern import regex_fault
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.rules.rule import Stage, TranscriptRule
from sinchflow.language.suggest import nearest
from sinchflow.language.transcript import ScriptStep, Transcript, TranscriptFile

_DURATION = re.compile(r"[0-9]+(?:ms|s|m|h|d)")
#: Keys of steps that hold numbers of people, by verb.
_PEOPLE = {"in": ("from",), "out": ("to",), "receipt": ("to",), "start": ("contact",)}


def _check(file: TranscriptFile, stage: Stage) -> Iterator[Diagnostic]:
    country = stage.settings.country
    for key, node in (*file.given("contact"), *file.entries("numbers")):
        number = node.get("number") if isinstance(node, Mapping) else node
        if isinstance(node, Mapping) and number is None:
            hint = "add number: +61491570156"
            yield finding(file.at(key), RULE.id, "the contact has no number", hint)
        yield from _number(file, number, country, file.people if key.text == "contact" else frozenset())
    for _, listed in file.given("opted_out"):
        for number in items_of(listed):
            yield from _number(file, number, country, file.people)
    for step in file.steps:
        for name in _PEOPLE.get(step.verb, ()):
            for number in step.texts(name):
                yield from _number(file, number, country, file.people)
        yield from _pattern(file, step)
        yield from _duration(file, step)
    for _, node in file.given("now"):
        yield from _time(file, node)
    for test in file.tests:
        yield from _times(file, test)


def _number(
    file: TranscriptFile, node: Node | None, country: str | None, people: frozenset[str]
) -> Iterator[Diagnostic]:
    if isinstance(node, Scalar) and node.is_text and node.text not in people and not to_e164(node.text, country):
        near = nearest(node.text, people)
        hint = f'did you mean "{near}"?' if near else "write it as +61491570156, or name it under numbers:"
        edits = meant(file.at(node), node.text, people)
        yield finding(file.at(node), RULE.id, f'"{node.text}" is no phone number', hint, edits=edits)


def _pattern(file: TranscriptFile, step: ScriptStep) -> Iterator[Diagnostic]:
    for pattern in step.texts("matches"):
        if reason := (regex_fault(pattern.text) or "").removesuffix(f": {pattern.text}"):
            message = f'the pattern "{pattern.text}" cannot be used: {reason}'
            yield finding(file.at(pattern), RULE.id, message, "patterns are RE2")


def _duration(file: TranscriptFile, step: ScriptStep) -> Iterator[Diagnostic]:
    """The schema has seen that it is written as one."""
    respond = step.get("respond")
    places = [step.value if step.verb in ("advance", "silence") else None]
    places.append(respond.get("delay") if isinstance(respond, Mapping) else None)
    for node in places:
        if isinstance(node, Scalar) and _DURATION.fullmatch(node.text) and parse_duration(node.text) is None:
            yield finding(file.at(node), RULE.id, f'"{node.text}" is too long', f"at most {LONGEST.days}d")


def _times(file: TranscriptFile, test: Transcript) -> Iterator[Diagnostic]:
    """Times to which the script goes on, one after the other."""
    given = test.node.get("now") or file.root.get("now")
    last = _read(given) if isinstance(given, Scalar) else None
    for step in test.steps:
        if step.verb != "now" or not isinstance(step.value, Scalar):
            continue
        yield from _time(file, step.value)
        time = _read(step.value)
        if time and last and bool(time.tzinfo) is bool(last.tzinfo) and time < last:
            message = f"{step.value.text} is before {last.isoformat(timespec='minutes')}, which it has been already"
            yield finding(file.at(step.value), RULE.id, message, "time goes forward only")
        last = time or last


def _time(file: TranscriptFile, node: Node) -> Iterator[Diagnostic]:
    if isinstance(node, Scalar) and node.is_text and _read(node) is None:
        message, hint = f'"{node.text}" is no ISO 8601 time', "write it like 2026-12-03T10:00+11:00"
        yield finding(file.at(node), RULE.id, message, hint)


def _read(node: Scalar) -> datetime | None:
    try:
        return datetime.fromisoformat(node.text)
    except ValueError:
        return None


_FLOW = """\
# file: flows/hours.yaml
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8 to 6.
# file: flows/hours.test.yaml
flow: hours
"""
_TESTS = """\
tests:
  - name: answers HOURS
    script:
      - in: Hours?
      - out: We are open from 8 to 6.
"""

RULE = TranscriptRule(
    id="test-value",
    reason="A test needs times and numbers that exist, as the flow does.",
    failing=_FLOW + "now: tomorrow at nine\n" + _TESTS,
    corrected=_FLOW + "now: 2026-12-01T09:00+11:00\n" + _TESTS,
    check=_check,
)
