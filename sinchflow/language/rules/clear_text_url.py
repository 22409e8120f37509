"""Secrets on their way over the open Internet in clear."""

from collections.abc import Iterator

from sinchflow.expression.addresses import literal_address
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.hosts import host_of, is_private_name
from sinchflow.language.nodes import Mapping, Node, Scalar, Sequence
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.scalars import place


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    for step in outline.steps:
        for key, node in step.actions:
            url = node.get("url") if key.text == "http" and isinstance(node, Mapping) else None
            if not isinstance(url, Scalar) or url.text[:7].lower() != "http://" or not _has_secret(node):
                continue
            host = host_of(url.text)
            own = settings.outbound is None or host in settings.outbound
            if host is None or own or host == "localhost" or is_private_name(host) or literal_address(host):
                continue
            message = f"the secret travels to {host} in clear: whoever carries it can read it"
            where = place(outline.document, url, 0, len("http://"))
            yield finding(where, RULE.id, message, "write https://", "warning")


def _has_secret(node: Node) -> bool:
    match node:
        case Scalar():
            return "secrets." in node.text and "{{" in node.text
        case Sequence():
            return any(map(_has_secret, node.items))
        case Mapping():
            return any(_has_secret(value) for _, value in node.entries)


RULE = Rule(
    id="clear-text-url",
    reason="What is sent by http:// can be read, and changed, by every network on its way.",
    failing="""\
on: inbound_sms
steps:
  - http:
      url: http://crm.example.com/new
      headers: {Authorization: "Bearer {{ secrets.CRM_TOKEN }}"}
""",
    corrected="""\
on: inbound_sms
steps:
  - http:
      url: https://crm.example.com/new
      headers: {Authorization: "Bearer {{ secrets.CRM_TOKEN }}"}
""",
    check=_check,
)
