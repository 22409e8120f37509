"""What a transcript test gives and nothing asks for: lists, secrets and environment that there are not."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import meant
from sinchflow.language.rules.rule import Stage, TranscriptRule
from sinchflow.language.suggest import did_you_mean
from sinchflow.language.transcript import TranscriptFile


def _check(file: TranscriptFile, stage: Stage) -> Iterator[Diagnostic]:
    settings = stage.settings
    for what, noun, known in (("lists", "list", settings.lists), ("env", "environment variable", settings.env)):
        for key, _ in file.entries(what):
            if known is not None and key.text not in known:
                hint = did_you_mean(key.text, known, "it has") or f"it has no {what}"
                edits = meant(file.at(key), key.text, known)
                yield finding(file.at(key), RULE.id, f'sinchflow.yaml has no {noun} "{key.text}"', hint, edits=edits)
    for step in file.steps:
        for account in step.texts("account"):
            if settings.accounts is not None and account.text not in settings.accounts:
                hint = did_you_mean(account.text, settings.accounts, "accounts")
                message = f'sinchflow.yaml has no account "{account.text}"'
                edits = meant(file.at(account), account.text, settings.accounts)
                yield finding(file.at(account), RULE.id, message, hint, edits=edits)
    if stage.is_complete and "secrets.*" not in stage.mentions:
        used = {name.removeprefix("secrets.") for name in stage.mentions if name.startswith("secrets.")}
        for key, _ in file.entries("secrets"):
            if key.text not in used:
                hint = did_you_mean(key.text, used, "used are") or "delete it"
                yield finding(file.at(key), RULE.id, f'no flow uses the secret "{key.text}"', hint, "warning")


_FLOW = """\
# file: sinchflow.yaml
env: [SHOP_URL]
# file: flows/shop.yaml
name: shop
on:
  inbound_sms: {keyword: SHOP}
steps:
  - reply: "Order at {{ env.SHOP_URL }}"
# file: flows/shop.test.yaml
flow: shop
"""
_TESTS = """\
tests:
  - name: sends the address
    script:
      - in: shop
      - out: Order at https://shop.example.com
"""

RULE = TranscriptRule(
    id="test-given",
    reason="What a test gives under a wrong name reaches no flow, and the test shows something else than it seems to.",
    failing=_FLOW + "env: {SHOP: https://shop.example.com}\n" + _TESTS,
    corrected=_FLOW + "env: {SHOP_URL: https://shop.example.com}\n" + _TESTS,
    check=_check,
    is_mixed=True,
)
