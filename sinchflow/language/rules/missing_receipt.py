"""Waits for the receipt of a message that asks for none."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_OF_STEP = re.compile(r"\s*\{\{\s*steps\.(\w+)\.message_id\s*\}\}\s*")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        found = _OF_STEP.fullmatch(text.scalar.text) if text.place == "receipt.message_id" else None
        step = outline.ids().get(found[1]) if found else None
        node = step.actions[0][1] if step and step.action in ("reply", "send_sms") else None
        wanted = node.get("delivery_report") if isinstance(node, Mapping) else None
        if found and isinstance(wanted, Scalar) and wanted.value is False:
            message = f'no receipt ever comes: step "{found[1]}" sends with delivery_report: false'
            where = outline.at(text, found.start(1), len(found[1]))
            yield finding(where, RULE.id, message, "delete delivery_report there, or this wait", "warning")


RULE = Rule(
    id="missing-receipt",
    reason="A message sent with `delivery_report: false` has no receipt: a wait for it lasts until its timeout.",
    failing="""\
on: inbound_sms
steps:
  - id: code
    reply: {message: Your code is 1234, delivery_report: false}
  - wait_for_receipt: {message_id: "{{ steps.code.message_id }}", timeout: 5m}
""",
    corrected="""\
on: inbound_sms
steps:
  - id: code
    reply: {message: Your code is 1234}
  - wait_for_receipt: {message_id: "{{ steps.code.message_id }}", timeout: 5m}
""",
    check=_check,
)
