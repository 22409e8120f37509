"""What checked scalars spell."""

from datetime import timedelta
from typing import cast

from sinchflow.expression.durations import parse_duration
from sinchflow.language.nodes import Node, Scalar, items_of


def word(node: Node) -> str:
    """A scalar's spelling."""
    return cast(Scalar, node).text


def words(node: Node | None) -> tuple[str, ...]:
    """The spellings of a list, or of one scalar."""
    return tuple(word(item) for item in items_of(node))


def duration(node: Node | None) -> timedelta:
    """The duration that a checked scalar spells."""
    return cast(timedelta, parse_duration(word(cast(Scalar, node))))
