"""Many regexes asked at once: RE2 sets find which of thousands of patterns are in a text in one pass over it.

A set that RE2 will not compile within its memory is halved until its parts do. What no set takes, and what is too few
for a set, is always named: the caller asks each named pattern itself anyway, for its groups.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import re2

from sinchflow.expression.pattern import regex_options

#: Patterns in one set; measured: a text costs about 3 µs a set, whether it holds 500 patterns or 10,000.
_SET_SIZE = 2_500
#: Fewer patterns than this make no set: it would cost more memory than it saves time.
_FEW = 4
#: Memory of one set; a set of 2,500 uses far less, unless its patterns are very large.
_SET_BYTES = 64 << 20


class RegexSets:
    """Regexes, each with a number of the caller's."""

    def __init__(self, patterns: Sequence[tuple[str, int]]) -> None:
        self._sets: list[tuple[Any, list[int]]] = []
        self._unsieved: list[int] = []
        for start in range(0, len(patterns), _SET_SIZE):
            self._add(patterns[start : start + _SET_SIZE])

    def _add(self, patterns: Sequence[tuple[str, int]]) -> None:
        numbers = [number for _, number in patterns]
        if len(patterns) < _FEW:
            self._unsieved += numbers
        elif (compiled := _compile_set([source for source, _ in patterns])) is not None:
            self._sets.append((compiled, numbers))
        else:
            middle = len(patterns) // 2
            self._add(patterns[:middle])
            self._add(patterns[middle:])

    def find(self, text: str) -> Iterable[int]:
        """The numbers of the regexes that may be in the text, in no order; no other one is in it."""
        yield from self._unsieved
        for compiled, numbers in self._sets:
            for index in compiled.Match(text) or ():
                yield numbers[index]


def _compile_set(sources: Sequence[str]) -> Any | None:
    options = regex_options()
    options.max_mem = _SET_BYTES
    compiled = re2.Set.SearchSet(options)
    try:
        for source in sources:
            compiled.Add(source)
        compiled.Compile()
    except re2.error:
        return None
    return compiled
