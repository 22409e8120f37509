"""`steps.ID.outputs.NAME` of a flow that gives no such output."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.language.suggest import did_you_mean


def _check(survey: Survey) -> Iterator[Diagnostic]:
    flows = {flow.named.name: flow.takes.outputs for flow in survey.flows}
    for reading in (each for flow in survey.flows for each in flow.readings):
        known = flows.get(reading.flow)
        if not reading.is_waited:
            message = f'the step does not wait for the flow "{reading.flow}", so there are no outputs'
            yield finding(reading.origin, RULE.id, message, "delete wait: false from the step that runs it")
            continue
        if known is None or reading.output in known:
            continue
        message = f'the flow "{reading.flow}" gives no output "{reading.output}"'
        hint = f'give it there: outputs: {{{reading.output}: "{{{{ … }}}}"}}'
        hint = did_you_mean(reading.output, known, "it gives") or hint
        edits = meant(reading.origin, reading.output, known)
        yield finding(reading.origin, RULE.id, message, hint, edits=edits)


RULE = SetRule(
    id="flow-output",
    reason="A flow gives what stands under its `outputs`; any other name fails the step that reads it.",
    failing="""\
name: ask
on: inbound_sms
steps:
  - id: look_up
    run_flow: price
  - reply: "It costs {{ steps.look_up.outputs.cost }}."
---
name: price
on: manual
steps:
  - id: shop
    http: {url: https://shop.example.com/price}
outputs: {price: "{{ steps.shop.json.price }}"}
""",
    corrected="""\
name: ask
on: inbound_sms
steps:
  - id: look_up
    run_flow: price
  - reply: "It costs {{ steps.look_up.outputs.price }}."
---
name: price
on: manual
steps:
  - id: shop
    http: {url: https://shop.example.com/price}
outputs: {price: "{{ steps.shop.json.price }}"}
""",
    check=_check,
)
