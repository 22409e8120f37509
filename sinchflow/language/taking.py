"""Which messages the alternatives of filters take, as the engine's own filters would."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from sinchflow.expression.answers import fits
from sinchflow.expression.pattern import compile_regex, contains, first_word, fold, regex_fault, whole, words
from sinchflow.model.origin import Origin

TEXT_FILTERS = ("keyword", "exact", "contains", "starts_with", "regex", "answer")
_NOWHERE = Origin("", 1, 1)
#: A pattern that takes all of these takes any text.
_ANYTHING = ("q", "7", "?", "👍", "Zz 9 w")
#: What `yes` and `no` stand for is told by a few of many.
_OF_SETS = {"yes": ("yes", "ok", "ja", "oui", "👍"), "no": ("no", "nein", "non", "can't", "👎")}


class Word(msgspec.Struct, frozen=True, array_like=True):
    """One alternative of a filter on texts. kind: the filter's name: `keyword`, `exact`, … or `answer` of a wait."""

    kind: str
    text: str
    origin: Origin


def takes(alternatives: Iterable[Word], message: str) -> bool:
    """Whether one of them takes the message; `any` takes all."""
    return any(_takes(each, message) for each in alternatives)


def samples(word: Word) -> Iterator[str]:
    """Messages that this alternative takes, of every sort; none of a pattern, which may take anything."""
    match word.kind:
        case "keyword":
            yield from (word.text, f"{word.text} x1 z")
        case "exact":
            yield word.text
        case "contains":
            yield from (word.text, f"q7 {word.text} z")
        case "starts_with":
            yield from (word.text, f"{word.text}z9", f"{word.text} x1 z")


@lru_cache(maxsize=10_000)
def covers(kind: str, text: str, later_kind: str, later: str) -> bool:
    """Whether the first alternative takes every message that the second, later one takes."""
    if later_kind == "regex":
        return (kind == "regex" and text == later) or _takes_anything(kind, text)
    word = (Word(kind, text, _NOWHERE),)
    return all(takes(word, message) for message in _messages(later_kind, later))


@lru_cache(maxsize=10_000)
def _takes_anything(kind: str, text: str) -> bool:
    word = (Word(kind, text, _NOWHERE),)
    return kind == "regex" and all(takes(word, message) for message in _ANYTHING)


def _messages(kind: str, text: str) -> tuple[str, ...]:
    if kind == "answer":
        return _OF_SETS.get(whole(text)) or (text, f"{text} please")
    return tuple(samples(Word(kind, text, _NOWHERE)))


def _takes(word: Word, message: str) -> bool:
    match word.kind:
        case "any":
            return True
        case "keyword":
            return first_word(message)[0] == first_word(word.text)[0]
        case "exact":
            return whole(message) == whole(word.text)
        case "contains":
            phrase = words(word.text)
            if any(character.isalnum() for character in word.text):
                return contains(words(message), phrase)
            return fold(word.text) in fold(message)
        case "starts_with":
            return _start(message).startswith(_start(word.text))
        case "regex":
            return regex_fault(word.text) is None and compile_regex(word.text).search(message) is not None
        case "answer":
            return fits(message, word.text)
        case _:
            return False


def _start(text: str) -> str:
    """The folded text from its first letter or digit on, as `starts_with` compares it."""
    folded = fold(text)
    at = next((place for place, character in enumerate(folded) if character.isalnum()), 0)
    return folded[at:]
