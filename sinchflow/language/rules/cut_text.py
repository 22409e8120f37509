"""An unquoted text that YAML ends at ` #`, because a comment begins there."""

import re
from collections.abc import Iterator

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.fix import quoted, with_number_sign
from sinchflow.language.outline import Outline, TextUse
from sinchflow.language.rules.rule import Rule, Settings

#: Texts that people read: a comment behind one of them is nearly always part of the text.
_TEXTS = frozenset(
    {
        "reply", "message", "send.subject", "log", "stop", "fail", "http.body",
        "inbound_sms.exact", "inbound_sms.contains", "inbound_sms.starts_with", "inbound_sms.regex", "category.answer",
        "category.exact", "category.contains", "category.starts_with", "category.regex",
    }
)  # fmt: skip
_COMMENT = re.compile(r"[ \t]+#(?!\s*sinchflow: ignore)[^\r\n]*")
#: Elsewhere only `#` with something right behind it: `#1` is a text's, `# one` a comment's.
_GLUED = re.compile(r"[ \t]+#(?!sinchflow: ignore)[^\s#][^\r\n]*")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for text in outline.texts:
        if text.scalar.style or text.scalar.value is None:
            continue
        comment = _pattern(text).match(outline.document.text, text.scalar.end)
        if comment:
            rest = comment[0].rstrip()
            whole = quoted(" ".join(text.scalar.text.split()) + rest)
            between = outline.document.text[text.key.end : text.scalar.start] if text.key else ""
            key = f"{text.key.text}: " if text.key and re.fullmatch(r":\s+", between) else ""
            start = comment.start() + len(comment[0]) - len(comment[0].lstrip())
            message = f'YAML ends this text before "#": "{text.scalar.text}" is all that is left of it'
            hint = f"quote the text: {key}{whole}; or move the comment to a line of its own"
            where = outline.document.origin(start, comment.start() + len(rest))
            edits = with_number_sign(outline.document, text.scalar)
            yield finding(where, RULE.id, message, hint, edits=edits)


def _pattern(text: TextUse) -> re.Pattern[str]:
    return _COMMENT if text.place in _TEXTS else _GLUED


RULE = Rule(
    id="cut-text",
    reason="YAML takes ` #` in an unquoted text for a comment: the customer would get the first half.",
    failing="""\
on: inbound_sms
steps:
  - reply: Order #1 is ready
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: "Order #1 is ready"
""",
    check=_check,
    applies_to="both",
)
