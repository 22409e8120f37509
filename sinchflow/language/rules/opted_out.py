"""Messages to somebody who has just opted out: they never leave."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping, Node, Scalar, items_of
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

#: The person, as a recipient is written.
_PERSON = ("contact.number", "event.source_address")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    if outline.kinds != ("opt_out",) or not outline.has_all_triggers:
        return
    if any(step.action == "opt_in" for step in outline.steps):
        return
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "reply" or (key.text == "send_sms" and _is_to_the_person(node)):
                message = f"{key.text} writes to somebody who has just opted out: policy keeps it back, always"
                hint = "the provider confirms opt-outs by itself; tell your own people with log, http or send_sms"
                yield finding(outline.document.origin_of(key), RULE.id, message, hint, "warning")


def _is_to_the_person(node: Node) -> bool:
    recipients = node.get("to") if isinstance(node, Mapping) else None
    written = [item.text.strip("{} ") for item in items_of(recipients) if isinstance(item, Scalar)]
    return len(written) == 1 and written[0] in _PERSON


RULE = Rule(
    id="opted-out",
    reason="Who has opted out gets no message any more, not even one that says so: the law wants it, policy keeps it.",
    failing="""\
on: opt_out
steps:
  - reply: You will get no more messages from us.
""",
    corrected="""\
on: opt_out
steps:
  - http: {url: https://crm.example.com/opt-outs, json: {number: "{{ contact.number }}"}}
""",
    check=_check,
)
