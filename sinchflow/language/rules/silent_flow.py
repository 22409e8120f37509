"""Receipts of flows that send nothing, or nothing of which receipts come: what waits for them never starts."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.rules.rule import SetRule, Survey


def _check(survey: Survey) -> Iterator[Diagnostic]:
    awaited = [each for flow in survey.flows if flow.is_enabled for each in flow.references if each.inputs is None]
    flows = {flow.named.name: flow for flow in survey.flows} if awaited else {}
    for each in awaited:
        sender = flows.get(each.name)
        if sender is not None and sender.is_enabled and not sender.traffic.may_be_reported:
            message = f'the flow "{each.name}" sends no message of which a receipt comes: it never starts this one'
            hint = "name the flow that has the reply or send_sms, without delivery_report: false"
            yield finding(each.origin, RULE.id, message, hint, "warning")


RULE = SetRule(
    id="silent-flow",
    reason=(
        "`flow` of a receipt names the flow whose own steps sent the message, not one that ran it: a flow that sends "
        "nothing itself, or sends without asking for receipts, gets none."
    ),
    failing="""\
name: remind-all
on:
  schedule: {cron: "0 17 * * *"}
steps:
  - for_each:
      items: ["+61491570156", "+61491570157"]
      steps:
        - run_flow: {flow: remind, inputs: {number: "{{ item }}"}}
---
name: remind
on: manual
inputs:
  number: {type: phone}
contact: "{{ inputs.number }}"
steps:
  - reply: We see you tomorrow.
---
name: not-reminded
on:
  delivery_receipt: {flow: remind-all, status: failed}
steps:
  - log: "{{ event.destination_address }} has no reminder"
""",
    corrected="""\
name: remind-all
on:
  schedule: {cron: "0 17 * * *"}
steps:
  - for_each:
      items: ["+61491570156", "+61491570157"]
      steps:
        - run_flow: {flow: remind, inputs: {number: "{{ item }}"}}
---
name: remind
on: manual
inputs:
  number: {type: phone}
contact: "{{ inputs.number }}"
steps:
  - reply: We see you tomorrow.
---
name: not-reminded
on:
  delivery_receipt: {flow: remind, status: failed}
steps:
  - log: "{{ event.destination_address }} has no reminder"
""",
    check=_check,
)
