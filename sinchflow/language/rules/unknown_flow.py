"""Flows that other flows name, in whatever files: whether they are there, and can be run with what they are given."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Callable, GivenInput, Reference
from sinchflow.language.fix import meant
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.language.suggest import did_you_mean, nearest


def _check(survey: Survey) -> Iterator[Diagnostic]:
    """Names are compared as they are written."""
    if not survey.is_complete:
        return
    flows = {flow.named.name: flow.takes for flow in survey.flows}
    for reference in (each for flow in survey.flows for each in flow.references):
        called = flows.get(reference.name)
        if called is None:
            so = "so no receipt would ever fit" if reference.inputs is None else "so nothing can be run"
            message = f'no flow is called "{reference.name}", {so}'
            edits = meant(reference.origin, reference.name, flows)
            hint = did_you_mean(reference.name, flows, "flows")
            yield finding(reference.origin, RULE.id, message, hint, edits=edits)
        elif reference.inputs is not None:
            yield from _run(reference, called, reference.inputs)


def _run(reference: Reference, called: Callable, given: tuple[GivenInput, ...]) -> Iterator[Diagnostic]:
    if not called.is_manual:
        message = f'the flow "{reference.name}" cannot be run by another one: it is not on: manual'
        hint = "add manual to its on:, for example: on: [manual, inbound_sms]"
        yield finding(reference.origin, RULE.id, message, hint)
    if called.inputs is None:
        return
    known, names = {name for name, _, _ in called.inputs}, {each.name for each in given}
    for each in given:
        if each.name not in known:
            message = f'the flow "{reference.name}" has no input "{each.name}"'
            hint = did_you_mean(each.name, known, "it has") if known else "it takes none"
            edits = meant(each.origin, each.name, known - names)
            yield finding(each.origin, RULE.id, message, hint, edits=edits)
    missing = [name for name, is_required, _ in called.inputs if is_required and name not in names]
    if missing and not nearest(missing[0], names - known):
        message = f'the flow "{reference.name}" needs the input "{missing[0]}"'
        yield finding(reference.origin, RULE.id, message, f"add it: inputs: {{{missing[0]}: …}}")


RULE = SetRule(
    id="unknown-flow",
    reason="A run of a flow that is not there, or without its inputs, fails at the step; a receipt filter never fits.",
    failing="""\
name: ask
on: inbound_sms
steps:
  - run_flow: survy
---
name: survey
on: manual
steps:
  - log: asked
""",
    corrected="""\
name: ask
on: inbound_sms
steps:
  - run_flow: survey
---
name: survey
on: manual
steps:
  - log: asked
""",
    check=_check,
)
