"""Words that a filter says twice, and triggers of one flow that say again what another one says."""

from collections.abc import Callable, Iterator

from sinchflow.expression.pattern import first_word, whole
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_HINT = "delete it (case and punctuation do not count)"


def _first(text: str) -> str:
    return first_word(text)[0]


#: How each filter compares its texts.
_COMPARED: dict[str, Callable[[str], str]] = {
    "keyword": _first,
    "exact": whole,
    "contains": whole,
    "answer": whole,
    "starts_with": str.casefold,
    "regex": str,
    "from": str.casefold,
    "to": str.casefold,
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    inbound = [trigger.filters for trigger in outline.triggers if trigger.kind == "inbound_sms" and trigger.filters]
    before: dict[tuple[str, str], Scalar] = {}
    for filters in inbound:
        yield from _within(outline, filters)
        if len(inbound) > 1:
            yield from _again(outline, filters, before)
    for step in outline.steps:
        for key, node in step.actions:
            categories = node.get("categories") if key.text == "wait_for_reply" and isinstance(node, Mapping) else None
            for _, filters_of in categories.entries if isinstance(categories, Mapping) else ():
                if isinstance(filters_of, Mapping):
                    yield from _within(outline, filters_of)


def _within(outline: Outline, filters: Mapping) -> Iterator[Diagnostic]:
    """Alternatives that one list says twice."""
    for key, node in filters.entries:
        if isinstance(node, Scalar) or key.text not in _COMPARED:
            continue
        first: dict[str, Scalar] = {}
        for same, item in _alternatives(key.text, node):
            earlier = first.setdefault(same, item)
            if earlier is not item:
                message = f'"{item.text}" is in this list already, as "{earlier.text}"'
                if earlier.text == item.text:
                    message = f'"{item.text}" is in this list twice'
                yield finding(outline.document.origin_of(item), RULE.id, message, _HINT, "warning")


def _again(outline: Outline, filters: Mapping, before: dict[tuple[str, str], Scalar]) -> Iterator[Diagnostic]:
    """Alternatives that another trigger of the flow has, without further filters that would make it pickier."""
    own: dict[tuple[str, str], Scalar] = {}
    for key, node in filters.entries:
        for same, item in _alternatives(key.text, node):
            earlier = before.get((key.text, same))
            if earlier is not None and (key.text, same) not in own:
                message = f'"{item.text}" adds nothing: another trigger of this flow takes it already, in line '
                message += str(outline.document.origin_of(earlier).line)
                yield finding(outline.document.origin_of(item), RULE.id, message, _HINT, "warning")
            own[key.text, same] = item
    if len(filters.entries) == 1:
        before.update({same: item for same, item in own.items() if same not in before})


def _alternatives(name: str, node: Node) -> Iterator[tuple[str, Scalar]]:
    compared = _COMPARED.get(name)
    for item in items_of(node) if compared else ():
        if isinstance(item, Scalar) and item.is_text and (same := compared(item.text) if compared else ""):
            yield same, item


RULE = Rule(
    id="repeated-filter",
    reason="A word that is said twice adds nothing; mostly another word was meant.",
    failing="""\
on:
  inbound_sms: {keyword: [BOOK, RESERVE, Book]}
steps:
  - reply: Which day?
""",
    corrected="""\
on:
  inbound_sms: {keyword: [BOOK, RESERVE, BOOKING]}
steps:
  - reply: Which day?
""",
    check=_check,
)
