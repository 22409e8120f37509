"""Lists, calendars, accounts and environment of the project file that nothing uses."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Document, Mapping, Node, Scalar, items_of
from sinchflow.language.rules.rule import SetRule, Survey
from sinchflow.language.suggest import nearest

#: What each is called, and how it would be used.
_KINDS = {
    "lists": ("list", "contact.number in lists.{}"),
    "calendars": ("calendar", "calendars.{}.is_open()"),
    "accounts": ("account", "account: {}"),
    "env": ("environment variable", "{{{{ env.{} }}}}"),
}


def _check(survey: Survey) -> Iterator[Diagnostic]:
    """A project without flows is one that is being begun."""
    document = survey.document
    if document is None or survey.project is None or not survey.is_complete or not survey.flows:
        return
    declared = [(kind, key) for kind in _KINDS for key in _names(document, kind)]
    if not declared:
        return
    used = survey.mentions.union(*(flow.mentions for flow in survey.flows))
    meant = _meant(used, {f"{kind}.{key.text}" for kind, key in declared})
    for kind, key in declared:
        if f"{kind}.*" not in used and f"{kind}.{key.text}" not in used | meant:
            noun, use = _KINDS[kind]
            hint = f"delete it, or use it: {use.format(key.text)}"
            where = document.origin_of(key)
            yield finding(where, RULE.id, f'no flow uses the {noun} "{key.text}"', hint, "warning")


def _meant(used: frozenset[str], declared: set[str]) -> set[str]:
    """What is used under a wrong name, which another rule reports."""
    unknown = [name for name in used - declared if name.partition(".")[0] in _KINDS]
    return {near for name in unknown if (near := nearest(name, declared))}


def _names(document: Document, kind: str) -> Iterator[Scalar]:
    node: Node | None = document.root.get(kind) if isinstance(document.root, Mapping) else None
    if isinstance(node, Mapping):
        yield from (key for key, _ in node.entries)
    else:
        yield from (item for item in items_of(node) if isinstance(item, Scalar))


RULE = SetRule(
    id="unused-setting",
    reason="What nothing uses is left over, or was meant to be used under another name.",
    failing="""\
# file: sinchflow.yaml
env: [SHOP_URL, OLD_SHOP_URL]
# file: flows/shop.yaml
on:
  inbound_sms: {keyword: SHOP}
steps:
  - reply: "Order at {{ env.SHOP_URL }}"
""",
    corrected="""\
# file: sinchflow.yaml
env: [SHOP_URL]
# file: flows/shop.yaml
on:
  inbound_sms: {keyword: SHOP}
steps:
  - reply: "Order at {{ env.SHOP_URL }}"
""",
    check=_check,
)
