"""Addresses that cannot be called."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_PLACES = ("http.url", "send.callback_url", "send.media", "base_url", "webhooks.public_url")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place not in _PLACES:
            continue
        reason = _fault(text.scalar.text, text.is_template)
        if reason:
            message = f'"{text.scalar.text}" {reason}'
            hint = "" if "space" in reason else "begin it with https:// or http:// and a host"
            yield finding(outline.document.origin_of(text.scalar), RULE.id, message, hint)


def _fault(url: str, is_template: bool) -> str:
    if url.startswith(("{{", "{%")):
        return ""
    if not re.match(r"https?://", url, re.IGNORECASE):
        return "is no address that can be called" if _SCHEME.match(url) else "has no https:// before it"
    if is_template:
        return ""
    if re.search(r"\s", url):
        return "has a space in it; write %20"
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    return "" if valid else "has no valid host or port"


RULE = Rule(
    id="url",
    reason="Only http and https can be called.",
    failing="""\
on: inbound_sms
steps:
  - http: {url: crm.example.com/new}
""",
    corrected="""\
on: inbound_sms
steps:
  - http: {url: https://crm.example.com/new}
""",
    check=_check,
    applies_to="both",
)
