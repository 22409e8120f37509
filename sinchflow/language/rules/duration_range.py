"""Durations that are too long, too short, or nothing where something is needed."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from sinchflow.expression.durations import LONGEST, parse_duration
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


class _Range(msgspec.Struct, frozen=True):
    """What a key takes. reason: why not less or more; in words with the limits."""

    least: timedelta
    most: timedelta = LONGEST
    reason: str = ""
    step: timedelta = timedelta(milliseconds=1)


_ANY = _Range(timedelta(0))
_SOME = _Range(timedelta(milliseconds=1))
_SELDOM = _Range(timedelta(seconds=10), reason="less than 10s would use up the calls that messages need")
_RANGES = {
    "timeout": _SOME,
    "per": _SOME,
    "delay": _ANY,
    "max_delay": _ANY,
    "before": _ANY,
    "after": _ANY,
    "every": _SELDOM,
    "drift_every": _SELDOM,
    "max_age": _SOME,
    "unknown_after": _SOME,
    "settling_time": _SOME,
    "valid_for": _SOME,
    "read_timeout": _Range(timedelta(milliseconds=1), timedelta(seconds=60), "the provider waits 1ms to 60s"),
    "retry_delay": _Range(
        timedelta(seconds=5),
        timedelta(seconds=60),
        "the provider takes 5s to 60s, in whole seconds",
        timedelta(seconds=1),
    ),
}
#: Inside of these a duration of the same name takes something else.
_DAY = _Range(timedelta(days=1), reason="the shortest is 1d")
_OTHER_RANGES = {
    "schedule": {"every": _Range(timedelta(seconds=1), reason="the shortest is 1s")},
    "retention": {"events": _DAY, "runs": _DAY},
}
_GROUPS = (
    "throttle", "limits", "retry", "policy", "max_sends_per_contact", "max_sends_per_flow", "webhooks", "catch_up",
    "wait_for_reply", "wait_for_receipt", "delay", "on", "schedule", "sends", "send_sms", "reply", "retention",
)  # fmt: skip


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    tops = [outline.root, *outline.accounts.values(), *(step.node for step in outline.steps)]
    for key, value, ranges in (each for top in tops for each in _durations(top, _RANGES)):
        parsed = parse_duration(value.text)
        where = outline.document.origin_of(value)
        allowed = ranges[key.text]
        if parsed is None and value.text.rstrip("smhd").isdecimal():
            message = f"{key.text} of {value.text} is too long; at most {LONGEST.days}d is allowed"
            yield finding(where, RULE.id, message)
        elif parsed is not None and not parsed and allowed.least:
            yield finding(where, RULE.id, f"{key.text} must be longer than {value.text}", allowed.reason)
        elif parsed is not None and (not allowed.least <= parsed <= allowed.most or parsed % allowed.step):
            yield finding(where, RULE.id, f"{key.text} cannot be {value.text}", allowed.reason)


def _durations(node: Mapping, ranges: dict[str, _Range]) -> Iterator[tuple[Scalar, Scalar, dict[str, _Range]]]:
    for key, value in node.entries:
        if key.text in ranges and isinstance(value, Scalar) and isinstance(value.value, str):
            yield key, value, ranges
        elif key.text in _GROUPS:
            for inner in items_of(value):
                yield from _durations(_mapping(inner), ranges | _OTHER_RANGES.get(key.text, {}))


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
