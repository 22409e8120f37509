"""Calendars of the project file that say nothing sensible: spans, days, regions and dates that there are not."""

import re
from collections.abc import Iterator

from sinchflow.expression.days import read_date, region_fault
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.week import DAYS, days_of, read_span
from sinchflow.language.zones import zone_fault
from sinchflow.model.origin import Origin

_DAY = re.compile(rf"(?:{'|'.join(DAYS)})(?:-(?:{'|'.join(DAYS)}))?")
_SPAN = re.compile(r"[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}")
#: A text that was meant to be a date rather than a path.
_LIKE_DATE = re.compile(r"[0-9][0-9./ -]*")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    calendars = outline.root.get("calendars")
    for _, node in calendars.entries if isinstance(calendars, Mapping) else ():
        if isinstance(node, Mapping):
            for place, message, hint in _faults(outline, node):
                yield finding(place, RULE.id, message, hint)


def _faults(outline: Outline, node: Mapping) -> Iterator[tuple[Origin, str, str]]:
    at = outline.document.origin_of
    weekly, holidays, zone = node.get("weekly"), node.get("holidays"), node.get("timezone")
    if isinstance(weekly, Mapping):
        yield from _week(outline, weekly)
    if isinstance(holidays, Scalar) and isinstance(holidays.value, str) and (fault := region_fault(holidays.text)):
        message, _, hint = fault.partition("; ")
        yield at(holidays), message, hint
    if isinstance(zone, Scalar) and isinstance(zone.value, str):
        message, hint = zone_fault(zone.text)
        if message:
            yield at(zone), message, hint
    for day in _dates(node.get("closed")):
        if read_date(day.text) is None:
            yield at(day), f'"{day.text}" is no date', "write it as 2026-12-24"


def _week(outline: Outline, weekly: Mapping) -> Iterator[tuple[Origin, str, str]]:
    known: dict[int, str] = {}
    for key, spans in weekly.entries:
        days = tuple(days_of(key.text)) if _DAY.fullmatch(key.text) else ()
        twice = next((day for day in days if day in known), None)
        if twice is not None:
            message = f'{DAYS[twice]} is given twice: in "{known[twice]}" and in "{key.text}"'
            hint = f"give it once; several spans of a day are a list: {key.text}: [09:00-12:00, 13:00-17:00]"
            yield outline.document.origin_of(key), message, hint
        known |= dict.fromkeys(days, key.text)
        for span in items_of(spans):
            if isinstance(span, Scalar) and _SPAN.fullmatch(span.text):
                begin, end = read_span(span.text)
                if begin == end:
                    hint = "the whole day is 00:00-24:00; a day that is closed is left out"
                    yield outline.document.origin_of(span), f'"{span.text}" ends when it begins', hint


def _dates(node: Node | None) -> Iterator[Scalar]:
    """What is meant to be a date: every item of a list, and a text alone that looks like one."""
    for item in items_of(node):
        if (
            isinstance(item, Scalar)
            and isinstance(item.value, str)
            and (item is not node or _LIKE_DATE.fullmatch(item.text))
        ):
            yield item


RULE = Rule(
    id="calendar-parts",
    reason="Hours that are read differently than they were meant tell customers to come to a closed door.",
    failing="""\
calendars:
  office:
    weekly: {mon-fri: 08:00-18:00, fri: 08:00-16:00}
    holidays: AU-MELB
""",
    corrected="""\
calendars:
  office:
    weekly: {mon-thu: 08:00-18:00, fri: 08:00-16:00}
    holidays: AU-VIC
""",
    check=_check,
    applies_to="project",
)
