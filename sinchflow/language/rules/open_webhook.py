"""Webhooks of flows that anybody may call."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for trigger in outline.triggers:
        if trigger.kind == "webhook" and trigger.filters is not None:
            given = {key.text for key, _ in trigger.filters.entries}
            if "path" in given and not given & {"token", "hmac"}:
                hint = 'add a secret: token: "{{ secrets.NAME }}"; the caller sends it in the header X-Token'
                message = "this webhook has neither token nor hmac: anybody may start the flow"
                yield finding(outline.document.origin_of(trigger.key), RULE.id, message, hint, "warning")


RULE = Rule(
    id="open-webhook",
    reason="Whoever finds the address of a webhook without a secret can start its flow, and have it send messages.",
    failing="""\
name: bookings
on: {webhook: {path: /bookings}}
steps:
  - log: "{{ event.json | tojson }}"
""",
    corrected="""\
name: bookings
on: {webhook: {path: /bookings, token: "{{ secrets.BOOKING_TOKEN }}"}}
steps:
  - log: "{{ event.json | tojson }}"
""",
    check=_check,
)
