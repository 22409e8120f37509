"""A name that templates do not have, or that is not there yet where it is used."""

import re
from collections.abc import Iterator

from sinchflow.expression.inspection import Use
from sinchflow.language.diagnostic import Diagnostic, Edit, finding
from sinchflow.language.fix import meant, respelled
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean, sure
from sinchflow.model.event import EVENT_FIELDS
from sinchflow.model.origin import Origin

_EARLY = ("event", "match", "contact", "our_number", "lists", "calendars", "env", "flow", "now")
#: What a template may name, by phase. While flows are being chosen there is no run yet.
NAMES: dict[str, tuple[str, ...]] = {
    "match": _EARLY,
    "begin": (*_EARLY, "inputs"),
    "step": (*_EARLY, "inputs", "vars", "run", "steps", "secrets", "error"),
    "project": ("secrets", "env"),
}

#: What is seldom meant without one of its values.
_WHOLE = ("vars", "inputs", "event")
_COMPARED = re.compile(r"(?:[=!<>]=|[<>]|\bin)\s*[\[(]?\s*\Z")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text, inspection in outline.inspections:
        known = _known(text)
        for use in inspection.uses:
            name = use.path[0]
            if name not in known and name != "secrets":
                where = outline.at_part(text, use, 0)
                edits = _edits(where, text, use, outline, settings)
                yield finding(where, RULE.id, *_words(text, name, use.offset, outline, settings), edits=edits)


def _known(text: TextUse) -> tuple[str, ...]:
    """What the text may name: that of its phase, and what is there besides where it stands."""
    names = NAMES[text.scope.phase]
    if text.scope.has_inputs and "inputs" not in names:
        names = (*names, "inputs")
    if text.place == "concurrency.key":
        names = (*names, "vars")
    return (*names, *sorted(text.scope.items.difference(names)))


def _words(text: TextUse, name: str, offset: int, outline: Outline, settings: Settings) -> tuple[str, str]:
    known = _known(text)
    if name in NAMES["step"]:
        place = "sinchflow.yaml" if text.scope.phase == "project" else f"the flow's {text.place.removeprefix('flow.')}"
        return f'"{name}" is not there yet in {place}', f"known here: {', '.join(sorted(known))}"
    owners = _owners(name, text, outline, settings)
    if owners:
        return f'unknown name "{name}"', f"did you mean {owners[0]}.{name}?"
    if _COMPARED.search(text.scalar.text, 0, offset) and sure(name, known) is None:
        return f'unknown name "{name}"', f'a text goes in quotes: "{name}"'
    return f'unknown name "{name}"', did_you_mean(name, known)


def _owners(name: str, text: TextUse, outline: Outline, settings: Settings) -> list[str]:
    """The names that have it: `content` alone is usually meant to be `event.content`."""
    has = {
        "lists": name in (settings.lists or ()),
        "calendars": name in (settings.calendars or ()),
        "vars": name in text.scope.vars,
        "steps": name in text.scope.steps,
        "inputs": name in outline.inputs,
        "event": any(name in EVENT_FIELDS[kind] for kind in outline.kinds),
    }
    return [owner for owner, has_it in has.items() if has_it]


def _edits(where: Origin, text: TextUse, use: Use, outline: Outline, settings: Settings) -> tuple[Edit, ...]:
    """The name that was meant; not of a word that something is compared with, which may lack its quotes."""
    name = use.path[0]
    if name in NAMES["step"] or _COMPARED.search(text.scalar.text, 0, use.offset):
        return ()
    owners = _owners(name, text, outline, settings)
    if owners:
        return respelled(where, name, f"{owners[0]}.{name}") if owners[0] in _WHOLE and len(owners) == 1 else ()
    return meant(where, name, _known(text))


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
