"""YAML nodes with their places, and the document that they stand in.

Positions are character offsets into the document's text; `Document` turns them into lines and columns of the file.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec

from sinchflow.model.origin import Origin

_LINE_END = re.compile(r"\r\n|\r|\n")


class Scalar(msgspec.Struct, frozen=True):
    """One value. `text` is its spelling (escapes decoded), `value` what YAML 1.2 core makes of it."""

    text: str
    value: str | int | float | bool | None
    style: str  #: "" plain, `'`, `"`, `|` or `>`
    start: int  #: where it begins, quotes included, anchors not
    end: int

    @property
    def is_text(self) -> bool:
        """Whether it can stand where a text is expected: anything but null."""
        return self.value is not None


class Sequence(msgspec.Struct, frozen=True):
    """A list of nodes."""

    items: tuple["Node", ...]
    start: int
    end: int


class Mapping(msgspec.Struct, frozen=True):
    """Keys and values in order, each key once."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    start: int
    end: int
    by_name: dict[str, "tuple[Scalar, Node]"] = {}

    def entry(self, name: str) -> "tuple[Scalar, Node] | None":
        """Key and value by the key's text."""
        return self.by_name.get(name)

    def get(self, name: str) -> "Node | None":
        """The value of a key, None when the key is absent."""
        found = self.by_name.get(name)
        return found[1] if found is not None else None


Node = Scalar | Sequence | Mapping


class Document:
    """One YAML document: its text, where in which file it begins, and its root node (None when it is empty)."""

    def __init__(self, file: str, line: int, text: str, digest: str) -> None:
        self.file = file
        self.line = line
        self.text = text
        self.digest = digest
        self.root: Node | None = None

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets at which the lines begin; lines end as in `diagnostic.split_lines`."""
        return [0, *(found.end() for found in _LINE_END.finditer(self.text))]

    def origin(self, start: int, end: int | None = None) -> Origin:
        """The place of a range; the mark ends with its first line."""
        row = bisect_right(self.line_starts, start) - 1
        first = self.line_starts[row]
        stop = start + 1 if end is None else end
        if row + 1 < len(self.line_starts) and stop >= self.line_starts[row + 1]:
            stop = first + len(self.source_line(start))
        return Origin(self.file, self.line + row, start - first + 1, max(1, stop - start))

    def origin_of(self, node: Node) -> Origin:
        """The place of a node: all of a scalar's first line, the first character of a list or mapping."""
        return self.origin(node.start, node.end if isinstance(node, Scalar) else None)

    def source_line(self, start: int) -> str:
        """The whole line that an offset is on, without its end."""
        row = bisect_right(self.line_starts, start) - 1
        stop = self.line_starts[row + 1] if row + 1 < len(self.line_starts) else len(self.text)
        return self.text[self.line_starts[row] : stop].rstrip("\r\n")


def plain(node: Node | None) -> Any:
    """The node as dicts, lists and values, for the schema."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key.text: plain(value) for key, value in node.entries}
        case None:
            return None


def items_of(node: Node | None) -> Iterator[Node]:
    """The items of a list; a single node stands for a list of one; nothing for None."""
    if isinstance(node, Sequence):
        yield from node.items
    elif node is not None:
        yield node
