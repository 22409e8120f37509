"""Durations that are too long, or nothing where something is needed."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.duration import LONGEST, parse_duration
from sinchflow.language.nodes import Mapping, Node, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

#: Keys of durations, and whether 0 makes sense.
_KEYS = {"timeout": False, "per": False, "delay": True, "max_delay": True}
_GROUPS = ("throttle", "limits", "retry", "policy", "max_sends_per_contact")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    tops = [outline.root, *(step.node for step in outline.steps)]
    for key, value in (pair for top in tops for pair in _durations(top)):
        parsed = parse_duration(value.text)
        where = outline.document.origin_of(value)
        if parsed is None and value.text.rstrip("smhd").isdecimal():
            message = f"{key.text} of {value.text} is too long; at most {LONGEST.days}d is allowed"
            yield finding(where, RULE.id, message)
        elif parsed is not None and not parsed and not _KEYS[key.text]:
            yield finding(where, RULE.id, f"{key.text} must be longer than {value.text}")


def _durations(node: Mapping) -> Iterator[tuple[Scalar, Scalar]]:
    for key, value in node.entries:
        if key.text in _KEYS and isinstance(value, Scalar) and isinstance(value.value, str):
            yield key, value
        elif key.text in _GROUPS:
            yield from _durations(_mapping(value))


def _mapping(node: Node) -> Mapping:
    return node if isinstance(node, Mapping) else Mapping((), 0, 0)


RULE = Rule(
    id="duration-range",
    reason="A timeout of nothing fails always, and one of many years is a slip of the pen.",
    failing="""\
on: inbound_sms
throttle: {max: 1, per: 0s}
steps:
  - reply: Hello
""",
    corrected="""\
on: inbound_sms
throttle: {max: 1, per: 10m}
steps:
  - reply: Hello
""",
    check=_check,
    applies_to="both",
)
