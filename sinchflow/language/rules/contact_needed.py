"""`reply`, `throttle` or `contact.number` in a flow whose runs may be about nobody."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_HINT = "name the contact at the top, for example: contact: +61491570156"


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    if "manual" not in outline.kinds or not outline.has_all_triggers or outline.root.entry("contact"):
        return
    uses: list[Scalar] = [key for step in outline.steps for key, _ in step.actions if key.text == "reply"]
    throttle = outline.root.entry("throttle")
    uses += [throttle[0]] if throttle else []
    for key in uses:
        message = f"{key.text} needs a contact, and a manual start is about nobody"
        hint = f"{_HINT}; or use send_sms with to" if key.text == "reply" else _HINT
        yield finding(outline.document.origin_of(key), RULE.id, message, hint)
    for text, use in outline.uses("contact"):
        if use.path[1:] == ("number",) and not use.guarded:
            message = "contact.number is nobody's when the flow is started by manual"
            yield finding(outline.at_part(text, use, 0), RULE.id, message, _HINT)


RULE = Rule(
    id="contact-needed",
    reason="`reply` and `throttle` mean the person whom the run is about; a manual start is about nobody by itself.",
    failing="""\
on: manual
steps:
  - reply: Hello
""",
    corrected="""\
on: manual
contact: +61491570156
steps:
  - reply: Hello
""",
    check=_check,
)
