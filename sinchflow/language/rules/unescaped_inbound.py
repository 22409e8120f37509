"""A stranger's text in an address, a header, a recipient or a body put together by hand."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, Severity, finding
from sinchflow.language.inbound import Foreign, Inbound
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_PLACES = frozenset({"http.url", "http.headers", "http.body", "send.to", "send.callback_url", "send.media"})
_ADDRESSES = ("http.url", "send.callback_url", "send.media")
_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_OURS = re.compile(r"[^{}]*\{\{ ?(?:secrets|env|our_number|run|flow)(?:\.\w+)? ?\}\}[^{}]*")
#: Bodies whose signs mean something to whoever reads them.
_STRUCTURED = re.compile(r"""[{\[]\s*["{\[]|<\w""")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    texts = [text for text in outline.texts if text.place in _PLACES and _is_filled(text.scalar.text)]
    if not texts:
        return
    inbound = Inbound(outline)
    for text in texts:
        for foreign in inbound.holes(text, with_encoded=text.place in _ADDRESSES):
            found = _judge(foreign, is_open=inbound.is_open)
            if found is not None:
                message, hint, severity = found
                at = foreign.use.offset
                yield finding(outline.at(text, at, foreign.use.length), RULE.id, message, hint, severity)
                break  # one for each text: what mends it mends the others


def _is_filled(source: str) -> bool:
    """Whether it is worth while to look who fills it: secrets and the like are nobody's texts."""
    return "{{" in source and not _OURS.fullmatch(source)


def _judge(foreign: Foreign, *, is_open: bool) -> tuple[str, str, Severity] | None:
    place, name, source = foreign.text.place, foreign.name, foreign.text.scalar.text
    before = _HOLE.sub("x", source[: foreign.start])
    if place in _ADDRESSES:
        return _in_address(place, name, before, is_encoded="urlencode" in source[foreign.start : foreign.end])
    if place == "http.headers":
        message = f"{name} is a stranger's text: with a line break in it, this header fails the step"
        return message, f"write {{{{ {name} | urlencode }}}}, or send it in json:", "warning"
    if place == "http.body":
        is_json = "{{" in source and "tojson" in source[foreign.start : foreign.end]
        if is_json or not _STRUCTURED.search(_HOLE.sub("", source)):
            return None
        message = f"{name} is a stranger's text: a quote or a bracket in it makes another body of this one"
        return message, "give the data as json: or form:, which write every sign as it must be", "warning"
    if is_open and foreign.use.path[0] != "match":  # `open-webhook` says that anybody may have messages sent
        return None
    message = f"{name} is a stranger's text: anybody may have messages sent to any number at your cost"
    return message, "send to contact.number, or to a number from a list of yours", "warning"


def _in_address(place: str, name: str, before: str, *, is_encoded: bool) -> tuple[str, str, Severity] | None:
    _, scheme, rest = before.partition("://")
    if not before or (scheme and not re.search(r"[/?#]", rest)):
        who = "whom the flow calls" if place == "http.url" else "whom Sinch calls"
        message = f"{name} is a stranger's text: it decides {who}"
        return message, "write the host out, or take it from env or a list of yours", "error"
    if is_encoded:
        return None
    if "?" in rest or (not scheme and "?" in before):
        hint = f"write {{{{ {name} | urlencode }}}}"
        parameter = re.search(r"([\w.-]+)=[^=&]*$", before)
        if place == "http.url":
            hint += (
                f', or query: {{{parameter[1] if parameter else "name"}: "{{{{ {name} }}}}"}}, which does it for you'
            )
        return f"{name} is a stranger's text: with & or # in it, it adds or cuts off parameters", hint, "warning"
    hint = f"write {{{{ {name} | urlencode }}}}"
    return f"{name} is a stranger's text: with /, .. or ? in it, it calls another address", hint, "warning"


RULE = Rule(
    id="unescaped-inbound",
    reason=(
        "Whoever texts you writes what he likes: `1&refund=true`, `../admin`, a line break. In an address such signs "
        "call something else than you meant. `query`, `json` and `form` take their meaning away; so does `urlencode`."
    ),
    failing="""\
on:
  inbound_sms: {keyword: ORDER}
steps:
  - http: {url: "https://shop.example.com/orders?number={{ match.rest }}"}
""",
    corrected="""\
on:
  inbound_sms: {keyword: ORDER}
steps:
  - http: {url: https://shop.example.com/orders, query: {number: "{{ match.rest }}"}}
""",
    check=_check,
    is_mixed=True,
)
