"""Whether a flow has made sure of something before it reads it: an `if` around, or a `stop` or `fail` before.

Only the name is looked for, not what the condition says of it: nobody asks about a name without meaning it.
"""

from sinchflow.language.nodes import Scalar
from sinchflow.language.outline import Outline, StepView, TextUse


def is_asked_around(text: TextUse, name: str) -> bool:
    """Whether a condition around a text names it: of its step, of a branch, or of the branches before."""
    return any(name in condition for condition in (*text.scope.conditions, *text.scope.passed))


def has_ended(outline: Outline, text: TextUse, name: str) -> bool:
    """Whether a step before has ended the run, or gone another way, by what a condition said of the name."""
    return any(step.node.start < text.scalar.start and _decides(step, name) for step in outline.steps)


def _decides(step: StepView, name: str) -> bool:
    if step.action not in ("stop", "fail"):
        return False
    own = step.node.get("if")
    conditions = (*step.scope.conditions, *step.scope.passed, own.text if isinstance(own, Scalar) else "")
    return any(name in each for each in conditions)
