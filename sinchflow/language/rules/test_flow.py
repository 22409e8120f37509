"""Flows that a transcript test names, and what it says of them: inputs, answers' categories, webhooks' paths."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Callable, Facts
from sinchflow.language.fix import meant
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.rules.flow_input import input_fault
from sinchflow.language.rules.rule import Stage, TranscriptRule
from sinchflow.language.suggest import did_you_mean, nearest
from sinchflow.language.transcript import ScriptStep, TranscriptFile


def _check(file: TranscriptFile, stage: Stage) -> Iterator[Diagnostic]:
    if not stage.is_complete:
        return
    if file.flow is not None and file.flow.text not in stage.flows:
        yield _unknown(file, file.flow, stage)
    for step in file.steps:
        if step.verb in ("start", "run"):
            yield from _of_flow(file, step, stage)
        for path in step.texts("path") if step.verb == "webhook" else ():
            if path.text not in stage.paths:
                message = f'no flow has a webhook at "{path.text}"'
                hint = did_you_mean(path.text, stage.paths, "paths")
                hint = hint or "give a flow one: on: {webhook: {path: …}}"
                edits = meant(file.at(path), path.text, stage.paths)
                yield finding(file.at(path), RULE.id, message, hint, edits=edits)


def _unknown(file: TranscriptFile, name: Scalar, stage: Stage) -> Diagnostic:
    hint = did_you_mean(name.text, stage.flows, "flows")
    edits = meant(file.at(name), name.text, stage.flows)
    return finding(file.at(name), RULE.id, f'no flow is called "{name.text}"', hint, edits=edits)


def _of_flow(file: TranscriptFile, step: ScriptStep, stage: Stage) -> Iterator[Diagnostic]:
    own = next(step.texts("flow", "flow" if step.verb == "start" else ""), None)
    name = own or file.flow
    if name is None:
        if isinstance(step.value, Scalar | Mapping):
            message = f"{step.verb} does not say which flow it means"
            yield finding(file.at(step.key), RULE.id, message, "add flow: NAME at the top of the file")
        return
    flow = stage.flows.get(name.text)
    if flow is None:
        if own is not None:
            yield _unknown(file, own, stage)
    elif step.verb == "start":
        yield from _started(file, step, flow.takes, name.text, stage)
    else:
        yield from _categories(file, step, flow)


def _started(file: TranscriptFile, step: ScriptStep, takes: Callable, name: str, stage: Stage) -> Iterator[Diagnostic]:
    if not takes.is_manual:
        hint = "add manual to its on:, or begin with the event that starts it"
        yield finding(file.at(step.key), RULE.id, f'the flow "{name}" cannot be started by hand', hint)
        return
    node = step.get("inputs")
    if takes.inputs is None or (node is not None and not isinstance(node, Mapping)):
        return
    types = {name: kind for name, _, kind in takes.inputs}
    for key, value in node.entries if node else ():
        if key.text not in types:
            hint = did_you_mean(key.text, types, "it has") if types else "it takes none"
            edits = meant(file.at(key), key.text, [name for name in types if not (node and node.entry(name))])
            yield finding(file.at(key), RULE.id, f'the flow "{name}" has no input "{key.text}"', hint, edits=edits)
        elif isinstance(value, Scalar) and (
            wanted := input_fault(types[key.text], value.text if value.is_text else None, stage.settings.country)
        ):
            message = f'the input "{key.text}" of the flow "{name}" is {wanted}, not "{value.text}"'
            hint = "a test of bad input goes on with run: {status: failed}"
            yield finding(file.at(value), RULE.id, message, hint, "warning")
    missing = [each for each, is_required, _ in takes.inputs if is_required and not (node and node.entry(each))]
    unknown = [key.text for key, _ in node.entries if key.text not in types] if node else []
    if missing and not nearest(missing[0], unknown):
        message = f'the flow "{name}" needs the input "{missing[0]}"'
        yield finding(file.at(step.key), RULE.id, message, f"add it: inputs: {{{missing[0]}: …}}")


def _categories(file: TranscriptFile, step: ScriptStep, flow: Facts) -> Iterator[Diagnostic]:
    known = flow.categories
    for category in step.texts("category"):
        if known is not None and category.text not in known:
            message = f'no answer in the flow "{flow.named.name}" is of the category "{category.text}"'
            hint = did_you_mean(category.text, known, "it has") if known else "it waits for no answer"
            edits = meant(file.at(category), category.text, known)
            yield finding(file.at(category), RULE.id, message, hint, edits=edits)


_FLOW = """\
# file: flows/booking.yaml
name: booking
on:
  webhook: {path: /bookings, token: "{{ secrets.BOOKING_TOKEN }}"}
inputs: {number: {type: phone, value: "{{ event.json.phone }}"}}
contact: "{{ inputs.number }}"
steps:
  - reply: Your table is booked.
# file: flows/booking.test.yaml
"""

RULE = TranscriptRule(
    id="test-flow",
    reason="A test of a flow, an input or an address that is not there would fail, and not because of the flow.",
    failing=_FLOW
    + """\
flow: booking
tests:
  - name: tells the guest
    script:
      - webhook: {path: /booking, json: {phone: +61491570156}}
      - out: Your table is booked.
""",
    corrected=_FLOW
    + """\
flow: booking
tests:
  - name: tells the guest
    script:
      - webhook: {path: /bookings, json: {phone: +61491570156}}
      - out: Your table is booked.
""",
    check=_check,
    is_mixed=True,
)
