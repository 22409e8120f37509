"""Inputs that an event can never give, or whose `value` is never asked for."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import as_truth, rewritten
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

#: How a value of a type is written.
WRITTEN = {
    "integer": (re.compile(r"\s*[+-]?[0-9]+(?:\.0*)?\s*"), "a whole number"),
    "number": (re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*"), "a number"),
    "boolean": (re.compile(r"true|false"), "true or false"),
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    inputs = outline.root.get("inputs")
    if not isinstance(inputs, Mapping) or not outline.kinds or not outline.has_all_triggers:
        return
    events = [kind for kind in outline.kinds if kind != "manual"]
    for key, _ in inputs.entries:
        given = outline.inputs[key.text]
        if not isinstance(inputs.get(key.text), Mapping):
            continue
        yield from _default(outline, given)
        where = outline.document.origin_of(key)
        if events and not given.entry("value") and not given.entry("default"):
            message = f'the input "{key.text}" is missing whenever {events[0]} starts the flow'
            hint = "say where it comes from: value: …, or what it is then: default: …"
            yield finding(where, RULE.id, message, hint)
        elif not events and (value := given.entry("value")):
            message = "value is for events, and nothing but a manual start begins this flow"
            where = outline.document.origin_of(value[0])
            yield finding(where, RULE.id, message, "delete it, or write default", "warning")


def _default(outline: Outline, given: Mapping) -> Iterator[Diagnostic]:
    """A default that is written out and is not of the input's type."""
    kind, default = given.get("type"), given.get("default")
    wanted = WRITTEN.get(kind.text) if isinstance(kind, Scalar) else None
    if wanted is None or default is None or (isinstance(default, Scalar) and "{{" in default.text):
        return
    form, words = wanted
    if not isinstance(default, Scalar) or (default.is_text and not form.fullmatch(default.text)):
        shown = f'"{default.text[:60]}"' if isinstance(default, Scalar) else "a list or a mapping"
        where = outline.document.origin_of(default)
        truth = as_truth(default.text) if isinstance(default, Scalar) and words == WRITTEN["boolean"][1] else None
        edits = rewritten(outline.document, default, truth) if truth and isinstance(default, Scalar) else ()
        message, hint = f"the default is {words}, not {shown}", "write one, or change the type"
        yield finding(where, RULE.id, message, hint, edits=edits)


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
