"""Steps below one that always ends the run."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        if step.follows:
            message = f"this step never runs: the {step.follows} before it ends the run"
            where = outline.document.origin_of(step.head)
            yield finding(where, RULE.id, message, f"give the {step.follows} an if, or delete this step", "warning")


RULE = Rule(
    id="unreachable",
    reason="What stands below an unconditional `stop` or `fail` never runs.",
    failing="""\
on: inbound_sms
steps:
  - stop: nothing to do
  - reply: Hello
""",
    corrected="""\
on: inbound_sms
steps:
  - if: event.content is none
    stop: nothing to do
  - reply: Hello
""",
    check=_check,
)
