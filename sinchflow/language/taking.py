"""Which messages the alternatives of filters take, as the engine's own filters would."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from sinchflow.expression.answers import fits
from sinchflow.expression.pattern import compile_regex, contains, first_word, fold, regex_fault, whole, words
from sinchflow.expression.regex_sets import RegexSets
from sinchflow.model.origin import Origin

TEXT_FILTERS = ("keyword", "exact", "contains", "starts_with", "regex", "answer")
#: In a pattern, what stands for a sort of characters, and the words that stand for themselves.
_ESCAPE = re.compile(r"\\.")
_LITERAL = re.compile(r"[^\W_]+")
#: A pattern that spells out whole messages: `^stop$`, `^(stop|end)$`.
_WHOLE = re.compile(r"\^(?:\((?:\?:)?([\w '|]+)\)|([\w ']+))\$")
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


class Vocabulary:
    """Alternatives, filed so that it costs little to ask whether a word that people are told to send is one of them.

    Generous: more may stand behind the word ("Reply ORDER and its number"), so the first word of an alternative, or a
    part of a pattern, is enough.
    """

    def __init__(self, alternatives: Iterable[Word]) -> None:
        self._firsts: set[str] = set()
        self._starts: set[str] = set()
        self._patterns: list[Word] = []
        self._others: list[Word] = []
        for each in alternatives:
            self._file(each)
        self._sets = RegexSets([(each.text, number) for number, each in enumerate(self._patterns)])

    def _file(self, word: Word) -> None:
        match word.kind:
            case "any":
                self._others.append(word)
            case "regex":
                self._patterns.append(word)
                self._firsts.update(_LITERAL.findall(_ESCAPE.sub(" ", word.text.casefold())))
            case "answer" if whole(word.text) in _OF_SETS:
                if all(whole(each.text) != whole(word.text) for each in self._others):
                    self._others.append(word)
            case kind:
                self._firsts.add(first_word(word.text)[0])
                if kind == "starts_with":
                    self._starts.add(_start(word.text))

    def may_take(self, word: str) -> bool:
        """Whether one of them may be meant by the word."""
        first, start = first_word(word)[0], _start(word)
        if first in self._firsts or any(start[:size] in self._starts for size in range(1, len(start) + 1)):
            return True
        return takes(self._others, word) or takes((self._patterns[each] for each in self._sets.find(word)), word)


def samples(word: Word) -> Iterator[str]:
    """Messages that this alternative takes, of every sort; none of a pattern, unless it spells out whole messages."""
    match word.kind:
        case "regex" if found := _WHOLE.fullmatch(word.text):
            yield from (found[1] or found[2]).split("|")
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
    if later_kind == "regex" and ((kind == "regex" and text == later) or _takes_anything(kind, text)):
        return True
    word, messages = (Word(kind, text, _NOWHERE),), _messages(later_kind, later)
    return bool(messages) and all(takes(word, message) for message in messages)


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
            pattern = _compiled(word.text)
            return pattern is not None and pattern.search(message) is not None
        case "answer":
            return fits(message, word.text)
        case _:
            return False


@lru_cache(maxsize=500)
def _compiled(source: str) -> Any:
    """The pattern; None where it is none."""
    return compile_regex(source) if regex_fault(source) is None else None


def _start(text: str) -> str:
    """The folded text from its first letter or digit on, as `starts_with` compares it."""
    folded = fold(text)
    at = next((place for place, character in enumerate(folded) if character.isalnum()), 0)
    return folded[at:]
