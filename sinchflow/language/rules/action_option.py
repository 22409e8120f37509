"""`timeout` or `retry` around an action that neither takes time nor can be tried again."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import ASKS, Outline
from sinchflow.language.rules.rule import Rule, Settings

_TAKES_TIME = ("reply", "send_sms", *ASKS, "http")
#: What may take too long, but cannot be tried again.
_BLOCKS = ("choose", "then", "for_each", "parallel", "run_flow")
_BY_OPTION = {"timeout": (*_TAKES_TIME, *_BLOCKS), "retry": _TAKES_TIME}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        if step.action is None or step.action in _TAKES_TIME:
            continue
        for name, actions in _BY_OPTION.items():
            pair = step.node.entry(name)
            if pair and step.action not in actions:
                message = f"{name} has no meaning for {step.action}"
                hint = f"it works with {', '.join(actions)}; delete it here"
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
