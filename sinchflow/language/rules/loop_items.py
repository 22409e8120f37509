"""The items of a loop where a text can never give some."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import braced
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_NAME = re.compile(r"(?:event|inputs|vars|steps|match|contact|lists)(?:\.[A-Za-z_]\w*)+")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            items = node.get("items") if key.text == "for_each" and isinstance(node, Mapping) else None
            if isinstance(items, Scalar) and isinstance(items.value, str) and not _is_one_expression(items.text):
                message = "items is a list or a mapping, and this gives a text"
                inner = items.text if "{{" not in items.text else "…"
                hint = f'one expression keeps its type: items: "{{{{ {inner} }}}}"'
                where = outline.document.origin_of(items)
                edits = braced(where, items.text, is_plain=not items.style) if _NAME.fullmatch(items.text) else ()
                yield finding(where, RULE.id, message, hint, edits=edits)


def _is_one_expression(text: str) -> bool:
    text = text.removesuffix("\n")
    return text.startswith("{{") and text.endswith("}}") and text.count("{{") == 1


RULE = Rule(
    id="loop-items",
    reason="Only a list, a mapping, or a text that is one `{{ expression }}` can give items.",
    failing="""\
on: inbound_sms
steps:
  - for_each:
      items: event.attachments
      as: picture
      steps:
        - log: "{{ picture }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - for_each:
      items: "{{ event.attachments }}"
      as: picture
      steps:
        - log: "{{ picture }}"
""",
    check=_check,
)
