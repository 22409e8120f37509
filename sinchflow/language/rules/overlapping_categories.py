"""Answers of a wait's category that an earlier category takes, so that they never belong to the later one."""

from collections.abc import Iterator
from itertools import islice

from sinchflow.expression.pattern import whole
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.taking import TEXT_FILTERS, covers

#: Alternatives of one wait that are compared, each with all before it; nobody writes as many.
_MOST = 300


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "wait_for_reply" and isinstance(node, Mapping):
                categories = node.get("categories")
                if isinstance(categories, Mapping):
                    yield from _wait(outline, categories)


def _wait(outline: Outline, categories: Mapping) -> Iterator[Diagnostic]:
    #: name and alternatives of the categories so far that one filter alone decides about
    deciding: list[tuple[str, list[tuple[str, str]]]] = []
    compared = 0
    for name, filters in categories.entries:
        own = list(islice(_alternatives(filters), _MOST))
        is_alone = isinstance(filters, Mapping) and len(filters.entries) == 1
        for item, kind in own:
            taker = _taker((kind, item.text), is_alone, deciding)
            if taker:
                message = f'"{item.text}" is taken by the category {taker} already, which is asked first'
                hint = f"put {name.text} before {taker}, or keep it in one of them"
                yield finding(outline.document.origin_of(item), RULE.id, message, hint, "warning")
        if is_alone and own:
            deciding.append((name.text, [(kind, item.text) for item, kind in own]))
        compared += len(own)
        if compared > _MOST:
            return


def _taker(item: tuple[str, str], is_alone: bool, deciding: list[tuple[str, list[tuple[str, str]]]]) -> str | None:
    """The earlier category that takes whatever this alternative takes."""
    for name, alternatives in deciding:
        for earlier in alternatives:
            if is_alone and item[0] == earlier[0] == "answer" and whole(item[1]) == whole(earlier[1]):
                return None  # wait-categories says so
        if any(covers(*earlier, *item) for earlier in alternatives):
            return name
    return None


def _alternatives(filters: Node) -> Iterator[tuple[Scalar, str]]:
    for key, node in filters.entries if isinstance(filters, Mapping) else ():
        if key.text in TEXT_FILTERS:
            yield from ((item, key.text) for item in items_of(node) if isinstance(item, Scalar) and item.text.strip())


RULE = Rule(
    id="overlapping-categories",
    reason="An answer belongs to the first category that takes it, in the order of the file.",
    failing="""\
on: inbound_sms
steps:
  - wait_for_reply:
      timeout: 1h
      categories:
        booking: {contains: book}
        change: {starts_with: book again}
""",
    corrected="""\
on: inbound_sms
steps:
  - wait_for_reply:
      timeout: 1h
      categories:
        change: {starts_with: book again}
        booking: {contains: book}
""",
    check=_check,
)
