"""Idempotency keys that do not tell one call from another, or are given twice."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_HEADER = "idempotency-key"


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "http" and isinstance(node, Mapping) and (given := node.entry("idempotency_key")):
                yield from _at(outline, node, *given)


def _at(outline: Outline, http: Mapping, key: Scalar, value: object) -> Iterator[Diagnostic]:
    headers = http.get("headers")
    for name, _ in headers.entries if isinstance(headers, Mapping) else ():
        if name.text.lower() == _HEADER:
            message = f"the header {name.text} is given by idempotency_key, too"
            yield finding(outline.document.origin_of(name), RULE.id, message, "keep one of them")
    if isinstance(value, Scalar) and "{{" not in value.text:
        message = f'idempotency_key is "{value.text}" in every run: a server takes the second call for a repeat'
        hint = 'let it name what is done, as in "{{ event.message_id }}"'
        yield finding(outline.document.origin_of(value), RULE.id, message, hint, severity="warning")


_FLOW = """\
on: {inbound_sms: {keyword: BUY}}
steps:
  - http:
      method: POST
      url: https://shop.example.com/orders
      json: {number: "{{ contact.number }}"}
"""

RULE = Rule(
    id="idempotency-key",
    reason="A server that knows the header acts once for each key: one key for all orders makes one order.",
    failing=_FLOW + "      idempotency_key: order\n",
    corrected=_FLOW + '      idempotency_key: "{{ event.reply_id }}"\n',
    check=_check,
    is_mixed=True,
)
