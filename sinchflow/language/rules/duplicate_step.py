"""Two steps with one id."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    first = outline.ids()
    for step in outline.steps:
        if step.id and first[step.id.text].id is not step.id:
            line = outline.document.origin_of(first[step.id.text].id or step.id).line
            message = f'the id "{step.id.text}" is taken by the step on line {line}'
            yield finding(outline.document.origin_of(step.id), RULE.id, message, "ids are unique in a flow")


RULE = Rule(
    id="duplicate-step",
    reason="`steps.ID` must mean one step.",
    failing="""\
on: inbound_sms
steps:
  - {id: first, log: one}
  - {id: first, log: two}
""",
    corrected="""\
on: inbound_sms
steps:
  - {id: first, log: one}
  - {id: second, log: two}
""",
    check=_check,
)
