"""Texts in one language where the flow's other texts are in several."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.messages import messages_of
from sinchflow.language.nodes import Scalar
from sinchflow.language.outline import Outline
from sinchflow.language.rules.rule import Rule, Settings

_MARKED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|https?://\S+|\S+@\S+", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{2,}")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    if not outline.wordings:
        return
    tags = dict.fromkeys(key.text for node in outline.wordings for key, _ in node.entries)
    if len(tags) < 2:
        return
    for message in messages_of(outline):
        # A text to a number of one's own choice may be for somebody whose language is known.
        if message.language is None and message.sender in ("reply", "otherwise") and _has_words(message.scalar.text):
            if _is_chosen(outline, message.scalar):
                continue
            *most, last = tags
            said = f"this text is in one language only, and others of the flow are in {', '.join(most)} and {last}"
            hint = f"write it in each: {{{', '.join(f'{tag}: …' for tag in tags)}}}"
            yield finding(outline.document.origin_of(message.scalar), RULE.id, said, hint, "warning")


def _has_words(source: str) -> bool:
    """Whether there is something to translate: two words that stand in the text itself."""
    return len(_WORD.findall(_MARKED.sub(" ", source))) > 1


def _is_chosen(outline: Outline, scalar: Scalar) -> bool:
    """Whether the flow looks at a language itself, in the text or in a condition around it."""
    text = next((each for each in outline.texts if each.scalar is scalar), None)
    return text is not None and any("lang" in each for each in (text.scalar.text, *text.scope.conditions))


RULE = Rule(
    id="missing-language",
    reason="Whoever was asked in their language cannot be expected to read the next text in another.",
    failing="""\
on: inbound_sms
steps:
  - reply: {en: "How was your visit, 1 to 5?", de: "Wie war Ihr Besuch, 1 bis 5?"}
  - wait_for_reply: {timeout: 24h}
  - reply: Thank you very much!
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: {en: "How was your visit, 1 to 5?", de: "Wie war Ihr Besuch, 1 bis 5?"}
  - wait_for_reply: {timeout: 24h}
  - reply: {en: Thank you very much!, de: Vielen Dank!}
""",
    check=_check,
)
