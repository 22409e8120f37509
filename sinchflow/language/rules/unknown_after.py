"""`unknown_after` where nothing is looked up."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_ACTIONS = ("reply", "send_sms")
_KEYS = ("unknown_after", "settling_time")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    places = [node for step in outline.steps for key, node in step.actions if key.text in _ACTIONS]
    if (sends := outline.root.get("sends")) is not None:
        places.append(sends)
    for node in places:
        chosen = node.get("on_unknown") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or not isinstance(chosen, Scalar) or chosen.text == "check":
            continue
        for name in _KEYS:
            if (pair := node.entry(name)) is not None:
                message = f"{name} counts with `on_unknown: check`, and here it is {chosen.text}"
                yield finding(outline.document.origin_of(pair[0]), RULE.id, message, "delete one of them")


RULE = Rule(
    id="unknown-after",
    reason="Only `on_unknown: check` looks anything up: elsewhere there is nothing that could take its time.",
    failing="""\
on: {inbound_sms: {keyword: CODE}}
steps:
  - reply: {message: Your code is 4711, on_unknown: hold, unknown_after: 10m}
""",
    corrected="""\
on: {inbound_sms: {keyword: CODE}}
steps:
  - reply: {message: Your code is 4711, on_unknown: check, unknown_after: 10m}
""",
    check=_check,
    applies_to="both",
)
