"""What policy answers by itself, as flows of its own: so their messages are as durable as any other.

Their documents are JSON, which is YAML, and are stored with their runs like those of the project.
"""

import json
from typing import Any

import msgspec

from sinchflow.expression.keywords import Kind
from sinchflow.language.build import flow_from_source
from sinchflow.language.harvest import Source
from sinchflow.model.flow import Flow, Text, Words
from sinchflow.model.project import Policy
from sinchflow.policy.words import words_of

#: Names of these flows begin so; the project's own cannot be told to.
PREFIX = "policy: "
_FILE = "sinchflow.yaml"
#: The provider's list is told again for a day.
_RETRY = {"attempts": 30, "delay": "1m", "max_delay": "1h"}


class PolicyFlow(msgspec.Struct, frozen=True):
    """A flow that policy starts, and its document."""

    flow: Flow
    source: Source


def policy_flows(policy: Policy) -> dict[Kind, PolicyFlow]:
    """The flows of the kinds that are on and have something to do."""
    made: dict[Kind, PolicyFlow] = {}
    for kind in ("opt_out", "opt_in", "help"):
        words = words_of(policy, kind)
        steps = [] if words is None else _steps(kind, words.reply)
        if steps:
            made[kind] = _built(kind, steps)
    return made


def is_confirmation(flow: str) -> bool:
    """Whether a flow's messages go to people who have opted out: to say just that."""
    return flow == _name("opt_out")


def _steps(kind: Kind, reply: Words | None) -> list[dict[str, Any]]:
    answer = [] if reply is None else [{"reply": {"message": _plain(reply), "urgent": True}, "on_error": "continue"}]
    if kind == "help":
        return answer
    failed = {"log": f"the provider's list was not told of an {kind.replace('_', '-')}: {{{{ error.message }}}}"}
    tell: dict[str, Any] = {kind: None, "retry": _RETRY, "on_error": [failed]}
    # Once on the provider's list nobody gets the confirmation; off it they have to be first.
    return [*answer, tell] if kind == "opt_out" else [tell, *answer]


def _plain(reply: Words) -> Any:
    if isinstance(reply, Text):
        return reply.source
    return {language: text.source for language, text in reply.by_language.items()}


def _built(kind: Kind, steps: list[dict[str, Any]]) -> PolicyFlow:
    document = {"name": _name(kind), "on": "inbound_sms", "steps": steps}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    flow = flow_from_source(text, _FILE, 1)
    return PolicyFlow(flow, Source(file=_FILE, line=1, text=text))


def _name(kind: Kind) -> str:
    return f"{PREFIX}{kind.replace('_', '-')}"
