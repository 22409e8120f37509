"""A plan for people and for programs, without secrets."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from sinchflow.deploy.compare import Difference
from sinchflow.deploy.mask import HIDDEN, Mask
from sinchflow.deploy.plan import Action, Change, Plan

Tone = Literal["add", "change", "remove", "warn", "quiet", "plain"]

_SIGNS: dict[Action, tuple[str, Tone]] = {
    "create": ("+", "add"),
    "update": ("~", "change"),
    "adopt": ("~", "change"),
    "replace": ("±", "change"),
    "delete": ("-", "remove"),
    "conflict": ("!", "warn"),
    "keep": ("=", "quiet"),
    "foreign": (" ", "quiet"),
}
_SUMMARY: dict[Action, str] = {
    "create": "to create",
    "update": "to update",
    "adopt": "to adopt",
    "replace": "to replace",
    "delete": "to delete",
    "conflict": "in conflict",
    "keep": "as wanted",
    "foreign": "of others, left alone",
}
#: Characters of a template around the first that differs.
_AROUND = 24


class Line(msgspec.Struct, frozen=True):
    """One line of text and how it is meant."""

    text: str
    tone: Tone = "plain"


def plan_lines(plan: Plan, mask: Mask) -> Iterator[Line]:
    """A plan as a diff: one line per webhook, its differences below it, the counts at the end."""
    for change in plan.changes:
        sign, tone = _SIGNS[change.action]
        yield Line(f"  {sign} {_head(change, mask)}", tone)
        if change.action not in ("create", "delete"):
            for difference in change.differences:
                yield Line(f"      {difference_words(difference, mask)}", tone)
        if change.note:
            yield Line(f"      {mask.text(change.note)}", "quiet" if tone == "quiet" else "warn")
    yield Line(f"  {counts(plan)}")


def counts(plan: Plan) -> str:
    """How many webhooks meet which fate, in words."""
    found = Counter(change.action for change in plan.changes)
    return ", ".join(f"{found[action]} {words}" for action, words in _SUMMARY.items() if found[action]) or "no webhooks"


def plan_data(plan: Plan, mask: Mask) -> dict[str, Any]:
    """A plan for programs."""
    return {
        "account": plan.account,
        "is_settled": plan.is_settled,
        "changes": [change_data(change, mask) for change in plan.changes],
    }


def change_data(change: Change, mask: Mask) -> dict[str, Any]:
    """One change for programs."""
    return {
        "action": change.action,
        "kind": change.kind,
        "id": None if change.found is None else change.found.id,
        "url": shown_url(change, mask),
        "differences": [
            {
                "field": each.field,
                "before": _value(each, each.before, mask),
                "after": _value(each, each.after, mask),
                "forces_replacement": each.forces_replacement,
            }
            for each in change.differences
        ],
        "note": mask.text(change.note),
    }


def shown_url(change: Change, mask: Mask) -> str:
    """The address of a change's webhook, fit to be shown."""
    return mask.foreign_url(change.url) if change.action == "foreign" else mask.url(change.url)


def difference_words(difference: Difference, mask: Mask) -> str:
    """One difference: `retries: 0 → 5 (forces replacement)`."""
    if difference.field == "template" and difference.before is not None:
        words = _template_words(difference, mask)
    else:
        before = _words(_value(difference, difference.before, mask))
        after = _words(_value(difference, difference.after, mask))
        words = f"{before} → {after}" + (" (another value)" if before == after else "")
    return f"{difference.field}: {words}" + (" (forces replacement)" if difference.forces_replacement else "")


def _head(change: Change, mask: Mask) -> str:
    id_ = "" if change.found is None else f"  ({change.found.id})"
    create_only = "  forces replacement: the new one is created before the old one is deleted"
    tail = create_only if change.action == "replace" else ""
    return f"{change.kind or 'foreign':<9} {change.action:<8} {shown_url(change, mask)}{id_}{tail}"


def _value(difference: Difference, value: Any, mask: Mask) -> Any:
    if isinstance(value, str):
        if difference.field == "url":
            return mask.url(value)
        if difference.field.startswith("header "):
            return mask.header(difference.field.removeprefix("header "), value)
        return mask.text(value)
    return list(value) if isinstance(value, tuple) else value


def _words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return " ".join(str(each) for each in value) or "none"
    text = str(value)
    return text if text == HIDDEN or len(text) <= 200 else f"{text[:200]}…"


def _template_words(difference: Difference, mask: Mask) -> str:
    """Where two templates part ways; they are too long to be shown whole."""
    before, after = mask.text(difference.before), mask.text(difference.after)
    shared = next(
        (index for index, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]),
        min(len(before), len(after)),
    )
    begin = max(0, shared - _AROUND // 2)
    here, wanted = (repr(text[begin : shared + _AROUND]) for text in (before, after))
    return f"differs from character {shared + 1} on: {here} → {wanted}"
