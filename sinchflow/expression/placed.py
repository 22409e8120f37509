"""Syntax trees of templates and conditions whose nodes know where they stand.

Jinja's nodes know their line only. Here every token's line number is its offset in the source instead, so that a
finding about a node points at it. Such trees are for looking at, never for evaluating.
"""

import re
from collections.abc import Iterator

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from sinchflow.expression.sandbox import Sandbox, is_too_deep

_WORD = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


class _Placing(Sandbox):
    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        tokens = self.lexer.tokeniter(source, name, filename, state)
        return TokenStream(self.lexer.wrap(_at_offsets(source, tokens), name, filename), name, filename)


_PLACING = _Placing()


def expressions(source: str, *, is_condition: bool) -> list[nodes.Node]:
    """What is evaluated in a template, or the one expression that a condition is.

    Empty when it does not parse, or goes deeper than templates may.
    """
    try:
        if is_condition:
            found: list[nodes.Node] = [Parser(_PLACING, source, state="variable").parse_expression()]
        else:
            found = list(Parser(_PLACING, source).parse().body)
    except (TemplateSyntaxError, RecursionError, ValueError, OverflowError):
        return []
    return [] if is_too_deep(source, found) else found


def span(node: nodes.Node, source: str) -> tuple[int, int]:
    """Where the node's own words begin and end in its source: from its first name or value to its last."""
    leaves = [each for each in _leaves(node) if each.lineno is not None]
    if not leaves:
        return 0, len(source)
    start = min(each.lineno for each in leaves)
    last = max(each.lineno for each in leaves)
    found = _WORD.match(source, source.find(".", last) + 1 if source[last : last + 1] == "." else last)
    return start, found.end() if found else min(last + 1, len(source))


def _leaves(node: nodes.Node) -> Iterator[nodes.Node]:
    if isinstance(node, (nodes.Name, nodes.Const, nodes.Getattr, nodes.Filter, nodes.Call)):
        yield node
    for child in node.iter_child_nodes():
        yield from _leaves(child)


def _at_offsets(source: str, tokens: Iterator[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
    """Jinja's tokens, whose texts add up to the source but for white space that a tag takes away."""
    offset = 0
    for _, kind, text in tokens:
        found = source.find(text, offset) if text else offset
        offset = max(found, offset)
        yield offset, kind, text
        offset += len(text)


def last_word(node: nodes.Node, name: str) -> tuple[int, int]:
    """Where an item's name stands: behind the dot that the node is placed at, or in quotes."""
    start = node.arg.lineno if isinstance(node, nodes.Getitem) else node.lineno
    return (start + 1, start + 1 + len(name))
