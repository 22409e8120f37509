"""What a wait gives only when somebody answered, read where it may have timed out."""

from collections.abc import Iterator

from sinchflow.language.asked import has_ended
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

#: What is none after a timeout, by action.
_NONE_THEN = {"wait_for_reply": ("reply", "match"), "wait_for_receipt": ("receipt",)}
_WORDS = ("category", "status", "reply is", "receipt is")
_ASKS = {"wait_for_reply": 'category != "timeout"', "wait_for_receipt": 'status != "timeout"'}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, use in outline.uses("steps"):
        if len(use.path) < 4 or use.guarded:
            continue
        given = text.scope.steps.get(use.path[1])
        name = f"steps.{use.path[1]}."
        if given is None or given.certainty != "sure" or use.path[2] not in _NONE_THEN.get(given.action or "", ()):
            continue
        # Of the branches before only one for the timeout helps.
        passed = (each for each in text.scope.passed if "timeout" in each or " none" in each)
        asked = (*text.scope.conditions, *passed, text.scalar.text)
        if any(f"{name}{word}" in each for each in asked for word in _WORDS) or has_ended(outline, text, name):
            continue
        field = ".".join(use.path[2:])
        message = f'there is no {field} when step "{use.path[1]}" timed out, and this step fails then'
        hint = f"ask first: if: {name}{_ASKS[str(given.action)]}, or use | default('…')"
        yield finding(outline.at_part(text, use, 2), RULE.id, message, hint, "warning")


RULE = Rule(
    id="missing-answer",
    reason="A wait that timed out has no answer: reading it then fails the step, and the customer hears nothing.",
    failing="""\
on: inbound_sms
steps:
  - reply: What is your name?
  - id: name
    wait_for_reply: {timeout: 1h}
  - reply: "Thank you, {{ steps.name.reply.content }}."
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: What is your name?
  - id: name
    wait_for_reply: {timeout: 1h}
  - if: steps.name.category == "timeout"
    stop: no name was given
  - reply: "Thank you, {{ steps.name.reply.content }}."
""",
    check=_check,
)
