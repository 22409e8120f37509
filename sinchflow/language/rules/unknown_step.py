"""`steps.ID` that names no step, or one that has not run yet."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline, StepView, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    ids = outline.ids()
    for text, use in outline.uses("steps"):
        if len(use.path) < 2 or use.path[1] in text.scope.steps or text.scope.phase != "step":
            continue
        name = use.path[1]
        where = outline.at_part(text, use, 1)
        if name in ids:
            yield finding(where, RULE.id, *_not_there(outline, text, ids[name]))
        elif outline.has_all_steps:
            hint = did_you_mean(name, text.scope.steps) if text.scope.steps else "no step before this one has an id"
            edits = meant(where, name, text.scope.steps)
            yield finding(where, RULE.id, f'no step has the id "{name}"', hint, edits=edits)


def _not_there(outline: Outline, text: TextUse, step: StepView) -> tuple[str, str]:
    """Message and hint for a step that exists but has given nothing where the text stands."""
    named = f'step "{step.id.text if step.id else ""}" (line {outline.document.origin_of(step.head).line})'
    if step.node.start <= text.scalar.start < step.node.end:
        return f"{named} has given nothing yet when this is read", "what a step gives is for the steps below it"
    if step.node.start < text.scalar.start:
        if step.scope.items - text.scope.items:
            return f"{named} is for each item of its loop", "keep what is to be known after the loop with set"
        return f"{named} is in another branch, and has not run when this one does", ""
    return f"{named} has not run when this is read", "move this step below it"


RULE = Rule(
    id="unknown-step",
    reason="Only what a step before has given can be read.",
    failing="""\
on: inbound_sms
steps:
  - id: shop
    http: {url: https://shop.example.com/hours}
  - reply: "Open: {{ steps.shp.text }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - id: shop
    http: {url: https://shop.example.com/hours}
  - reply: "Open: {{ steps.shop.text }}"
""",
    check=_check,
)
