"""What a flow mentions of its project: lists, calendars, accounts, environment, secrets; and its answers' categories.

Each mention is a short text, `lists.vip`; `lists.*` where a name is made up only when the flow runs.
"""

from collections.abc import Iterator

from sinchflow.language.nodes import Mapping
from sinchflow.language.outline import Outline

#: Names of templates whose items the project file, or the machine, has.
_HOLDERS = ("lists", "calendars", "env", "secrets")
_ACCOUNTS = ("account", "send.account", "ask.account")
#: Triggers of events that come in at an account.
_AT_ACCOUNTS = frozenset({"inbound_sms", "delivery_receipt", "opt_out"})


def mentions_of(outline: Outline) -> tuple[str, ...]:
    """Everything that the flow, or the project file, mentions; each once, in order."""
    found = {f"{kind}.{name}" for kind, name in _mentions(outline)}
    return tuple(sorted(found))


def _mentions(outline: Outline) -> Iterator[tuple[str, str]]:
    for holder in _HOLDERS:
        for _, use in outline.uses(holder):
            yield holder, use.path[1] if len(use.path) > 1 else "*"
    for text in outline.texts:
        place = text.place
        if place.endswith(".list") and (text.is_filter or place == "policy.staff.list"):
            yield "lists", "*" if text.is_template else text.scalar.text
        elif place in _ACCOUNTS:
            yield "accounts", "*" if text.is_template else text.scalar.text
    if outline.root.get("account") is None and (
        not outline.has_all_triggers or any(trigger.kind in _AT_ACCOUNTS for trigger in outline.triggers)
    ):
        yield "accounts", "*"


def categories_of(outline: Outline) -> tuple[str, ...] | None:
    """What `category` of the flow's waits can be; empty when it never waits, None where that is not known."""
    found: dict[str, None] = {}
    for step in outline.steps:
        for key, node in step.actions:
            if key.text == "wait_for_reply":
                categories = node.get("categories") if isinstance(node, Mapping) else None
                if categories is not None and not isinstance(categories, Mapping):
                    return None
                names = [each.text for each, _ in categories.entries] if categories else ["reply"]
                found |= dict.fromkeys([*names, *(["other"] if categories else []), "timeout"])
    return tuple(found) if outline.has_all_steps else None
