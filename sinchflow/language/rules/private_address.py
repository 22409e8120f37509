"""Calls to addresses that are refused when the flow runs."""

from collections.abc import Iterator

from sinchflow.expression.addresses import Reach, to_allow
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.hosts import host_of, is_private_name, private_meaning
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.model.origin import Origin

#: What Sinch calls or fetches, whatever the project allows.
_BY_SINCH = ("send.callback_url", "send.media")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.place == "http.url" or text.place in _BY_SINCH:
            host = host_of(text.scalar.text)
            if host is not None:
                yield from _judge(outline, settings, text, host)


def _judge(outline: Outline, settings: Settings, text: TextUse, host: str) -> Iterator[Diagnostic]:
    if text.place in _BY_SINCH:
        if private_meaning(host) or is_private_name(host):
            message = f'"{host}" cannot be reached by Sinch: it is in a network of its own'
            yield finding(_place(outline, text, host), RULE.id, message, "give an address that is public", "warning")
        return
    if settings.outbound is None:
        return
    address = private_meaning(host, settings.outbound)
    if address is None and not is_private_name(host):
        return
    where = _place(outline, text, host)
    named = host if address is None or host == "localhost" else to_allow(address)
    shown = f'"{named}"' if ":" in named else named
    hint = f"if the flow may call it, write in sinchflow.yaml: outbound: {{allow: [{shown}]}}"
    if address is not None:
        meaning = f", which is {address}," if address != host else ""
        message = f'"{host}"{meaning} is a private or special address: the call is refused'
        yield finding(where, RULE.id, message, hint)
    elif not (reach := Reach(settings.outbound)).names(host) and not reach.has_networks:
        message = f'"{host}" is a name of a private network: the call is refused where it stands for a private address'
        yield finding(where, RULE.id, message, hint, "warning")


def _place(outline: Outline, text: TextUse, host: str) -> Origin:
    return outline.at(text, max(text.scalar.text.lower().find(host), 0), len(host))


RULE = Rule(
    id="private-address",
    reason=(
        "Flows are written by many and set off by strangers: so `http` reaches public addresses only, and never a "
        "database, a router or a cloud's keys (169.254.169.254), unless `outbound.allow` says so."
    ),
    failing="""\
on: inbound_sms
steps:
  - http: {url: "http://10.0.0.5:8080/new"}
""",
    corrected="""\
# file: sinchflow.yaml
outbound: {allow: [10.0.0.5]}
# file: flows/sample.yaml
on: inbound_sms
steps:
  - http: {url: "http://10.0.0.5:8080/new"}
""",
    check=_check,
    is_mixed=True,
)
