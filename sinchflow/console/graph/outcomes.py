"""Which of a wait's outcomes lead where, when the step right after it tells them apart."""

import ast
import re
from collections.abc import Sequence

import msgspec

from sinchflow.console.graph.text import plain
from sinchflow.model.flow import Choose, Condition, Fail, Step, Stop, WaitForReceipt, WaitForReply

_MOST_NAMED = 4
_TEXT = r"""(?:"[^"\\]*"|'[^'\\]*')"""
_EQUALS = re.compile(rf"steps\.(\w+)\.(\w+)\s*==\s*({_TEXT})")
_AMONG = re.compile(rf"steps\.(\w+)\.(\w+)\s+in\s+([\[(]\s*{_TEXT}(?:\s*,\s*{_TEXT})*\s*,?\s*[\])])")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Outcomes, and the steps that they lead to. is_end: the one step is the `stop` or `fail` after the wait itself."""

    label: str
    steps: tuple[Step, ...] = ()
    is_end: bool = False


def ways(wait: Step, following: Step) -> list[Way] | None:
    """The ways that lead on from a wait, first match first; None when what follows does not go by its outcome alone."""
    known = _outcomes(wait)
    if known is None or wait.id is None or wait.condition or wait.on_error is not None:
        return None
    if isinstance(following.action, Stop | Fail) and following.condition and following.on_error is None:
        named = _named(following.condition, wait)
        if not named:
            return None
        return [Way(label=_rest(known, named)), Way(label=_joined(named), steps=(following,), is_end=True)]
    if not isinstance(following.action, Choose) or following.condition or following.on_error is not None:
        return None
    return _branches(following.action, wait, known)


def _branches(choose: Choose, wait: Step, known: Sequence[str]) -> list[Way] | None:
    found: list[Way] = []
    seen: list[str] = []
    for branch in choose.branches:
        if branch.condition is None:
            return [*found, Way(label=_rest(known, seen), steps=branch.steps)]
        named = _named(branch.condition, wait)
        if not named:
            return None
        seen += named
        found.append(Way(label=_joined(named), steps=branch.steps))
    return [*found, Way(label=_rest(known, seen))] if set(known) - set(seen) else found


def _outcomes(wait: Step) -> list[str] | None:
    """What a wait can end with; None of a step that is no wait."""
    match wait.action:
        case WaitForReply(categories=()):
            return ["reply", "timeout"]
        case WaitForReply(categories=categories):
            return [*(each.name for each in categories), "other", "timeout"]
        case WaitForReceipt(status=status):
            return [*status, "timeout"]
    return None


def _named(condition: Condition, wait: Step) -> list[str]:
    """The outcomes for which the condition holds; empty when it asks for anything else."""
    field = "category" if isinstance(wait.action, WaitForReply) else "status"
    source = condition.source.strip()
    found = _EQUALS.fullmatch(source) or _AMONG.fullmatch(source)
    if found is None or found[1] != wait.id or found[2] != field:
        return []
    named = ast.literal_eval(found[3])
    return [named] if isinstance(named, str) else list(named)


def _rest(known: Sequence[str], named: Sequence[str]) -> str:
    """Of a receipt without `status` only the time-out is known beforehand."""
    rest = [each for each in known if each not in named]
    return _joined(rest) if rest and len(known) > 1 and len(rest) <= _MOST_NAMED else "anything else"


def _joined(outcomes: Sequence[str]) -> str:
    *others, last = [plain(each, 60) for each in outcomes]
    return f"{', '.join(others)} or {last}" if others else last
