"""What a text with holes may become: the ways through its branches, how each travels, and in how many parts.

What a hole will hold is not known before it is sent. Counted are one plain character at least, and at most what its
last filter or its name lets through (`_FILTERS`, `_NAMES`); what a flow remembers of a person and the cells of a list
count as 20 characters. Everything else may be of any length.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import msgspec

from sinchflow.expression.gsm7 import ALPHABET, encoding_of, split
from sinchflow.language.nodes import Scalar
from sinchflow.language.walk import DEFAULT_ITEM

if TYPE_CHECKING:
    from jinja2 import nodes

    from sinchflow.language.outline import Outline

#: Holes and tags of one text, above which its ways are not followed: it would take too long.
_MOST_HOLES = 1_000
#: Ways that are told apart.
_MOST_WAYS = 32
#: Characters of a name, or of another short text of a person or a list.
ASSUMED = 20
#: Characters that a filter leaves at most, where it takes no number.
_FILTERS = {
    "phone": 20, "int": 12, "float": 16, "round": 16, "length": 6, "timestamp": 16, "local": 30, "mask": 20, "abs": 16,
}  # fmt: skip
#: Characters of what is short by itself, by the beginning of its name.
_NAMES = {
    "contact.number": 16, "our_number": 16, "event.source_address": 16, "event.destination_address": 16,
    "event.message_id": 36, "event.status": 20, "match.keyword": ASSUMED, "match.flow": ASSUMED, "run.id": 12,
    "flow.name": ASSUMED, "contact": ASSUMED, "lists": ASSUMED,
}  # fmt: skip


class Literal(msgspec.Struct, frozen=True):
    """Characters that stand in the text itself, from `offset` on."""

    text: str
    offset: int


class Hole(msgspec.Struct, frozen=True):
    """What is filled in. most: characters, None where there may be any number."""

    most: int | None = None


#: What the text is when its branches are taken in one certain way.
Way = tuple[Literal | Hole, ...]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a text may cost. characters, parts: least and most; the most is None where a hole has no bound.

    unicode: the first character that forbids GSM-7, and its offset. is_always: whichever way is taken.
    """

    characters: tuple[int, int | None]
    parts: tuple[int, int | None]
    unicode: tuple[str, int] | None = None
    is_always: bool = True


def ways_of(outline: "Outline", source: str) -> list[Way]:
    """The ways through a text; none when it is no template that can be read, or has very many holes."""
    if "{" not in source or not any(mark in source for mark in ("{{", "{%", "{#")):
        return [(Literal(source, 0),)]
    if source.count("{{") + source.count("{%") > _MOST_HOLES:
        return []
    body = outline.trees(source, is_condition=False)
    return _Reading(_NAMES | dict.fromkeys(_cells(outline), ASSUMED)).through(body) if body else []


def text_of(way: Way, least: int = 1, *, is_most: bool = False) -> str:
    """The text with x's in its holes: as many as they hold at least, or at most as far as that is known."""
    return "".join(
        piece.text if isinstance(piece, Literal) else "x" * ((piece.most or least) if is_most else least)
        for piece in way
    )


def estimate(ways: Sequence[Way]) -> Estimate:
    """What the ways, at least one, cost."""
    least = [text_of(way) for way in ways]
    most = [text_of(way, is_most=True) for way in ways]
    bounded = all(isinstance(piece, Literal) or piece.most is not None for way in ways for piece in way)
    found = [foreign for way in ways if (foreign := first_unicode(way)) is not None]
    return Estimate(
        characters=(min(map(len, least)), max(map(len, most)) if bounded else None),
        parts=(min(len(split(text)) for text in least), max(len(split(text)) for text in most) if bounded else None),
        unicode=min(found, key=lambda each: each[1]) if found else None,
        is_always=len({encoding_of(text) for text in least}) == 1,
    )


def first_unicode(way: Way) -> tuple[str, int] | None:
    """The first character of the way's own text that is not of the GSM alphabet, and its offset."""
    for piece in way:
        if isinstance(piece, Literal) and not ALPHABET.issuperset(piece.text):
            at = next(index for index, character in enumerate(piece.text) if character not in ALPHABET)
            return piece.text[at], piece.offset + at
    return None


class _Reading:
    """Reads syntax trees. names: of what is short by itself, with its characters at most."""

    def __init__(self, names: dict[str, int]) -> None:
        self._names = names

    def through(self, body: "Sequence[nodes.Node]") -> list[Way]:
        """Ways through a body; of a loop, one round."""
        from jinja2 import nodes

        found: list[Way] = [()]
        for node in body:
            further: list[Way]
            match node:
                case nodes.Output():
                    further = [()]
                    for each in node.nodes:
                        further = _joined(further, self._shapes(each))
                case nodes.If():
                    arms = [node.body, *(each.body for each in node.elif_), node.else_]
                    further = [way for arm in arms for way in self.through(arm)]
                case nodes.For():
                    further = self.through(node.body)
                case _:
                    continue
            found = _joined(found, further)
        return found

    def _shapes(self, node: "nodes.Expr") -> list[Way]:
        """What an expression may be: texts that it writes out, and what can only be filled in."""
        from jinja2 import nodes

        match node:
            case nodes.TemplateData():
                return [(Literal(node.data, node.lineno),)]
            case nodes.Const(value=str() as text):
                return [(Literal(text, node.lineno + 1),)] if text else [()]
            case nodes.CondExpr(expr1=first, expr2=second) if second is not None:
                return self._shapes(first) + self._shapes(second)
            case nodes.Concat():
                ways: list[Way] = [()]
                for each in node.nodes:
                    ways = _joined(ways, self._shapes(each))
                return ways
            case nodes.Filter(name="default" | "d", node=inner) if inner is not None and node.args:
                return self._shapes(inner) + self._shapes(node.args[0])
            case _:
                return [(Hole(self._bound(node)),)]

    def _bound(self, node: "nodes.Node") -> int | None:
        from jinja2 import nodes

        if isinstance(node, nodes.Filter):
            if node.name == "truncate" and node.args and isinstance(node.args[0], nodes.Const):
                given = node.args[0].value
                return given if isinstance(given, int) else None
            inner = None if node.node is None else self._bound(node.node)
            return _FILTERS.get(node.name, inner)
        if isinstance(node, nodes.Const):
            return len(str(node.value))
        name = _dotted(node)
        while name:
            if name in self._names:
                return self._names[name]
            name = name.rpartition(".")[0]
        return None


def _cells(outline: "Outline") -> Iterator[str]:
    """Names of the rows of lists, in loops over them."""
    for loop in outline.loops:
        items, name = loop.get("items"), loop.get("as")
        if isinstance(items, Scalar) and "lists." in items.text:
            yield name.text if isinstance(name, Scalar) else DEFAULT_ITEM


def _joined(before: list[Way], after: list[Way]) -> list[Way]:
    """Each way of one after each of the other; of very many the shortest and the longest."""
    ways = [first + second for first, second in product(before, after)]
    if len(ways) <= _MOST_WAYS:
        return ways
    ways.sort(key=lambda way: sum(len(piece.text) if isinstance(piece, Literal) else 1 for piece in way))
    return ways[: _MOST_WAYS // 2] + ways[-_MOST_WAYS // 2 :]


def _dotted(node: "nodes.Node") -> str:
    from jinja2 import nodes

    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr():
            return f"{_dotted(node.node)}.{node.attr}"
        case nodes.Getitem():
            return _dotted(node.node)
        case _:
            return ""
