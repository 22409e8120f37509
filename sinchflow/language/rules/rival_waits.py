"""Waits for an answer of the same contact that are open at the same time: the newest of them gets it."""

from collections.abc import Iterator

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.taking import covers


class _Wait(msgspec.Struct, frozen=True):
    """words: of categories that one filter decides about. is_open: it has no categories. takes_any: or `otherwise`."""

    words: tuple[tuple[str, str], ...]
    is_open: bool
    takes_any: bool


#: What takes time: a wait below it need not be open together with another branch's.
_PAUSES = ("delay", "wait_for_receipt", "run_flow", "choose", "then", "parallel", "for_each", "stop", "fail")
_HINT = "ask one question after the other"


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "parallel" and isinstance(node, Sequence):
                yield from _branches(outline, node)
            elif key.text == "for_each" and isinstance(node, Mapping):
                yield from _loop(outline, node)


def _branches(outline: Outline, parallel: Sequence) -> Iterator[Diagnostic]:
    before: dict[str, list[tuple[int, _Wait]]] = {}  #: by whose answer it is: the waits so far and their lines
    for branch in parallel.items:
        found = _first_wait(branch)
        if found is None:
            continue
        key, node = found
        where, wait = outline.document.origin_of(key), _read(node)
        others = before.setdefault(_from(node), [])
        shared = next(((line, what) for line, other in others if (what := _shared(other, wait))), None)
        others.append((where.line, wait))
        if shared:
            message = f"{shared[1]} answers this wait and the one in line {shared[0]}, which are open at the same time:"
            message += " the newest gets it"
            yield finding(where, RULE.id, message, _HINT, "warning")


def _loop(outline: Outline, loop: Mapping) -> Iterator[Diagnostic]:
    """A loop that takes several items at once: all of them wait for the contact of the run."""
    width = loop.get("parallel")
    if not isinstance(width, Scalar) or not isinstance(width.value, int) or width.value < 2:
        return
    found = _first_wait(loop.get("steps"))
    if found and "{{" not in _from(found[1]):
        message = f"up to {width.value} items wait for an answer of the same contact at once: the newest wait gets it"
        hint = "delete parallel, or say whose answer it is: from"
        yield finding(outline.document.origin_of(found[0]), RULE.id, message, hint, "warning")


def _first_wait(steps: Node | None) -> tuple[Scalar, Node] | None:
    """The wait that a branch comes to for sure and at once, if there is one."""
    for step in items_of(steps) if isinstance(steps, Sequence) else ():
        if not isinstance(step, Mapping):
            return None
        wait = step.entry("wait_for_reply")
        if wait:
            return None if step.entry("if") else wait
        if any(step.entry(name) for name in _PAUSES):
            return None
    return None


def _from(wait: Node) -> str:
    """Whose answer it is, as written; empty for the contact of the run."""
    given = wait.get("from") if isinstance(wait, Mapping) else None
    written = given.text.strip() if isinstance(given, Scalar) else ""
    return "" if written.strip("{} ") == "contact.number" else written


def _read(wait: Node) -> _Wait:
    categories = wait.get("categories") if isinstance(wait, Mapping) else None
    if not isinstance(wait, Mapping) or not isinstance(categories, Mapping):
        return _Wait((), True, True)
    alone = (each.entries[0] for _, each in categories.entries if isinstance(each, Mapping) and len(each.entries) == 1)
    words = tuple(
        (key.text, item.text)
        for key, node in alone
        for item in items_of(node)
        if isinstance(item, Scalar) and item.is_text
    )
    return _Wait(words, False, wait.get("otherwise") is not None)


def _shared(earlier: _Wait, later: _Wait) -> str | None:
    """What both take. A message that fits a category goes there; only else is it for a wait that takes any."""
    if earlier.takes_any and later.takes_any and (earlier.is_open or later.is_open):
        return "any message" if earlier.is_open and later.is_open else "what fits no category"
    words = ((one, two) for one in earlier.words for two in later.words)
    both = next(((one, two) for one, two in words if covers(*one, *two) or covers(*two, *one)), None)
    return None if both is None else f'"{both[1][1] if covers(*both[0], *both[1]) else both[0][1]}"'


RULE = Rule(
    id="rival-waits",
    reason="An answer goes to one wait: to the newest, where several are open for the same contact.",
    failing="""\
on: inbound_sms
steps:
  - parallel:
      - - reply: What is your name?
        - id: name
          wait_for_reply: {timeout: 1h}
      - - reply: How old are you?
        - id: age
          wait_for_reply: {timeout: 1h}
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: What is your name?
  - id: name
    wait_for_reply: {timeout: 1h}
  - reply: How old are you?
  - id: age
    wait_for_reply: {timeout: 1h}
""",
    check=_check,
)
