"""What of a flow's names a stranger writes: messages, calls of webhooks without a secret, what is kept of them.

Somebody who knows a webhook's secret is no stranger. Nor is what a filter has made sure of: a keyword of a list, a
group of a pattern that takes nothing but letters and digits, an input of a type that is checked.
"""

import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from sinchflow.expression.inspection import Use
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.walk import DEFAULT_ITEM

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
#: Filters that leave nothing of what a stranger may have meant with his signs.
_PLAIN = r"int|float|round|length|timestamp|phone|local"
_MADE_PLAIN = re.compile(rf"\|\s*(?:{_PLAIN})\b")
_HARMLESS = re.compile(rf"\|\s*(?:urlencode|{_PLAIN})\b")
_OF_MESSAGES = frozenset({"inbound_sms", "opt_out"})
_OF_CALLS = frozenset({"json", "form", "query", "headers", "body"})
_COMPARED = re.compile(r"\s*(?:[=!<>]=|[<>]|(?:not\s+)?in\b|is\b)")
#: Types of inputs that any text fits.
_LOOSE_TYPES = frozenset({"string", "list", "object", ""})
_NO_GROUPS = frozenset({"keyword", "flow", "step", "run"})
#: A pattern that takes letters, digits, `_` and `-` only.
_PLAIN_PATTERN = re.compile(r"(?:\\[dw]|\[(?:[A-Za-z0-9_-]|\\[dw-])+\]|[A-Za-z0-9_|-]|\{\d+(?:,\d*)?\}|[+*?()]|\(\?:)+")
#: How often what is kept is followed: a name, kept under another, kept again.
_FOLLOWED = 3


class Foreign(msgspec.Struct, frozen=True):
    """A hole with a stranger's text in it. start, end: of the hole, in the text's characters."""

    text: TextUse
    use: Use
    start: int
    end: int

    @property
    def name(self) -> str:
        """As it is written."""
        return ".".join(self.use.path)


