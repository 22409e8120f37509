"""Accounts of the project file whose name is taken, or that say too little to be reached."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.nodes import Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.model.project import DEFAULT_ACCOUNT

#: Kinds of webhooks: they stand where an account's name does in /hooks/TOKEN/inbound.
_RESERVED = ("inbound", "receipts", "opt-outs", "callback")
_NEEDED = {
    "service": "an account takes nothing over from the top level; add service: … or base_url: https://…",
    "credentials": "an account takes nothing over from the top level; add credentials: {api_key: …, api_secret: …}",
}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    accounts = outline.root.get("accounts")
    for key, node in accounts.entries if isinstance(accounts, Mapping) else ():
        where = outline.document.origin_of(key)
        if key.text == DEFAULT_ACCOUNT:
            hint = "what stands at the top level of this file is the account default; give this one another name"
            yield finding(where, RULE.id, f'the name "{key.text}" is taken', hint)
        elif key.text in _RESERVED:
            hint = f"/hooks/TOKEN/{key.text} is a webhook's address; give the account another name"
            yield finding(where, RULE.id, f'an account cannot be called "{key.text}"', hint)
        if not isinstance(node, Mapping):
            continue
        for name, hint in _NEEDED.items():
            if not node.entry(name) and not (name == "service" and node.entry("base_url")):
                yield finding(where, RULE.id, f'the account "{key.text}" has no {name}', hint)


RULE = Rule(
    id="account",
    reason="An account stands for itself: a service, a key, and a name that no webhook's address has.",
    failing="""\
accounts:
  nz: {service: etxt}
""",
    corrected="""\
accounts:
  nz:
    service: etxt
    credentials: {api_key: "{{ secrets.NZ_API_KEY }}", api_secret: "{{ secrets.NZ_API_SECRET }}"}
""",
    check=_check,
    applies_to="project",
)
