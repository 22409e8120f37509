"""`timeout` or `retry` around an action that neither takes time nor can be tried again."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import ASKS, Outline
from sinchflow.language.rules.rule import Rule, Settings

_TAKES_TIME = ("reply", "send_sms", *ASKS, "http")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        if step.action is None or step.action in _TAKES_TIME:
            continue
        for name in ("timeout", "retry"):
            pair = step.node.entry(name)
            if pair:
                message = f"{name} has no meaning for {step.action}"
                hint = f"it works with {', '.join(_TAKES_TIME)}; delete it here"
                yield finding(outline.document.origin_of(pair[0]), RULE.id, message, hint)


RULE = Rule(
    id="action-option",
    reason="Only messages and calls wait for somebody else, and can fail today and work tomorrow.",
    failing="""\
on: inbound_sms
steps:
  - log: got it
    timeout: 5s
""",
    corrected="""\
on: inbound_sms
steps:
  - log: got it
""",
    check=_check,
)
