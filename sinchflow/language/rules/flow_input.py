"""A value written out for an input of another flow that is not of the input's type."""

from collections.abc import Iterator
from datetime import datetime

from sinchflow.expression.numbers import to_e164
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import as_truth, respelled
from sinchflow.language.rules.input_parts import WRITTEN
from sinchflow.language.rules.rule import SetRule, Survey

_HINTS = {
    "integer": "write it in digits, such as 3",
    "number": "write it in digits, such as 2.5",
    "boolean": "write true or false",
    "phone": "write it with + and the country's code, such as +61491570156",
    "datetime": "write it like 2026-12-03T10:00+11:00",
    "list": "write [one, two], or a template that gives a list",
    "mapping": "write {key: value}, or a template that gives a mapping",
}


def _check(survey: Survey) -> Iterator[Diagnostic]:
    flows = {flow.named.name: flow.takes.inputs for flow in survey.flows}
    for reference in (each for flow in survey.flows for each in flow.references if each.inputs):
        types = {name: kind for name, _, kind in flows.get(reference.name) or ()}
        for each in reference.inputs or ():
            wanted = input_fault(types.get(each.name, ""), each.value, survey.settings.country)
            if wanted and each.at is not None:
                message = f'the input "{each.name}" of the flow "{reference.name}" is {wanted}, not "{each.value}"'
                truth = as_truth(each.value or "") if types[each.name] == "boolean" else None
                edits = respelled(each.at, each.value or "", truth)
                yield finding(each.at, RULE.id, message, _HINTS[types[each.name]], edits=edits)


def input_fault(kind: str, value: str | None, country: str | None) -> str:
    """What a value of this type would be, where the text is none; empty where it is one or nothing is known."""
    if value is None:
        return ""
    match kind:
        case "integer" | "number" | "boolean":
            form, words = WRITTEN[kind]
            return "" if form.fullmatch(value) else words
        case "phone":
            return "" if to_e164(value, country) else "a phone number"
        case "datetime":
            return "" if _is_time(value) else "a time"
        case "list" | "mapping":
            return f"a {kind}"
        case _:
            return ""


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


RULE = SetRule(
    id="flow-input",
    reason="A flow that is run with an input of another type fails before its first step.",
    failing="""\
name: ask
on: inbound_sms
steps:
  - run_flow: {flow: survey, inputs: {questions: many}}
---
name: survey
on: manual
inputs: {questions: {type: integer}}
steps:
  - log: "{{ inputs.questions }} questions"
""",
    corrected="""\
name: ask
on: inbound_sms
steps:
  - run_flow: {flow: survey, inputs: {questions: 3}}
---
name: survey
on: manual
inputs: {questions: {type: integer}}
steps:
  - log: "{{ inputs.questions }} questions"
""",
    check=_check,
)
