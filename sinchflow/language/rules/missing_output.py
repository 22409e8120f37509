"""An output read although its step may have failed, or been left out."""

from collections.abc import Iterator

from sinchflow.language.asked import has_ended, is_asked_around
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.rules.step_output import OUTPUTS


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, use in outline.uses("steps"):
        given = text.scope.steps.get(use.path[1]) if len(use.path) > 1 else None
        if given is None or given.certainty == "sure" or use.guarded:
            continue
        if len(use.path) > 2 and use.path[2] not in OUTPUTS.get(given.action or "", use.path):
            continue  # step-output says more
        name = f"steps.{use.path[1]}"
        if is_asked_around(text, name) or has_ended(outline, text, name):
            continue
        if given.certainty == "failed" and is_asked_around(text, "vars."):
            continue  # what its on_error has set may be what is asked
        where = outline.at_part(text, use, 1)
        hint = f"ask first: if: {name} is defined, or use | default('…')"
        if given.certainty == "failed":
            message = f'step "{use.path[1]}" gives nothing when it fails, and the run goes on after its on_error'
            yield finding(where, RULE.id, message, hint)
        elif not text.scope.conditions:
            message = f'step "{use.path[1]}" gives nothing when it is left out by its if or branch'
            yield finding(where, RULE.id, message, hint, "warning")


RULE = Rule(
    id="missing-output",
    reason="A step that failed or was left out gives nothing; reading it then fails the step that reads.",
    failing="""\
on: inbound_sms
steps:
  - id: shop
    http: {url: https://shop.example.com/hours}
    on_error: continue
  - reply: "Open: {{ steps.shop.text }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - id: shop
    http: {url: https://shop.example.com/hours}
    on_error: continue
  - if: steps.shop is defined
    reply: "Open: {{ steps.shop.text }}"
""",
    check=_check,
    is_mixed=True,
)
