"""A field that the event does not have, for one of the triggers at least."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean, sure
from sinchflow.model.event import EVENT_FIELDS

#: Who asks for one field asks which of the triggers it was, so the others are known too.
_ASKED = re.compile(r"\bevent\.\w+\s+is\s+(not\s+)?(defined|undefined|none)\b")

#: What people call the fields of a message.
_CALLED = {
    **dict.fromkeys(("from", "sender", "number", "phone", "source", "source_number", "contact"), "source_address"),
    **dict.fromkeys(("to", "recipient", "destination", "destination_number", "our_number"), "destination_address"),
    **dict.fromkeys(("message", "text", "body", "msg", "message_text"), "content"),
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    kinds = outline.kinds
    if not kinds or not outline.has_all_triggers:
        return
    asks: dict[str, bool] = {}

    def is_asked(text: TextUse) -> bool:
        around = (text.scalar.text, *text.scope.conditions, *text.scope.passed)
        asks.update({each: _ASKED.search(each) is not None for each in around if each not in asks})
        return any(asks[each] for each in around)

    for text, use in outline.uses("event"):
        if len(use.path) < 2:
            continue
        concerned = _concerned(text.place, kinds)
        if not concerned:
            continue
        everything = sorted({name for kind in concerned for name in EVENT_FIELDS[kind]})
        field = use.path[1]
        lacking = [kind for kind in concerned if field not in EVENT_FIELDS[kind]]
        if len(lacking) == len(concerned):
            message = f'an event of {" or ".join(concerned)} has no field "{field}"'
            where = outline.at_part(text, use, 1)
            called = _CALLED.get(field)
            edits = () if called in everything else meant(where, field, everything)
            yield finding(where, RULE.id, message, _hint(field, called, concerned, everything), edits=edits)
        elif lacking and not use.guarded and text.place != "inputs.value_or_default" and not is_asked(text):
            message = f'"{field}" is not known when the flow is started by {" or ".join(lacking)}'
            yield finding(
                outline.at_part(text, use, 1), RULE.id, message, f"say what to use then: event.{field} | default('…')"
            )


def _hint(field: str, called: str | None, concerned: list[str], everything: list[str]) -> str:
    if not everything:
        return "it has none"
    listed = f"it has: {', '.join(everything)}"
    if called in everything:
        return f'did you mean "{called}"? {listed}'
    if concerned == ["webhook"] and sure(field, everything) is None:
        return f"of the body that was sent: event.json.{field}, or event.form.{field}; {listed}"
    return did_you_mean(field, everything, "it has")


def _concerned(place: str, kinds: tuple[str, ...]) -> list[str]:
    """The triggers whose events the text sees."""
    if place.startswith("webhook."):
        return ["webhook"]
    # An input's `value` is for events alone; by hand the input itself is given.
    return [kind for kind in kinds if not place.startswith("inputs.value") or kind != "manual"]


RULE = Rule(
    id="event-field",
    reason="Every trigger has its own fields; one that the event lacks fails the step.",
    failing="""\
on: delivery_receipt
steps:
  - log: "failed: {{ event.mesage_id }}"
""",
    corrected="""\
on: delivery_receipt
steps:
  - log: "failed: {{ event.message_id }}"
""",
    check=_check,
)
