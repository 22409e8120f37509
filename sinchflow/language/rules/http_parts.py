"""Parts of an `http` that do not go together: two bodies, half an authentication."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_BODIES = ("json", "form", "body")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "http" and isinstance(node, Mapping):
                yield from _bodies(outline, node)
                yield from _auth(outline, node)


def _bodies(outline: Outline, node: Mapping) -> Iterator[Diagnostic]:
    given = [key for key, _ in node.entries if key.text in _BODIES]
    for extra in given[1:]:
        message = f"http has a body twice: {given[0].text} and {extra.text}"
        yield finding(outline.document.origin_of(extra), RULE.id, message, "keep one of json, form and body")
    method = node.entry("method")
    if given and method and getattr(method[1], "text", "") in ("GET", "HEAD"):
        message = f"a {getattr(method[1], 'text', '')} call has no body, but {given[0].text} is given"
        yield finding(outline.document.origin_of(given[0]), RULE.id, message, "use method: POST, or query")


def _auth(outline: Outline, node: Mapping) -> Iterator[Diagnostic]:
    auth = node.entry("auth")
    if auth is None or not isinstance(auth[1], Mapping):
        return
    names = {key.text for key, _ in auth[1].entries}
    if "bearer" in names and len(names) > 1:
        yield finding(outline.document.origin_of(auth[0]), RULE.id, "auth is either bearer, or username and password")
    elif names in ({"username"}, {"password"}):
        missing = "password" if "username" in names else "username"
        yield finding(outline.document.origin_of(auth[0]), RULE.id, f'auth needs "{missing}" too')


RULE = Rule(
    id="http-parts",
    reason="A call has one body and one kind of authentication.",
    failing="""\
on: inbound_sms
steps:
  - http: {method: POST, url: https://crm.example.com/, json: {a: 1}, body: text}
""",
    corrected="""\
on: inbound_sms
steps:
  - http: {method: POST, url: https://crm.example.com/, json: {a: 1}}
""",
    check=_check,
)
