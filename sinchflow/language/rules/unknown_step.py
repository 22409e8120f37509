"""`steps.ID` that names no step, or one that has not run yet."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    ids = outline.ids()
    for text, use in outline.uses("steps"):
        if len(use.path) < 2 or use.path[1] in text.scope.steps:
            continue
        name = use.path[1]
        where = outline.at_part(text, use, 1)
        if name in ids:
            line = outline.document.origin_of(ids[name].head).line
            message = f'step "{name}" (line {line}) has not run when this is read'
            yield finding(where, RULE.id, message, "move this step below it")
        elif outline.has_all_steps:
            hint = did_you_mean(name, text.scope.steps) if text.scope.steps else "no step before this one has an id"
            yield finding(where, RULE.id, f'no step has the id "{name}"', hint)


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
