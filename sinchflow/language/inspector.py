"""What stands in templates and conditions, found out once for every expression however many flows use it.

A template's `{{ holes }}` are independent of each other, so each is inspected for itself, and known again elsewhere.
"""

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sinchflow.expression.inspection import Fault, Inspection, Use, inspect_plain

if TYPE_CHECKING:
    import jinja2

_Found = TypeVar("_Found", Fault, Use)

#: Expressions remembered; some 1 kB each.
_CAPACITY = 20_000
#: Syntax trees remembered; some 5 kB each.
_TREES = 4_000

_HOLE = re.compile(r"""\{\{(?:[^'"{}]|'[^'\\{}]*'|"[^"\\{}]*")*\}\}""")
_MARK = re.compile(r"\{\{|\{%|\{#|\}\}|%\}|#\}")
#: Holes that the names in them say all about: a name with two items at most, perhaps with a default.
_PLAIN = re.compile(r"\{\{-?\s*\w+(?:\.\w+){0,2}\s*(?:\|\s*default\([^()|]*\)\s*)?-?\}\}")
_DEEP = re.compile(r"\{\{-?\s*event\.\w+\.")


class Inspector:
    """Inspections by source text; shared by all documents of a check and by later checks."""

    def __init__(self) -> None:
        self._known: dict[tuple[bool, str], Inspection] = {}
        self._trees: dict[tuple[bool, str], list[jinja2.nodes.Node]] = {}

    def condition(self, source: str) -> Inspection:
        """What a bare expression names, and what is wrong with it."""
        return self._look(True, source)

    def template(self, source: str) -> Inspection:
        """What a text with holes names, and what is wrong with it."""
        holes = list(_HOLE.finditer(source))
        if not holes or _MARK.search(_HOLE.sub("", source)):
            return self._look(False, source)
        parts = [(hole.start(), self._look(False, hole[0])) for hole in holes]
        if len(parts) == 1 and parts[0][0] == 0:
            return parts[0][1]
        return Inspection(
            faults=tuple(_moved(fault, at) for at, part in parts for fault in part.faults),
            uses=tuple(_moved(use, at) for at, part in parts for use in part.uses),
        )

    def trees(self, source: str, *, is_condition: bool) -> "list[jinja2.nodes.Node]":
        """Syntax trees with places (`expression.placed`); callers do not change them."""
        found = self._trees.get((is_condition, source))
        if found is None:
            from sinchflow.expression.placed import expressions

            if len(self._trees) >= _TREES:
                self._trees.clear()
            found = self._trees[is_condition, source] = expressions(source, is_condition=is_condition)
        return found

    def _look(self, is_condition: bool, source: str) -> Inspection:
        found = self._known.get((is_condition, source))
        if found is None:
            if len(self._known) >= _CAPACITY:
                self._known.clear()
            found = None if is_condition else inspect_plain(source)
            found = found or _read(source, is_condition=is_condition)
            self._known[is_condition, source] = found
        return found


def says_all(template: str) -> bool:
    """Whether the names in a template, or in one hole of it, say all that can be said of it."""
    if "{%" in template or "{#" in template:
        return False
    return all(_PLAIN.fullmatch(hole[0]) and not _DEEP.match(hole[0]) for hole in _HOLE.finditer(template))


def _read(source: str, *, is_condition: bool) -> Inspection:
    """The inspection by Jinja, which takes as long to import as the rest of a small check: not all flows need it."""
    from sinchflow.expression.inspect import inspect_condition, inspect_template

    return inspect_condition(source) if is_condition else inspect_template(source)


def _moved(item: _Found, by: int) -> _Found:
    return msgspec.structs.replace(item, offset=item.offset + by)
