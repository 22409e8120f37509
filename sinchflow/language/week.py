"""A calendar of the project file: its week, and which of its days are closed. Takes checked nodes."""

from collections.abc import Iterator
from typing import cast

from sinchflow.expression.days import read_date
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence
from sinchflow.language.spellings import word, words
from sinchflow.model.project import Calendar

#: In order: Monday is 0.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def build_calendar(node: Mapping) -> Calendar:
    """The calendar that a checked mapping describes."""
    weekly = cast(Mapping, node.get("weekly"))
    holidays, timezone = node.get("holidays"), node.get("timezone")
    return Calendar(
        weekly={day: tuple(map(read_span, words(spans))) for key, spans in weekly.entries for day in days_of(key.text)},
        holidays=None if holidays is None else word(holidays),
        closed=tuple(each.text for each in closed_days(node.get("closed"))),
        closed_file=closed_file(node.get("closed")),
        timezone=None if timezone is None else word(timezone),
    )


def days_of(name: str) -> Iterator[int]:
    """The weekdays of `sat` or `mon-fri`; `fri-mon` goes over the end of the week."""
    first, _, last = name.partition("-")
    begin = DAYS.index(first)
    for ahead in range((DAYS.index(last or first) - begin) % 7 + 1):
        yield (begin + ahead) % 7


def read_time(text: str) -> int:
    """Minutes after midnight of `21:00`; `24:00` is the end of the day."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def read_span(text: str) -> tuple[int, int]:
    """Begin and end of `08:00-18:00`, in minutes after midnight."""
    begin, _, end = text.partition("-")
    return read_time(begin), read_time(end)


def closed_days(node: Node | None) -> Iterator[Scalar]:
    """The dates under `closed`: a list of them, or one."""
    if isinstance(node, Sequence):
        yield from (cast(Scalar, item) for item in node.items)
    elif isinstance(node, Scalar) and read_date(node.text) is not None:
        yield node


def closed_file(node: Node | None) -> str | None:
    """The path under `closed`: a text that is no date."""
    return node.text if isinstance(node, Scalar) and read_date(node.text) is None else None
