"""Loops over as many items as a stranger likes."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.inbound import Foreign, Inbound
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.model.project import Policy

#: A slice with an end bounds the items.
_SLICE = re.compile(r"\[[^\]:]*:\s*-?\w[^\]]*\]")
_CALLS = frozenset({"http", "run_flow"})
_SENDS = frozenset({"reply", "send_sms"})
_DEFAULT = Policy().max_sends_per_run


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place != "for_each.items" or _SLICE.search(text.scalar.text):
            continue
        foreign = next((each for each in Inbound(outline).holes(text) if not _is_sliced_before(outline, each)), None)
        what = None if foreign is None else _done_for_each(outline, text.scalar, settings)
        if foreign is not None and what is not None:
            yield _found(outline, foreign, what)


def _found(outline: Outline, foreign: Foreign, what: str) -> Diagnostic:
    message = f"{foreign.name} is a stranger's: it decides how often {what}"
    hint = f'take some of them at most, for example: items: "{{{{ {_sliced(foreign)} }}}}"'
    where = outline.at(foreign.text, foreign.use.offset, foreign.use.length)
    return finding(where, RULE.id, message, hint, "warning")


def _is_sliced_before(outline: Outline, foreign: Foreign) -> bool:
    """Whether it is a variable that never holds more than a slice."""
    if foreign.use.path[0] != "vars" or len(foreign.use.path) < 2:
        return False
    given = [
        text.scalar.text
        for text in outline.texts
        if text.place in ("vars", "set") and text.key is not None and text.key.text == foreign.use.path[1]
    ]
    return all(_SLICE.search(source) for source in given)


def _sliced(foreign: Foreign) -> str:
    inner = foreign.text.scalar.text[foreign.start + 2 : foreign.end - 2].strip("- ")
    return f"({inner})[:20]" if "|" in inner else f"{inner}[:20]"


def _done_for_each(outline: Outline, items: Scalar, settings: Settings) -> str | None:
    """What the loop does for each item without a bound of its own: policy bounds the messages of a run."""
    loop = next(
        (
            node
            for step in outline.steps
            for key, node in step.actions
            if key.text == "for_each" and isinstance(node, Mapping) and node.get("items") is items
        ),
        None,
    )
    actions = set(_actions(loop.get("steps"))) if loop is not None else set()
    if actions & _CALLS:
        return "http is called" if "http" in actions else "another flow is run"
    if actions & _SENDS and settings.max_sends_per_run > _DEFAULT:
        return f"a message is sent, up to the {settings.max_sends_per_run:,} of policy.max_sends_per_run"
    return None


def _actions(node: Node | None) -> Iterator[str]:
    """Names of all keys below."""
    match node:
        case Mapping():
            for key, value in node.entries:
                yield key.text
                yield from _actions(value)
        case Sequence():
            for item in node.items:
                yield from _actions(item)


RULE = Rule(
    id="unbounded-loop",
    reason=(
        "A long text has hundreds of words, and the body of a call thousands of items. Whoever sends it decides how "
        "much work, and whose servers, it costs, unless the flow takes some of them only."
    ),
    failing="""\
on:
  inbound_sms: {keyword: TRACK}
steps:
  - for_each:
      items: "{{ match.rest | split(' ') }}"
      steps:
        - http: {url: https://shop.example.com/track, query: {number: "{{ item }}"}}
""",
    corrected="""\
on:
  inbound_sms: {keyword: TRACK}
steps:
  - for_each:
      items: "{{ (match.rest | split(' '))[:5] }}"
      steps:
        - http: {url: https://shop.example.com/track, query: {number: "{{ item }}"}}
""",
    check=_check,
)
