"""A name that templates do not have, or that is not there yet where it is used."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.event import EVENT_FIELDS

_EARLY = ("event", "match", "contact", "our_number", "lists", "calendars", "env", "flow", "now")
#: What a template may name, by phase. While flows are being chosen there is no run yet.
NAMES: dict[str, tuple[str, ...]] = {
    "match": _EARLY,
    "begin": (*_EARLY, "inputs"),
    "step": (*_EARLY, "inputs", "vars", "run", "steps", "secrets", "error"),
    "project": ("secrets", "env"),
}


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text, inspection in outline.inspections:
        known = _known(text)
        for use in inspection.uses:
            name = use.path[0]
            if name not in known and name != "secrets":
                yield finding(outline.at_part(text, use, 0), RULE.id, *_words(text, name, outline, settings))


def _known(text: TextUse) -> tuple[str, ...]:
    """What the text may name: that of its phase, and what is there besides where it stands."""
    names = NAMES[text.scope.phase]
    if text.scope.has_inputs and "inputs" not in names:
        names = (*names, "inputs")
    if text.place == "concurrency.key":
        names = (*names, "vars")
    return (*names, *sorted(text.scope.items.difference(names)))


def _words(text: TextUse, name: str, outline: Outline, settings: Settings) -> tuple[str, str]:
    known = _known(text)
    if name in NAMES["step"]:
        place = "sinchflow.yaml" if text.scope.phase == "project" else f"the flow's {text.place.removeprefix('flow.')}"
        return f'"{name}" is not there yet in {place}', f"known here: {', '.join(sorted(known))}"
    owner = _owner(name, text, outline, settings)
    if owner:
        return f'unknown name "{name}"', f"did you mean {owner}.{name}?"
    return f'unknown name "{name}"', did_you_mean(name, known)


def _owner(name: str, text: TextUse, outline: Outline, settings: Settings) -> str:
    """The name that has it: `content` alone is usually meant to be `event.content`."""
    if name in (settings.lists or ()):
        return "lists"
    if name in (settings.calendars or ()):
        return "calendars"
    if name in text.scope.vars:
        return "vars"
    if name in text.scope.steps:
        return "steps"
    if name in outline.inputs:
        return "inputs"
    return "event" if any(name in EVENT_FIELDS[kind] for kind in outline.kinds) else ""


RULE = Rule(
    id="unknown-name",
    reason="An undefined name fails the step: a message is never sent with a hole in it.",
    failing="""\
on: inbound_sms
steps:
  - reply: "You wrote {{ content }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "You wrote {{ event.content }}"
""",
    check=_check,
    applies_to="both",
)
