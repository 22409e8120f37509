"""`reply`, `opt_out`, `throttle` or `contact.number` in a flow whose runs may be about nobody."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_HINT = "name the contact at the top, for example: contact: +61491570156"
_WAYS_OUT = {
    "reply": "; or use send_sms with to",
    "opt_out": "; or name the number: opt_out: +61491570156",
    "opt_in": "; or name the number: opt_in: +61491570156",
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    if "manual" not in outline.kinds or not outline.has_all_triggers or outline.root.entry("contact"):
        return
    uses: list[Scalar] = [key for step in outline.steps for key, node in step.actions if _means_contact(key, node)]
    throttle = outline.root.entry("throttle")
    uses += [throttle[0]] if throttle else []
    for key in uses:
        message = f"{key.text} needs a contact, and a manual start is about nobody"
        yield finding(outline.document.origin_of(key), RULE.id, message, _HINT + _WAYS_OUT.get(key.text, ""))
    for text, use in outline.uses("contact"):
        if use.path[1:] == ("number",) and not use.guarded:
            message = "contact.number is nobody's when the flow is started by manual"
            yield finding(outline.at_part(text, use, 0), RULE.id, message, _HINT)


def _means_contact(key: Scalar, node: Node) -> bool:
    """Whether the action is about the run's contact."""
    if key.text in ("opt_out", "opt_in"):
        return not node.entry("number") if isinstance(node, Mapping) else isinstance(node, Scalar) and not node.is_text
    return key.text == "reply"


RULE = Rule(
    id="contact-needed",
    reason="`reply`, `opt_out` and `throttle` mean the run's contact, and a manual start is about nobody by itself.",
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
