"""Texts that ask people to send a word which nothing takes."""

from collections.abc import Iterator
from itertools import chain

from sinchflow.expression.keywords import Kind, means
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.facts import Facts
from sinchflow.language.inspector import Inspector
from sinchflow.language.invitations import invitations
from sinchflow.language.messages import messages_of
from sinchflow.language.nodes import Document
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.language.scalars import place
from sinchflow.language.taking import Vocabulary
from sinchflow.model.origin import Origin
from sinchflow.model.project import KeywordPolicy, Policy


def _check(survey: Survey) -> Iterator[Diagnostic]:
    """What a flow's own waits take is left out of its facts; here it is what flows and policy take."""
    if survey.project is None:
        return  # nobody knows what policy takes
    live = [flow for flow in survey.flows if flow.is_enabled]
    heard = {name for flow in live if _hears_anything(flow) for name in _run_by(flow)}
    invited = [each for flow in live if flow.named.name not in heard for each in flow.traffic.invited]
    invited += _by_policy(survey.document)
    catches = [catch for flow in live for catch in flow.traffic.catches]
    if not invited or not survey.is_complete or any(not catch.words and not catch.guard for catch in catches):
        return  # one flow takes whatever no other does
    asked = (word for flow in live for word in flow.traffic.asked if word.kind != "any")
    known = Vocabulary(chain((word for catch in catches for word in catch.words), asked))
    answered: dict[str, bool] = {}
    for text, origin in invited:
        if text not in answered:
            answered[text] = known.may_take(text) or _is_taken_by_policy(text, survey.project.policy)
        if not answered[text]:
            message = f'"{text}" is asked for, but no flow and no wait takes it: whoever sends it hears nothing'
            hint = f"add a flow with keyword: {text}, or a category to the wait for the answer"
            yield finding(origin, RULE.id, message, hint, "warning")


def _hears_anything(flow: Facts) -> bool:
    return any(word.kind == "any" for word in flow.traffic.asked)


def _run_by(flow: Facts) -> Iterator[str]:
    """The flows that a flow runs: what they ask, it may wait for."""
    return (each.name for each in flow.references if each.inputs is not None)


def _by_policy(document: Document | None) -> Iterator[tuple[str, Origin]]:
    """What the answers of policy itself ask for."""
    if document is None:
        return
    for message in messages_of(Outline(document, Inspector())):
        for word, offset in invitations(message.scalar.text):
            yield word, place(document, message.scalar, offset, len(word))


def _is_taken_by_policy(text: str, policy: Policy) -> bool:
    kinds: tuple[tuple[Kind, KeywordPolicy | None], ...] = (
        ("opt_out", policy.opt_out),
        ("opt_in", policy.opt_in),
        ("help", policy.help if policy.help and policy.help.reply else None),
    )
    return any(words is not None and means(text, kind, words.keywords) for kind, words in kinds)


RULE = SetRule(
    id="invited-word",
    reason="A customer who sends the word that you asked for, and hears nothing, does not ask twice.",
    failing="""\
name: hello
on:
  inbound_sms: {keyword: HELLO}
steps:
  - reply: Hi! Text HOURS for our opening hours or CALL for a call.
---
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8am to 6pm.
""",
    corrected="""\
name: hello
on:
  inbound_sms: {keyword: HELLO}
steps:
  - reply: Hi! Text HOURS for our opening hours or CALL for a call.
---
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: We are open from 8am to 6pm.
---
name: call
on:
  inbound_sms: {keyword: CALL}
steps:
  - reply: Somebody calls you today.
""",
    check=_check,
)
