"""The order in which flows are asked whether they take a message, and which words flows before have taken already.

As the engine's routing has it: high priority first, then by name; the first flow that matches takes the message,
unless it says `continue: true`. Here is asked beforehand what would happen to every message that a word stands for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sinchflow.expression.pattern import first_word, fold, words
from sinchflow.language.facts import Facts
from sinchflow.language.taking import MOST_PATTERNS, Word, samples, takes
from sinchflow.language.traffic import Catch


class Taken(msgspec.Struct, frozen=True):
    """A word of a flow that a flow before it takes; `word` is None for a trigger on any text."""

    flow: Facts
    catch: Catch
    word: Word | None
    by: Facts
    at: Word | None


class _Taker(msgspec.Struct, frozen=True):
    flow: Facts
    word: Word
    guard: str


def in_order(flows: Iterable[Facts]) -> list[Facts]:
    """The flows that messages can start, in the order in which they are asked."""
    live = [flow for flow in flows if flow.is_enabled and flow.traffic.catches]
    return sorted(live, key=lambda flow: (-flow.priority, flow.named.name))


def taken_words(flows: Sequence[Facts]) -> Iterator[Taken]:
    """Every word for which a flow before takes all messages. flows: in order."""
    before = _Before()
    anything: dict[str, Facts] = {}
    for flow in flows:
        for catch in flow.traffic.catches:
            if not catch.words:
                by = anything.get("") or anything.get(catch.guard)
                if by is not None and by is not flow:
                    yield Taken(flow, catch, None, by, None)
            for word in catch.words:
                taker = before.find(word, catch.guard, flow)
                if taker is not None:
                    yield Taken(flow, catch, word, taker.flow, taker.word)
        if not flow.goes_on:
            for catch in flow.traffic.catches:
                if not catch.words:
                    anything.setdefault(catch.guard, flow)
                elif not catch.has_several:
                    before.add(flow, catch)


class _Before:
    """What the flows so far take, filed so that a word finds the few that may take it."""

    def __init__(self) -> None:
        self._filed: dict[tuple[str, str], list[_Taker]] = defaultdict(list)
        self._patterns: list[_Taker] = []
        self._longest_start = 0

    def add(self, flow: Facts, catch: Catch) -> None:
        """A trigger of a flow that is asked before the next ones."""
        for word in catch.words:
            taker = _Taker(flow, word, catch.guard)
            if word.kind == "regex":
                self._patterns.append(taker)
            if (key := _key(word)) is not None:
                self._filed[word.kind, key].append(taker)
                if word.kind == "starts_with":
                    self._longest_start = max(self._longest_start, len(key))

    def find(self, word: Word, guard: str, flow: Facts) -> _Taker | None:
        """The first that takes every message that the word stands for."""
        messages = list(samples(word))  # none for a pattern: what it takes is not known
        others = (each for each in self._candidates(word) if each.flow is not flow and each.guard in ("", guard))
        return next((each for each in others if all(takes((each.word,), message) for message in messages)), None)

    def _candidates(self, word: Word) -> Iterator[_Taker]:
        if word.kind == "regex":
            yield from self._filed.get(("regex", word.text), ())
            return
        text, first, all_words = _read(word.text)
        yield from self._filed.get(("keyword", first), ())
        yield from self._filed.get(("exact", " ".join(all_words)), ())
        for each in dict.fromkeys(all_words):
            yield from self._filed.get(("contains", each), ())
        for size in range(1, min(len(text), self._longest_start) + 1):
            yield from self._filed.get(("starts_with", text[:size]), ())
        if len(self._patterns) <= MOST_PATTERNS:  # of more, only the same pattern counts
            yield from self._patterns


def _key(word: Word) -> str | None:
    """Under what an alternative is filed."""
    if word.kind == "regex":
        return word.text
    text, first, all_words = _read(word.text)
    match word.kind:
        case "keyword":
            return first
        case "exact":
            return " ".join(all_words)
        case "contains":
            return all_words[0] if all_words else None
        case "starts_with":
            return text
        case _:
            return None


def _read(text: str) -> tuple[str, str, list[str]]:
    """A text folded, its first word, and its words; most are one plain word."""
    if text.isascii() and text.isalnum():
        lower = text.lower()
        return lower, lower, [lower]
    return fold(text), first_word(text)[0], words(text)
