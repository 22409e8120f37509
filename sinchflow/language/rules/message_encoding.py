"""A sign that makes a text cost more SMS, where a plain one would do."""

import unicodedata
from collections.abc import Iterator

from sinchflow.expression.gsm7 import ALPHABET, split, transliterate
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.messages import Message, messages_of
from sinchflow.language.outline import Outline
from sinchflow.language.parts import Way, first_unicode, text_of, ways_of
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.scalars import place

#: Categories of signs and pictures. A letter, a digit or a currency's sign means what it says: then it is the language.
_SIGNS = frozenset({"Pi", "Pf", "Pd", "Ps", "Pe", "Po", "Pc", "Zs", "Cf", "Cc", "So", "Sk", "Sm"})
#: The second half of some pictures: a mark by Unicode, but none of a language.
_OF_PICTURES = frozenset("\ufe0e\ufe0f\u20e3")


def _check(outline: Outline, _settings: Settings) -> Iterator[Diagnostic]:
    for message in messages_of(outline):
        source = message.scalar.text
        if message.format == "SMS" and not ALPHABET.issuperset(source):
            yield from _judge(outline, message, ways_of(outline, source))


def _judge(outline: Outline, message: Message, ways: list[Way]) -> Iterator[Diagnostic]:
    for way in ways:
        text = text_of(way)
        strange = {character for character in text if character not in ALPHABET}
        if not strange or not all(map(_is_sign, strange)):
            continue
        plain = transliterate(text)
        now, then = len(split(text)), len(split(plain))
        found = first_unicode(way)
        if now <= then or plain.count("?") > text.count("?") or found is None:
            continue
        character, offset = found
        where = place(outline.document, message.scalar, offset)
        at_least = "at least " if message.is_templated else ""
        said = (
            f"{_named(character)} leaves room for 70 characters in an SMS instead of 160: "
            f"this text takes {at_least}{now} SMS, not {then}"
        )
        yield finding(where, RULE.id, said, _instead(text, strange), "warning")
        return


def _is_sign(character: str) -> bool:
    return unicodedata.category(character) in _SIGNS or character in _OF_PICTURES


def _named(character: str) -> str:
    """What can be seen is quoted, what cannot is named."""
    code = f"U+{ord(character):04X}"
    if character.isprintable() and not character.isspace():
        return f'"{character}" ({code})'
    return f"{code} ({unicodedata.name(character, 'an invisible character').lower()})"


def _instead(text: str, strange: set[str]) -> str:
    """What to write for each of them, in the order of the text."""
    advice: dict[str, None] = {}
    gone: dict[str, None] = {}
    for character in text:
        if character in strange and character not in _OF_PICTURES:
            plain = transliterate(character)
            shown = character if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"
            if plain == " ":
                advice[f"a plain space for {shown}"] = None
            elif plain:
                advice[f"{plain} for {shown}"] = None
            else:
                gone[shown] = None
    said = [f"write {', '.join(advice)}"] if advice else []
    said += [f"leave {' '.join(gone)} out"] if gone else []
    return ", and ".join(said)


RULE = Rule(
    id="message-encoding",
    reason=(
        "A text in the GSM alphabet has 160 characters in one SMS, 153 in each of several. A single character outside "
        "of it, often a quote or dash that a word processor made pretty, turns the whole text into Unicode: 70, and 67."
    ),
    failing="""\
on: inbound_sms
steps:
  - reply: We’ve got your message. Someone from the team will answer it by tomorrow.
""",
    corrected="""\
on: inbound_sms
steps:
  - reply: We've got your message. Someone from the team will answer it by tomorrow.
""",
    check=_check,
    applies_to="both",
)
