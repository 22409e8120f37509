"""Texts that come out empty."""

from collections.abc import Iterator

from sinchflow.language.asked import has_ended, is_asked_around
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.messages import Message, messages_of
from sinchflow.language.outline import Outline
from sinchflow.language.parts import Literal, Way, ways_of
from sinchflow.language.rules.rule import Rule, Settings

_HINT = "an empty text is not sent: the step fails"


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for message in messages_of(outline):
        source = message.scalar.text
        if not source.strip():
            if source:  # the schema speaks of a text of no characters
                where = outline.document.origin_of(message.scalar)
                yield finding(where, RULE.id, "this text is nothing but white space", _HINT)
        elif source.lstrip().startswith(("{{", "{%", "{#")) and source.rstrip().endswith("}"):
            yield from _judge(outline, message)


def _judge(outline: Outline, message: Message) -> Iterator[Diagnostic]:
    ways = ways_of(outline, message.scalar.text)
    blank = [_is_blank(way) for way in ways]
    where = outline.document.origin_of(message.scalar)
    if ways and all(blank):
        yield finding(where, RULE.id, "this text always comes out empty", _HINT)
    elif any(blank) and not _is_guarded(outline, message):
        hint = f"{_HINT}; say something in that case too, or leave the step out with `if`"
        yield finding(where, RULE.id, "this text may come out empty", hint, "warning")


def _is_blank(way: Way) -> bool:
    return all(isinstance(piece, Literal) and not piece.text.strip() for piece in way)


def _is_guarded(outline: Outline, message: Message) -> bool:
    """Whether a condition around it looks at something that the text is made of."""
    found = outline.inspected.get(id(message.scalar))
    if found is None:
        return False
    text, inspection = found
    names = {".".join(use.path) for use in inspection.uses}
    return any(is_asked_around(text, name) or has_ended(outline, text, name) for name in names)


RULE = Rule(
    id="empty-text",
    reason="An empty message is never sent. Its step fails instead, and without `on_error` the run with it.",
    failing="""\
on:
  inbound_sms: {keyword: ORDER}
steps:
  - reply: "{% if match.rest | trim %}We look for order {{ match.rest | trim }}.{% endif %}"
""",
    corrected="""\
on:
  inbound_sms: {keyword: ORDER}
steps:
  - reply: "{% if match.rest | trim %}We look for order {{ match.rest | trim }}.{% else %}Which order?{% endif %}"
""",
    check=_check,
    is_mixed=True,
    applies_to="both",
)
