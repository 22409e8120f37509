"""The order in which flows are asked whether they take a message, and which words flows before have taken already.

As the engine's routing has it: high priority first, then by name; the first flow that matches takes the message,
unless it says `continue: true`. Here is asked beforehand what would happen to every message that a word stands for.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sinchflow.expression.pattern import first_word, fold, words
from sinchflow.expression.regex_sets import RegexSets
from sinchflow.language.facts import Facts
from sinchflow.language.taking import Word, samples, takes
from sinchflow.language.traffic import Catch

#: Words of a phrase that is looked for within another one.
_LONGEST_PHRASE = 8


class Taken(msgspec.Struct, frozen=True):
    """A word of a flow that a flow before it takes; `word` is None for a trigger on any text."""

    flow: Facts
    catch: Catch
    word: Word | None
    by: Facts
    at: Word | None


class _Taker(msgspec.Struct, frozen=True):
    """An alternative of a flow; rank: the flow's place in the order."""

    rank: int
    flow: Facts
    word: Word


def in_order(flows: Iterable[Facts]) -> list[Facts]:
    """The flows that messages can start, in the order in which they are asked."""
    live = [flow for flow in flows if flow.is_enabled and flow.traffic.catches]
    return sorted(live, key=lambda flow: (-flow.priority, flow.named.name))


def taken_words(flows: Sequence[Facts]) -> Iterator[Taken]:
    """Every word for which a flow before takes all messages. flows: in order."""
    before = _Before(flows)
    anything: dict[str, Facts] = {}
    for rank, flow in enumerate(flows):
        for catch in flow.traffic.catches:
            if not catch.words:
                by = anything.get("") or anything.get(catch.guard)
                if by is not None and by is not flow:
                    yield Taken(flow, catch, None, by, None)
            for word in catch.words:
                taker = before.find(word, catch.guard, rank)
                if taker is not None:
                    yield Taken(flow, catch, word, taker.flow, taker.word)
        if not flow.goes_on:
            for catch in flow.traffic.catches:
                if not catch.words:
                    anything.setdefault(catch.guard, flow)
                elif not catch.has_several:
                    before.add(rank, flow, catch)


class _Before:
    """What the flows so far take, filed so that a word finds the few that may take it.

    Of alternatives that take the same, the first is kept: the message is that flow's. Patterns are compiled together,
    so those of all flows are there from the beginning.
    """

    def __init__(self, flows: Sequence[Facts]) -> None:
        self._filed: dict[tuple[str, str, str], _Taker] = {}
        self._longest_start = 0
        patterns: dict[tuple[str, str], _Taker] = {}
        for rank, flow in enumerate(flows):
            for catch in flow.traffic.catches if not flow.goes_on else ():
                for word in catch.words if not catch.has_several else ():
                    if word.kind == "regex":
                        patterns.setdefault((word.text, catch.guard), _Taker(rank, flow, word))
        self._patterns = [(guard, taker) for (_, guard), taker in patterns.items()]
        self._sets = RegexSets([(source, number) for number, (source, _) in enumerate(patterns)])

    def add(self, rank: int, flow: Facts, catch: Catch) -> None:
        """A trigger of a flow that is asked before the next ones."""
        for word in catch.words:
            if (key := _key(word)) is not None:
                self._filed.setdefault((word.kind, key, catch.guard), _Taker(rank, flow, word))
                if word.kind == "starts_with":
                    self._longest_start = max(self._longest_start, len(key))

    def find(self, word: Word, guard: str, rank: int) -> _Taker | None:
        """The first that takes every message that the word stands for. rank: of its flow."""
        messages = list(samples(word))  # none for most patterns: what they take is not known
        if not messages and word.kind != "regex":
            return None  # no filter of a trigger: another rule says so
        found = [self._filed.get((kind, key, each)) for kind, key in self._keys(word, messages) for each in {"", guard}]
        if messages and self._patterns:
            patterns = (self._patterns[number] for number in self._sets.find(messages[0]))
            found += [taker for of, taker in patterns if taker.rank < rank and of in ("", guard)]
        takers = sorted((taker for taker in found if taker is not None), key=lambda taker: taker.rank)
        return next((each for each in takers if all(takes((each.word,), message) for message in messages)), None)

    def _keys(self, word: Word, messages: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Under what an alternative that may take the word, and so each of its messages, is filed."""
        if word.kind == "regex":
            yield "regex", word.text
            if not messages:
                return
        text, first, all_words = _read(messages[0])
        yield "keyword", first
        yield "exact", " ".join(all_words)
        for size in range(1, min(len(all_words), _LONGEST_PHRASE) + 1):
            for start in range(len(all_words) - size + 1):
                yield "contains", " ".join(all_words[start : start + size])
        for size in range(1, min(len(text), self._longest_start) + 1):
            yield "starts_with", text[:size]


def _key(word: Word) -> str | None:
    """Under what an alternative is filed."""
    if word.kind == "regex":
        return word.text
    text, first, all_words = _read(word.text)
    match word.kind:
        case "keyword":
            return first
        case "exact" | "contains":
            return " ".join(all_words) or None
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
