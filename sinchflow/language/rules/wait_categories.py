"""Categories of answers that cannot be told apart, and `otherwise` where every message is an answer."""

from collections.abc import Iterator

from sinchflow.expression.pattern import whole
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_TAKEN = {
    "timeout": "is what the category is called when no answer came",
    "other": "is what the category is called when the answer fitted none",
    "reply": "is what the category is called where a wait has none",
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "wait_for_reply" and isinstance(node, Mapping):
                yield from _wait(outline, node)


def _wait(outline: Outline, node: Mapping) -> Iterator[Diagnostic]:
    categories, otherwise = node.get("categories"), node.entry("otherwise")
    if otherwise and categories is None:
        message = "otherwise never has its turn: without categories every message is an answer"
        where = outline.document.origin_of(otherwise[0])
        yield finding(where, RULE.id, message, "add categories, or delete otherwise")
    if not isinstance(categories, Mapping):
        return
    first: dict[str, str] = {}
    for name, filters in categories.entries:
        if name.text in _TAKEN:
            message = f'"{name.text}" {_TAKEN[name.text]}'
            yield finding(outline.document.origin_of(name), RULE.id, message, "give the category another name")
        for answer in _answers(filters):
            before = first.setdefault(whole(answer.text), name.text)
            if before != name.text:
                message = f'"{answer.text}" is an answer of the category {before} already, which is asked first'
                yield finding(outline.document.origin_of(answer), RULE.id, message, "keep it in one of them")


def _answers(filters: Node) -> Iterator[Scalar]:
    """Answers that alone decide: the category has no other filter."""
    if isinstance(filters, Mapping) and [key.text for key, _ in filters.entries] == ["answer"]:
        yield from (item for item in items_of(filters.get("answer")) if isinstance(item, Scalar) and item.is_text)


RULE = Rule(
    id="wait-categories",
    reason="An answer belongs to the first category that fits; the names timeout, other and reply mean something else.",
    failing="""\
on: inbound_sms
steps:
  - wait_for_reply:
      timeout: 1h
      categories:
        good: {answer: yes}
        bad: {answer: [no, yes]}
""",
    corrected="""\
on: inbound_sms
steps:
  - wait_for_reply:
      timeout: 1h
      categories:
        good: {answer: yes}
        bad: {answer: no}
""",
    check=_check,
)
