"""Two webhooks at one address, in whatever files: a call starts one flow only."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Address
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.model.origin import Origin


def _check(survey: Survey) -> Iterator[Diagnostic]:
    first: dict[tuple[str, str], Address] = {}
    told: set[Origin] = set()
    addresses = (address for flow in survey.flows for address in flow.addresses)
    for address in sorted(addresses, key=lambda each: each.place):
        other = first.setdefault((address.path, address.method), address)
        if other is not address and address.origin not in told:
            told.add(address.origin)
            message = f"{address.method} /flows{address.path} is taken by {other.origin.file}:{other.origin.line}"
            hint = "give it another path or method; a call starts one flow, which can run others with run_flow"
            yield finding(address.origin, RULE.id, message, hint)


RULE = SetRule(
    id="webhook-path",
    reason="A call starts one flow only, so a second flow at the same path and method would never run.",
    failing="""\
name: booked
on:
  webhook: {path: /bookings, token: "{{ secrets.BOOKING_TOKEN }}"}
steps:
  - log: "booked: {{ event.body }}"
---
name: changed
on:
  webhook: {path: /bookings, token: "{{ secrets.BOOKING_TOKEN }}"}
steps:
  - log: "changed: {{ event.body }}"
""",
    corrected="""\
name: booked
on:
  webhook: {path: /bookings, token: "{{ secrets.BOOKING_TOKEN }}"}
steps:
  - log: "booked: {{ event.body }}"
---
name: changed
on:
  webhook: {path: /bookings/changed, token: "{{ secrets.BOOKING_TOKEN }}"}
steps:
  - log: "changed: {{ event.body }}"
""",
    check=_check,
)
