"""A template where nothing is rendered: in filters, names and settings."""

from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings

#: Keys of a webhook, the only trigger some of whose keys are rendered.
_WEBHOOK = {"path", "method", "token", "hmac", "secret", "header", "algorithm", "dedupe"}


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        at = text.scalar.text.find("{{")
        if at >= 0 and not text.is_rendered and text.place != "description" and not _is_unknown(text):
            close = text.scalar.text.find("}}", at)
            length = (close + 2 if close >= 0 else len(text.scalar.text)) - at
            field = text.place.split(".")[-1]
            message = f"templates are not rendered in {field}; it would be taken as it stands"
            hint = "compare in the flow's if instead" if text.is_filter else ""
            yield finding(outline.at(text, at, length), RULE.id, message, hint)


def _is_unknown(text: TextUse) -> bool:
    """Whether the trigger has no such key: that is found already, and perhaps the right one is rendered."""
    trigger, _, rest = text.place.partition(".")
    return trigger == "webhook" and not {*rest.split(".")} <= _WEBHOOK


RULE = Rule(
    id="template-place",
    reason="Filters, names and settings are read before any message comes, so a template in them stays as it stands.",
    failing="""\
vars: {word: HOURS}
on:
  inbound_sms:
    keyword: "{{ vars.word }}"
steps:
  - reply: We are open.
""",
    corrected="""\
on:
  inbound_sms:
    keyword: HOURS
steps:
  - reply: We are open.
""",
    check=_check,
    applies_to="both",
)
