"""Ids of messages that are none."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import braced
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_PLACES = ("ask.message_id", "receipt.message_id")
_NAME = re.compile(r"(?:steps|event|vars|match|contact)\.[\w.]+")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        written = text.scalar.text
        if text.place in _PLACES and not text.is_template and not _UUID.fullmatch(written):
            meant = f"{{{{ {written} }}}}" if _NAME.fullmatch(written) else "{{ steps.ID.message_id }}"
            hint = f'did you mean "{meant}"?' if meant.find(written) > 0 else f'a step that sent gives one: "{meant}"'
            message = f'"{written}" is no message id: the provider\'s have 36 characters'
            where, is_plain = outline.document.origin_of(text.scalar), not text.scalar.style
            edits = braced(where, written, is_plain=is_plain) if _NAME.fullmatch(written) else ()
            yield finding(where, RULE.id, message, hint, edits=edits)


RULE = Rule(
    id="message-id",
    reason="The provider knows a message by the id that it gave to it when it was sent.",
    failing="""\
on: delivery_receipt
steps:
  - get_message_status: event.message_id
""",
    corrected="""\
on: delivery_receipt
steps:
  - get_message_status: "{{ event.message_id }}"
""",
    check=_check,
)
