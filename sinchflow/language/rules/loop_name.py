"""A loop's `as` that hides another name."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.rules.unknown_name import NAMES
from sinchflow.language.walk import DEFAULT_ITEM

_TAKEN = {name for names in NAMES.values() for name in names} | {"loop", "inputs"}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text != "for_each" or not isinstance(node, Mapping):
                continue
            pair = node.entry("as")
            name = pair[1].text if pair and isinstance(pair[1], Scalar) else DEFAULT_ITEM
            where = outline.document.origin_of(pair[1] if pair else key)
            if name in _TAKEN:
                yield finding(where, RULE.id, f'"{name}" means something else in templates', "choose another name")
            elif name in step.scope.items:
                message = f'"{name}" is the item of the loop around this one'
                yield finding(where, RULE.id, message, "give this one a name: as: …")


RULE = Rule(
    id="loop-name",
    reason="A name in a template means one thing.",
    failing="""\
on: inbound_sms
steps:
  - for_each:
      items: [a, b]
      as: event
      steps:
        - log: hi
""",
    corrected="""\
on: inbound_sms
steps:
  - for_each:
      items: [a, b]
      as: letter
      steps:
        - log: "{{ letter }}"
""",
    check=_check,
)
