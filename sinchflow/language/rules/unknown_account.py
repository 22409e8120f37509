"""`account` that the project file does not have."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.project import DEFAULT_ACCOUNT

_PLACES = ("account", "send.account", "ask.account")


def _check(outline: Outline, settings: Settings) -> Iterator[Diagnostic]:
    if settings.accounts is None:
        return
    for text in outline.texts:
        if text.place in _PLACES and not text.is_template and text.scalar.text not in settings.accounts:
            message = f'there is no account "{text.scalar.text}" in sinchflow.yaml'
            if settings.accounts == {DEFAULT_ACCOUNT}:
                hint = "add it there under accounts:, or delete this line"
            else:
                hint = did_you_mean(text.scalar.text, settings.accounts, "accounts")
            where = outline.document.origin_of(text.scalar)
            yield finding(where, RULE.id, message, hint, edits=meant(where, text.scalar.text, settings.accounts))


RULE = Rule(
    id="unknown-account",
    reason="A message can only leave through an account whose address and key the project file has.",
    failing="""\
on: inbound_sms
steps:
  - reply: {message: Hello, account: nz}
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: {message: Hello, account: default}
""",
    check=_check,
)
