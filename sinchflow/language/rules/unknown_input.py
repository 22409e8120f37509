"""`inputs.NAME` that the flow does not declare."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    if not outline.has_all_inputs:
        return
    for text, use in outline.uses("inputs"):
        if len(use.path) > 1 and use.path[1] not in outline.inputs:
            name = use.path[1]
            hint = did_you_mean(name, outline.inputs) if outline.inputs else f"declare it: inputs: {{{name}: {{…}}}}"
            where = outline.at_part(text, use, 1)
            edits = meant(where, name, outline.inputs)
            yield finding(where, RULE.id, f'the flow has no input "{name}"', hint, edits=edits)


RULE = Rule(
    id="unknown-input",
    reason="A run has the inputs that its flow declares, and no others.",
    failing="""\
on: manual
inputs: {name: {type: string}}
steps:
  - log: "{{ inputs.nme }}"
""",
    corrected="""\
on: manual
inputs: {name: {type: string}}
steps:
  - log: "{{ inputs.name }}"
""",
    check=_check,
)
