"""`match.NAME` that no filter of the flow gives."""

from collections.abc import Iterator

import re2

from sinchflow.expression.pattern import regex_fault
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.nodes import Scalar, items_of
from sinchflow.language.outline import Outline, TriggerView
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean

#: Whose message it was that a receipt is about; none when it was nobody's of ours.
_SENDER = frozenset({"flow", "step", "run"})


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    uses = [(text, use) for text, use in outline.uses("match") if len(use.path) > 1]
    if not uses or not outline.has_all_triggers:
        return
    sets = [names for trigger in outline.triggers for names in _given(trigger)]
    if any(names is None for names in sets):
        return
    known = [names for names in sets if names is not None]
    everything = frozenset().union(*known)
    for text, use in uses:
        name = use.path[1]
        if name not in everything:
            message = f"no filter gives match.{name}"
            given = did_you_mean(name, everything, "given") if everything else ""
            where = outline.at_part(text, use, 1)
            hint = given or "keyword gives match.rest; a regex its named groups; a receipt match.flow, step and run"
            yield finding(where, RULE.id, message, hint, edits=meant(where, name, everything))
        elif not use.guarded and any(name not in names for names in known):
            message = f"match.{name} is not given by every filter that can start the flow"
            yield finding(
                outline.at_part(text, use, 1), RULE.id, message, f"say what to use then: match.{name} | default('…')"
            )


def _given(trigger: TriggerView) -> Iterator[frozenset[str] | None]:
    """What each way to match gives; None for a pattern that cannot be read (which has its own finding)."""
    filters = trigger.filters
    if trigger.kind == "delivery_receipt":
        yield _SENDER
        return
    rest = frozenset({"keyword", "rest"}) if filters and filters.entry("keyword") else frozenset()
    patterns = [node.text for node in items_of(filters.get("regex") if filters else None) if isinstance(node, Scalar)]
    if not patterns:
        yield rest
    for pattern in patterns:
        yield None if regex_fault(pattern) else rest | frozenset(re2.compile(pattern).groupindex)


RULE = Rule(
    id="match-group",
    reason="Only the named groups of a regex, and the rest of the text after a keyword, are captured.",
    failing="""\
on:
  inbound_sms:
    regex: 'order (?P<number>\\d+)'
steps:
  - reply: "Looking for {{ match.order }}"
""",
    corrected="""\
on:
  inbound_sms:
    regex: 'order (?P<number>\\d+)'
steps:
  - reply: "Looking for {{ match.number }}"
""",
    check=_check,
)
