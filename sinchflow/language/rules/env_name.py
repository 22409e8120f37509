"""`env.NAME` that the project file does not list."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import nearest


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    if settings.env is None:
        return
    for text, use in outline.uses("env"):
        if len(use.path) > 1 and use.path[1] not in settings.env:
            name = use.path[1]
            near = nearest(name, settings.env)
            hint = f'did you mean "{near}"?' if near else f"add it there: env: [{name}]"
            message = f'"{name}" is not listed under env in sinchflow.yaml'
            where = outline.at_part(text, use, 1)
            yield finding(where, RULE.id, message, hint, edits=meant(where, name, settings.env))


RULE = Rule(
    id="env-name",
    reason="Flows see only the environment variables that the project file lists, so that nothing leaks by accident.",
    failing="""\
on: inbound_sms
steps:
  - reply: "Visit {{ env.SHOP_URL }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: Visit shop.example.com
""",
    check=_check,
    applies_to="both",
)
