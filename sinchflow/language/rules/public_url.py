"""Public addresses at which the provider's webhooks would not arrive."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from sinchflow.language.diagnostic import Diagnostic, Severity, finding
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_HOLE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
#: The provider fills in templates in a webhook's address, where `$` and `#` begin something.
_SIGNS = re.compile(r"[$#?]")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place == "webhooks.public_url":
            message, hint, severity = _fault(_HOLE.sub("x", text.scalar.text))
            if message:
                yield finding(outline.document.origin_of(text.scalar), RULE.id, message, hint, severity)


def _fault(url: str) -> tuple[str, str, Severity]:
    sign = _SIGNS.search(url)
    if sign:
        why = "/hooks/… is put behind it" if sign[0] == "?" else "the provider reads it as the beginning of a template"
        hint = "give the address up to its path, such as https://sms.example.com/sinch"
        return f'public_url cannot have "{sign[0]}" in it: {why}', hint, "error"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", "", "error"  # the rule `url` says it
    if "@" in parts.netloc:
        return "public_url cannot have a user name in it", "the token and webhooks.secret keep others out", "error"
    if re.search(r"/hooks(?:/|$)", parts.path):
        hint = "leave out /hooks and what follows it, unless your proxy takes it off"
        return "/hooks/… is put behind public_url, which has it already", hint, "warning"
    if parts.scheme.lower() == "http" and not _LOOPBACK.fullmatch(host):
        hint = "use https://, so that nobody on the way reads messages and the token"
        return "public_url is not encrypted", hint, "warning"
    return "", "", "error"


RULE = Rule(
    id="public-url",
    reason="The provider is given this address with /hooks/TOKEN/… behind it, and fills in templates in it.",
    failing="""\
webhooks: {public_url: "https://sms.example.com/sinch?to=us"}
""",
    corrected="""\
webhooks: {public_url: https://sms.example.com/sinch}
""",
    check=_check,
    is_mixed=True,
    applies_to="project",
)
