"""`steps.ID.NAME` that the step's action does not give."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.message import MESSAGE_FIELDS

_SENT = ("messages", "message_id", "status", "sent", "skipped", "not_sent")
_ROUNDS = ("results", "count", "failed")
_OPTED = ("number", "opted_out")
#: What each action gives; the others give nothing.
OUTPUTS: dict[str, tuple[str, ...]] = {
    "reply": _SENT,
    "send_sms": _SENT,
    "get_message_status": MESSAGE_FIELDS,
    "get_sender_ids": ("pagination", "default_sender", "senders", "account_id", "vendor_id"),
    "cancel_message": MESSAGE_FIELDS,
    "opt_out": _OPTED,
    "opt_in": _OPTED,
    "http": ("status", "headers", "json", "rows", "text", "duration"),
    "wait_for_reply": ("category", "reply", "match"),
    "wait_for_receipt": ("status", "receipt"),
    "for_each": _ROUNDS,
    "parallel": _ROUNDS,
    "run_flow": ("outputs", "run", "status"),
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, use in outline.uses("steps"):
        given = text.scope.steps.get(use.path[1]) if len(use.path) > 2 else None
        if given is None or given.action is None:
            continue
        names = OUTPUTS.get(given.action, ())
        if use.path[2] not in names:
            message = f'step "{use.path[1]}" ({given.action}) gives no "{use.path[2]}"'
            hint = did_you_mean(use.path[2], names, "it gives") if names else f"{given.action} gives nothing"
            where = outline.at_part(text, use, 2)
            yield finding(where, RULE.id, message, hint, edits=meant(where, use.path[2], names))


RULE = Rule(
    id="step-output",
    reason="Each action gives certain values; any other name is undefined and fails the step that reads it.",
    failing="""\
on: inbound_sms
steps:
  - id: shop
    http: {url: https://shop.example.com/hours}
  - reply: "Open: {{ steps.shop.body }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - id: shop
    http: {url: https://shop.example.com/hours}
  - reply: "Open: {{ steps.shop.text }}"
""",
    check=_check,
)
