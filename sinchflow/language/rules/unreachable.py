"""Steps below one that always ends the run, and branches that are never taken."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence, items_of
from sinchflow.language.outline import Outline, StepView
from sinchflow.language.rules.rule import Rule, Settings

_CATEGORY = re.compile(r"""\s*steps\.(\w+)\.category\s*(?:==\s*(['"])([^'"]*)\2|in\s*[\[(]([^\])]*)[\])])\s*""")
_QUOTED = re.compile(r"""(['"])([^'"]*)\1""")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for at, step in enumerate(outline.steps):
        if step.follows:
            message = f"this step never runs: the {step.follows} before it ends the run"
            where = outline.document.origin_of(step.head)
            yield finding(where, RULE.id, message, f"give the {step.follows} an if, or delete this step", "warning")
            continue
        if step.action not in ("choose", "then"):
            continue
        if not step.is_last and _ends(step.node) and (after := _next(outline, at)):
            message = f"this step never runs: every branch of the {step.action} before it ends the run"
            hint = "take stop or fail out of a branch, or delete this step"
            yield finding(outline.document.origin_of(after.head), RULE.id, message, hint, "warning")
        node = step.actions[0][1]
        if step.action == "choose" and isinstance(node, Sequence) and _is_sound(node):
            yield from _branches(outline, step, node)


def _next(outline: Outline, at: int) -> StepView | None:
    """The step below, in the same list."""
    end = outline.steps[at].node.end
    return next((step for step in outline.steps[at + 1 :] if step.node.start >= end), None)


def _ends(step: Mapping) -> bool:
    """Whether the run never goes on below the step."""
    if step.entry("on_error"):
        return False
    then, choose = step.get("then"), step.get("choose")
    if then is not None:
        return _any_ends(then) and _any_ends(step.get("else"))
    if step.entry("if"):
        return False
    if not isinstance(choose, Sequence):
        return step.entry("stop") is not None or step.entry("fail") is not None
    arms = [arm for arm in choose.items if isinstance(arm, Mapping)]
    has_else = _is_sound(choose) and arms[-1].entry("else") is not None
    return has_else and all(_any_ends(arm.get("steps") or arm.get("else")) for arm in arms)


def _any_ends(steps: Node | None) -> bool:
    return isinstance(steps, Sequence) and any(isinstance(step, Mapping) and _ends(step) for step in steps.items)


def _is_sound(choose: Sequence) -> bool:
    """Whether all its branches are ones; else another rule says so."""
    shapes = [{key.text for key, _ in arm.entries} if isinstance(arm, Mapping) else set() for arm in choose.items]
    return all(shape == {"if", "steps"} for shape in shapes[:-1]) and shapes[-1:] in ([{"if", "steps"}], [{"else"}])


def _branches(outline: Outline, step: StepView, choose: Sequence) -> Iterator[Diagnostic]:
    """Branches whose condition an earlier one has, or whose answers it takes."""
    lines: dict[str, int] = {}
    taken: dict[str, dict[str, int]] = {}
    for branch in choose.items:
        condition = branch.get("if") if isinstance(branch, Mapping) else None
        if not isinstance(condition, Scalar) or not condition.is_text:
            if isinstance(branch, Mapping) and (otherwise := branch.entry("else")):
                yield from _otherwise(outline, step, otherwise, taken)
            continue
        where = outline.document.origin_of(condition)
        line = lines.setdefault(" ".join(condition.text.split()), where.line)
        same = "has the same condition"
        name, categories = _categories(condition.text)
        before = taken.setdefault(name, {})
        if line == where.line and categories and all(each in before for each in categories):
            line, same = before[categories[0]], "takes these answers"
        if line != where.line:
            message = f"this branch is never taken: the one in line {line} {same}, and is asked first"
            hint = "correct the condition, or delete the branch"
            yield finding(where, RULE.id, message, hint, "warning")
        for each in categories:
            before.setdefault(each, where.line)


def _categories(condition: str) -> tuple[str, list[str]]:
    """A wait and the categories of its answer for which the condition holds, when it asks for nothing else."""
    found = _CATEGORY.fullmatch(condition) if "category" in condition else None
    if found is None:
        return "", []
    return found[1], [found[3]] if found[2] else [each[2] for each in _QUOTED.finditer(found[4])]


def _otherwise(
    outline: Outline, step: StepView, otherwise: tuple[Scalar, Node], taken: dict[str, dict[str, int]]
) -> Iterator[Diagnostic]:
    """An else that nothing is left for; one that fails the run is there for safety."""
    if any(isinstance(item, Mapping) and item.entry("fail") for item in items_of(otherwise[1])):
        return
    for name, categories in taken.items():
        given = step.scope.steps.get(name)
        possible = _possible(outline.ids().get(name)) if given and given.certainty == "sure" else None
        if possible and outline.has_all_steps and possible <= categories.keys():
            message = f'this else is never taken: every category of the wait "{name}" has a branch above it'
            yield finding(
                outline.document.origin_of(otherwise[0]),
                RULE.id,
                message,
                "delete it, or one of the branches",
                "warning",
            )


def _possible(wait: StepView | None) -> set[str] | None:
    """What `category` of a wait can be; None where that is not known."""
    node = wait.actions[0][1] if wait and wait.action == "wait_for_reply" else None
    if not isinstance(node, Mapping):
        return None
    categories = node.get("categories")
    if categories is None:
        return {"reply", "timeout"}
    if not isinstance(categories, Mapping):
        return None
    return {"timeout", *(["other"] if node.entry("otherwise") else []), *(key.text for key, _ in categories.entries)}


RULE = Rule(
    id="unreachable",
    reason="What stands below an unconditional `stop` or `fail` never runs, nor a branch that others leave nothing.",
    failing="""\
on: inbound_sms
steps:
  - stop: nothing to do
  - reply: Hello
""",
    corrected="""\
on: inbound_sms
steps:
  - if: event.content is none
    stop: nothing to do
  - reply: Hello
""",
    check=_check,
)
