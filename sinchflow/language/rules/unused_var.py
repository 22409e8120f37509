"""Variables and inputs that nothing in the flow reads."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    if not (outline.vars or outline.inputs) or not (outline.has_all_steps and outline.has_all_vars):
        return
    if any(inspection.faults for _, inspection in outline.inspections):
        return
    for holder, noun in (("vars", "variable"), ("inputs", "input")):
        given = {key.text: key for key in reversed([*_given(outline, holder)]) if key.text.isidentifier()}
        read = _read(outline, holder)
        if not read <= given.keys() or read == given.keys():
            continue
        read |= _written(outline, holder)
        for name, key in given.items():
            if name not in read:
                message = f'nothing reads the {noun} "{name}"'
                hint = f"delete it, or read it as {holder}.{name}"
                yield finding(outline.document.origin_of(key), RULE.id, message, hint, "warning")


def _read(outline: Outline, holder: str) -> set[str]:
    """The names that are read. One that is not given, or is made up when the flow runs, means that nothing is sure."""
    return {use.path[1] if len(use.path) > 1 else "" for _, use in outline.uses(holder)}


def _written(outline: Outline, holder: str) -> set[str]:
    """The names that stand in a text anywhere, perhaps outside of a hole by mistake."""
    named = re.compile(rf"{holder}\.(\w+)")
    return {name for text in outline.texts for name in named.findall(text.scalar.text)}


def _given(outline: Outline, holder: str) -> Iterator[Scalar]:
    node = outline.root.get(holder)
    source = outline.document.text
    for key, value in node.entries if isinstance(node, Mapping) else ():
        if holder == "inputs" and not isinstance(value, Mapping):
            continue
        if "&" not in source[key.end : value.start]:  # an anchor: what reads it elsewhere is not known here
            yield key
    for step in outline.steps if holder == "vars" else ():
        for action, value in step.actions:
            if action.text == "set" and isinstance(value, Mapping):
                yield from (key for key, _ in value.entries)


RULE = Rule(
    id="unused-var",
    reason="A value that nothing reads is left over, or is read under another name.",
    failing="""\
vars: {phone: 1300 555 010}
on: inbound_sms
steps:
  - reply: Call 1300 555 011
""",
    corrected="""\
vars: {phone: 1300 555 010}
on: inbound_sms
steps:
  - reply: "Call {{ vars.phone }}"
""",
    check=_check,
)
