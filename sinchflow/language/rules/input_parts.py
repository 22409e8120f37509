"""Inputs that an event can never give, or whose `value` is never asked for."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    inputs = outline.root.get("inputs")
    if not isinstance(inputs, Mapping) or not outline.kinds or not outline.has_all_triggers:
        return
    events = [kind for kind in outline.kinds if kind != "manual"]
    for key, _ in inputs.entries:
        given = outline.inputs[key.text]
        where = outline.document.origin_of(key)
        if events and not given.entry("value") and not given.entry("default"):
            message = f'the input "{key.text}" is missing whenever {events[0]} starts the flow'
            hint = "say where it comes from: value: …, or what it is then: default: …"
            yield finding(where, RULE.id, message, hint)
        elif not events and (value := given.entry("value")):
            message = "value is for events, and nothing but a manual start begins this flow"
            where = outline.document.origin_of(value[0])
            yield finding(where, RULE.id, message, "delete it, or write default", "warning")


RULE = Rule(
    id="input-parts",
    reason="An event gives an input by its `value`; without one, and without a default, every run would fail.",
    failing="""\
on:
  webhook: {path: /orders, token: "{{ secrets.SHOP }}"}
inputs: {order: {type: string}}
steps:
  - log: "{{ inputs.order }}"
""",
    corrected="""\
on:
  webhook: {path: /orders, token: "{{ secrets.SHOP }}"}
inputs: {order: {type: string, value: "{{ event.json.order }}"}}
steps:
  - log: "{{ inputs.order }}"
""",
    check=_check,
)
