"""Parts of the template language that are switched off, such as macros and imports."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.rules.template_syntax import faults


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    yield from faults(outline, RULE.id)


RULE = Rule(
    id="template-not-allowed",
    reason="Templates are for texts: what could run long, or reach what it should not, is no part of them.",
    failing="""\
on: inbound_sms
steps:
  - reply: "Hi {% include 'x' %}"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "Hi {{ event.content }}"
""",
    check=_check,
    applies_to="both",
)
