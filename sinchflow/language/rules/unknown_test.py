"""A test (`is …`) that templates do not have."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.rules.template_syntax import faults


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    yield from faults(outline, RULE.id)


RULE = Rule(
    id="unknown-test",
    reason="Templates have an allow-list of tests; one outside of it fails the step.",
    failing="""\
on: inbound_sms
steps:
  - reply: "{% if event.content is nothing %}Hi{% endif %} you"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "{% if event.content is none %}Hi{% endif %} you"
""",
    check=_check,
    applies_to="both",
)
