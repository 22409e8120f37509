"""A secret where it could be sent, logged or stored."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_ALLOWED = frozenset(
    {
        "http.url", "http.query", "http.headers", "http.auth", "http.body", "http.json", "http.form",
        "credentials.api_key", "credentials.api_secret", "webhooks.token", "webhooks.secret",
        "webhook.token", "webhook.hmac.secret",
    }
)  # fmt: skip


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text, use in outline.uses("secrets"):
        where = outline.at_part(text, use, 0)
        if text.place not in _ALLOWED:
            hint = "secrets may stand in url, query, headers, auth and body of http, and in credentials and tokens"
            place = text.place.removeprefix("flow.").removeprefix("send.").removeprefix("ask.")
            yield finding(where, RULE.id, f"a secret cannot stand in {place}", hint)
        elif use.filtered:
            message = "a secret cannot pass through a filter: flows see a reference to it, never its text"
            yield finding(where, RULE.id, message, "store the secret in the form in which it is needed")
        elif len(use.path) != 2:
            yield finding(where, RULE.id, "a secret is named as secrets.NAME", "for example: {{ secrets.CRM_TOKEN }}")


RULE = Rule(
    id="secret-place",
    reason="Secrets travel as references that only an HTTP call fills in: they never reach a message, log or journal.",
    failing="""\
on: inbound_sms
steps:
  - log: "calling with {{ secrets.CRM_TOKEN }}"
""",
    corrected="""\
on: inbound_sms
steps:
  - http:
      url: https://crm.example.com/
      headers: {Authorization: "Bearer {{ secrets.CRM_TOKEN }}"}
""",
    check=_check,
    applies_to="both",
)
