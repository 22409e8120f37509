"""Delays that are before and after a time at once, or skip a step that is not there."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline, StepView
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "delay" and isinstance(node, Mapping):
                yield from _delay(outline, step, node)


def _delay(outline: Outline, step: StepView, node: Mapping) -> Iterator[Diagnostic]:
    before, after, if_past = node.entry("before"), node.entry("after"), node.get("if_past")
    if before and after:
        where = outline.document.origin_of(after[0])
        yield finding(where, RULE.id, "a delay is before its time or after it", "keep one of before and after")
    if step.is_last and isinstance(if_past, Scalar) and if_past.text == "skip":
        message = "if_past: skip leaves out the next step, and there is none"
        yield finding(outline.document.origin_of(if_past), RULE.id, message, "use stop, or move it")


RULE = Rule(
    id="delay-parts",
    reason="A delay ends at one time, and what it skips is the step after it.",
    failing="""\
on: inbound_sms
steps:
  - delay: {until: "{{ now() }}", before: 1h, after: 1h}
  - log: later
""",
    corrected="""\
on: inbound_sms
steps:
  - delay: {until: "{{ now() }}", after: 1h}
  - log: later
""",
    check=_check,
)