class Inbound:
    """Tells a stranger's texts of one flow from the others."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        filters = [trigger.filters for trigger in outline.triggers if trigger.kind == "webhook"]
        self.is_open = any(not given or not (given.entry("token") or given.entry("hmac")) for given in filters)
        self._has_texts = not _OF_MESSAGES.isdisjoint(outline.kinds)

    def holes(self, text: TextUse, *, with_encoded: bool = False) -> Iterator[Foreign]:
        """Holes of a text that a stranger fills, and that no filter has made harmless; the first use in each.

        with_encoded: also those that `urlencode` was applied to.
        """
        harmless = _MADE_PLAIN if with_encoded else _HARMLESS
        source = text.scalar.text
        uses = [use for use in self._uses_of(text) if self.is_foreign(use) and not _only_decides(source, use)]
        if not uses:
            return
        for hole in _HOLE.finditer(source):
            inside = [use for use in uses if hole.start() <= use.offset < hole.end()]
            if inside and hole[0].startswith("{{") and not harmless.search(hole[0]):
                yield Foreign(text, inside[0], hole.start(), hole.end())

    def is_foreign(self, use: Use) -> bool:
        """Whether a stranger writes what this name holds."""
        return self._is_foreign(use) or self._kept_as(use) in self._kept

    def _is_foreign(self, use: Use) -> bool:
        match use.path:
            case ("event", "content", *_):
                return self._has_texts
            case ("event", field, *_) if field in _OF_CALLS:
                return self.is_open
            case ("match", name, *_):
                return self._is_loose_group(name)
            case ("steps", name, "reply", "content", *_):
                return self._is_wait(name)
            case ("steps", name, "match", group, *_):
                return self._is_wait(name) and self._is_loose_group(group)
            case _:
                return False

    def _is_wait(self, name: str) -> bool:
        step = self._outline.ids().get(name)
        return step is not None and step.action == "wait_for_reply"

    def _is_loose_group(self, name: str) -> bool:
        if name in _NO_GROUPS:
            return False
        if name == "rest":
            return True
        return any(not _PLAIN_PATTERN.fullmatch(inner) for inner in _group_of(self._patterns, name))

    @cached_property
    def _patterns(self) -> list[str]:
        places = ("inbound_sms.regex", "category.regex")
        return [text.scalar.text for text in self._outline.texts if text.place in places]

    @cached_property
    def _kept(self) -> frozenset[str]:
        """`vars`, inputs, contact fields and items of loops that a stranger's text is put into."""
        found: set[str] = set()
        givers = [
            (name, text, self._uses_of(text))
            for name, text in self._assignments()
            if not _HARMLESS.search(text.scalar.text)
        ]
        for _ in range(_FOLLOWED):
            before = len(found)
            for name, text, uses in givers:
                foreign = (use for use in uses if self._is_foreign(use) or self._kept_as(use) in found)
                if any(not _only_decides(text.scalar.text, use) for use in foreign):
                    found.add(name)
            if len(found) == before:
                break
        return frozenset(found)

    def _assignments(self) -> Iterator[tuple[str, TextUse]]:
        inputs = {
            id(given.get("value")): name
            for name, given in self._outline.inputs.items()
            if _type_of(given.get("type")) in _LOOSE_TYPES
        }
        for text in self._outline.texts:
            if text.key is None or "{{" not in text.scalar.text:
                continue
            if text.place in ("set", "vars"):
                yield f"vars.{text.key.text}", text
            elif text.place == "remember":
                yield f"contact.{text.key.text}", text
            elif text.place == "for_each.items" and id(text.scalar) in self._loops:
                yield f"item.{self._loops[id(text.scalar)]}", text
            elif id(text.scalar) in inputs:
                yield f"inputs.{inputs[id(text.scalar)]}", text

    def _kept_as(self, use: Use) -> str:
        if use.path[0] in ("vars", "inputs", "contact"):
            return ".".join(use.path[:2])
        return f"item.{use.path[0]}" if use.path[0] in self._loops.values() else ""

    @cached_property
    def _loops(self) -> dict[int, str]:
        """The name of each loop's item, by the scalar that gives its items."""
        found: dict[int, str] = {}
        for step in self._outline.steps:
            for key, node in step.actions:
                if key.text == "for_each" and isinstance(node, Mapping):
                    name = node.get("as")
                    found[id(node.get("items"))] = name.text if isinstance(name, Scalar) else DEFAULT_ITEM
        return found

    def _uses_of(self, text: TextUse) -> list[Use]:
        return self._by_text.get(id(text), [])

    @cached_property
    def _by_text(self) -> dict[int, list[Use]]:
        return {id(text): list(inspection.uses) for text, inspection in self._outline.inspections}


def _only_decides(source: str, use: Use) -> bool:
    """Whether the name is compared, or stands in the condition of `a if … else b`: what it holds is not taken over."""
    if _COMPARED.match(source, use.offset + use.length):
        return True
    begin = source.rfind(" if ", 0, use.offset)
    return begin >= 0 and not any(mark in source[begin : use.offset] for mark in (" else ", "}}", "{{"))


def _type_of(node: object) -> str:
    return node.text if isinstance(node, Scalar) else "string" if node is None else "?"


def _group_of(patterns: list[str], name: str) -> Iterator[str]:
    """What stands inside of a named group, in each pattern that has it."""
    for pattern in patterns:
        for mark in (f"(?P<{name}>", f"(?<{name}>"):
            begin = pattern.find(mark)
            if begin < 0:
                continue
            start = begin + len(mark)
            depth, at = 1, start
            while at < len(pattern) and depth:
                if pattern[at] == "\\":
                    at += 1
                elif pattern[at] in "()":
                    depth += 1 if pattern[at] == "(" else -1
                at += 1
            yield pattern[start : at - 1]
