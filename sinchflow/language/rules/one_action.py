"""A step without an action, or with several."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import ACTIONS, Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        names = [key.text for key, _ in step.actions]
        if not names and not step.unknown_keys and not step.node.entry("else"):
            where = outline.document.origin_of(step.head)
            yield finding(where, RULE.id, "this step has no action", f"add one of: {', '.join(ACTIONS)}")
        elif len(names) > 1:
            second = step.actions[1][0]
            listed = f"{', '.join(names[:-1])} and {names[-1]}"
            message = f"this step has {len(names)} actions: {listed}"
            hint = f'a step has one; begin a new step: "- {second.text}: …"'
            yield finding(outline.document.origin_of(second), RULE.id, message, hint)


RULE = Rule(
    id="one-action",
    reason="A step does one thing; the key that names it says which.",
    failing="""\
on: inbound_sms
steps:
  - log: got it
    reply: Thank you.
""",
    corrected="""\
on: inbound_sms
steps:
  - log: got it
  - reply: Thank you.
""",
    check=_check,
)
