"""What means the run's contact (`reply`, `remember`, `throttle` …) in a flow whose runs may be about nobody."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import ABOUT_NOBODY, Outline
from sinchflow.language.rules.rule import Rule, Settings

_NAME_IT = "name the contact at the top, for example: contact: "
_WAYS_OUT = {
    "reply": "; or use send_sms with to",
    "wait_for_reply": "; or say whose message: from: +61491570156",
    "concurrency": "; or say what counts as the same: key: …",
    "opt_out": "; or name the number: opt_out: +61491570156",
    "opt_in": "; or name the number: opt_in: +61491570156",
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    nobody = [kind for kind in outline.kinds if kind in ABOUT_NOBODY]
    if not nobody or not outline.has_all_triggers or outline.root.entry("contact"):
        return
    what = {"manual": "a manual start", "schedule": "a schedule", "webhook": "a webhook"}[nobody[0]]
    uses: list[Scalar] = [key for step in outline.steps for key, node in step.actions if _means_contact(key, node)]
    throttle, concurrency = outline.root.entry("throttle"), outline.root.entry("concurrency")
    uses += [throttle[0]] if throttle else []
    if concurrency and isinstance(concurrency[1], Mapping) and not concurrency[1].entry("key"):
        uses.append(concurrency[0])
    name_it = _NAME_IT + _likely_contact(outline, nobody)
    for key in uses:
        message = f"{key.text} needs a contact, and {what} is about nobody"
        yield finding(outline.document.origin_of(key), RULE.id, message, name_it + _WAYS_OUT.get(key.text, ""))
    for text, use in outline.uses("contact"):
        if use.path[1:] == ("number",) and not use.guarded:
            message = f"contact.number is nobody's when the flow is started by {nobody[0]}"
            yield finding(outline.at_part(text, use, 0), RULE.id, message, name_it)


def _likely_contact(outline: Outline, nobody: list[str]) -> str:
    """What the contact probably is: the input that is a number, what a webhook is told, else some number."""
    for name, given in outline.inputs.items():
        kind = given.get("type")
        if isinstance(kind, Scalar) and kind.text == "phone":
            return f'"{{{{ inputs.{name} }}}}"'
    return '"{{ event.json.phone }}"' if nobody == ["webhook"] else "+61491570156"


def _means_contact(key: Scalar, node: Node) -> bool:
    """Whether the action is about the run's contact."""
    if key.text in ("opt_out", "opt_in"):
        return not node.entry("number") if isinstance(node, Mapping) else isinstance(node, Scalar) and not node.is_text
    if key.text == "wait_for_reply":
        return isinstance(node, Mapping) and not node.entry("from")
    return key.text in ("reply", "remember")


RULE = Rule(
    id="contact-needed",
    reason="`reply`, `remember`, `throttle` and waits mean the contact; schedules, webhooks and people give none.",
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
