"""Waits for an answer of the same contact that are open at the same time: the newest of them gets it."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

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
    before: dict[str, int] = {}  #: by whose answer it is: the line of the first wait
    for branch in parallel.items:
        found = _first_wait(branch)
        if found is None:
            continue
        key, node = found
        where = outline.document.origin_of(key)
        line = before.setdefault(_from(node), where.line)
        if line != where.line and _takes_all(node):
            message = f"this wait takes every answer that the one in line {line} waits for at the same time:"
            message += " the newest wait gets it"
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
    given = wait.get("from") if isinstance(wait, Mapping) else None
    return given.text.strip() if isinstance(given, Scalar) else ""


def _takes_all(wait: Node) -> bool:
    """Whether any message is an answer. What fits no category of a newer wait is offered to the older one."""
    return not isinstance(wait, Mapping) or wait.get("categories") is None


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
