"""A field that `contact`, `run`, `flow`, `error` or `now` does not have."""

from collections.abc import Iterator

from sinchflow.language.asked import has_ended, is_asked_around
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.nodes import Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean

_FIELDS = {
    "run": ("flow", "id", "started_at"),
    "flow": ("name",),
    "error": ("kind", "message", "status", "step"),
}
#: What is known of every contact; more comes from elsewhere and needs a default.
_CONTACT = ("number",)


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for name, fields in _FIELDS.items():
        for text, use in outline.uses(name):
            if len(use.path) > 1 and use.path[1] not in fields:
                message = f'{name} has no field "{use.path[1]}"'
                hint = did_you_mean(use.path[1], fields, "it has")
                where = outline.at_part(text, use, 1)
                yield finding(where, RULE.id, message, hint, edits=meant(where, use.path[1], fields))
    told: set[tuple[int, str]] = set()  # once for each text: the first is where people ask whether it is there
    for text, use in outline.uses("contact"):
        if len(use.path) > 1 and use.path[1] not in {*_CONTACT, *text.scope.remembered} and not use.guarded:
            name = f"contact.{use.path[1]}"
            if is_asked_around(text, name) or has_ended(outline, text, name) or _is_asked_first(outline, name):
                continue
            if (id(text.scalar), name) in told:
                continue
            told.add((id(text.scalar), name))
            message = f'"{use.path[1]}" is not known of every contact'
            hint = f"say what to use then: {name} | default('…')"
            yield finding(outline.at_part(text, use, 1), RULE.id, message, hint)


def _is_asked_first(outline: Outline, name: str) -> bool:
    """Whether the flow's own `if` asks for it; without it the flow does not fit."""
    condition = outline.root.get("if")
    return isinstance(condition, Scalar) and f"{name} is" in condition.text


RULE = Rule(
    id="unknown-field",
    reason="Of a contact only the number is always known; a field without a value fails the step.",
    failing="""\
on: inbound_sms
steps:
  - reply: "Hi {{ contact.first_name }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "Hi {{ contact.first_name | default('there') }}"
""",
    check=_check,
)
