"""How texts and numbers are compared with a trigger's filters (design.md section 3). Pure.

Case, width (NFKC) and punctuation around words do not matter: `keyword: HOURS` meets "hours?" and "Hours, please".
Regexes are RE2: linear time, whatever the text; they are searched in the text as it came, without regard to case.
"""

import re
import unicodedata
from collections.abc import Sequence

import re2

_TOKEN = re.compile(r"\S+")
#: Marks that belong to emoji, not to letters: variation selectors.
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))
#: Memory for one compiled pattern; RE2 refuses what needs more.
MAX_PATTERN_BYTES = 8 << 20


def fold(text: str) -> str:
    """The text without differences of case and width, its white space single and trimmed."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.replace("’", "'").replace("i\u0307", "i").split())  # İ folds to an i with a dot above


def words(text: str) -> list[str]:
    """The folded words of a text, without the punctuation around them; what is only punctuation is left out.

    A text of symbols alone (an emoji) keeps them.
    """
    parts = fold(text).split()
    stripped = [bare for bare in map(_bare, parts) if bare]
    return stripped or parts


def _bare(word: str) -> str:
    """The word from its first letter or digit to its last one, with the marks that stand on that one."""
    if word.isalnum():
        return word
    places = [place for place, character in enumerate(word) if character.isalnum()]
    if not places:
        return ""
    end = places[-1] + 1
    while end < len(word) and unicodedata.category(word[end]) in {"Mn", "Mc"} and word[end] not in _SELECTORS:
        end += 1
    return word[places[0] : end]


def whole(text: str) -> str:
    """A whole message as `exact` compares it: its words, single spaces between them."""
    return " ".join(words(text))


def first_word(text: str) -> tuple[str, str]:
    """The folded first word, and the rest of the text as it was written (`match.rest`).

    A text of symbols alone has its first token as its word.
    """
    first: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        first = first or token
        for part in fold(token[0]).split():
            if bare := _bare(part):
                return bare, text[token.end() :].strip()
    return ("", "") if first is None else ((words(first[0]) or [""])[0], text[first.end() :].strip())


def contains(message: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the words of `phrase` stand in `message`, whole, in order and next to each other."""
    size = len(phrase)
    return any(message[start : start + size] == phrase for start in range(len(message) - size + 1))


def regex_options() -> "re2.Options":
    """Options for every pattern of a user: no regard to case, bounded memory, silent."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_PATTERN_BYTES
    return options


def compile_regex(source: str) -> "re2._Regexp":
    """The compiled pattern. Raises re2.error with RE2's reason."""
    return re2.compile(source, regex_options())


def regex_fault(source: str) -> str | None:
    """Why RE2 refuses the pattern, or None when it takes it."""
    try:
        compile_regex(source)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return None


class NumberPattern:
    """A number or a glob of numbers: `+61491570156`, `+614*`, `ACME`. Numbers are compared by their digits."""

    __slots__ = ("_glob", "literal")

    def __init__(self, source: str) -> None:
        self.literal: str | None = None
        self._glob: Glob | None = None
        if is_glob(source):
            self._glob = Glob(bare_number(source))
        else:
            self.literal = bare_number(source)

    def matches(self, number: str) -> bool:
        """Whether `number` is meant."""
        bare = bare_number(number)
        return bare == self.literal if self._glob is None else self._glob.matches(bare)


def bare_number(number: str) -> str:
    """A number without `+` and separators, an alphanumeric sender in lower case."""
    if number.startswith("+") and number[1:].isdecimal():
        return number[1:]
    compact = re.sub(r"[\s().+-]", "", number)
    return compact.lower()


def is_glob(source: str) -> bool:
    """Whether a filter's value stands for more than itself."""
    return "*" in source or "?" in source


class Glob:
    """A filter's value in which `*` stands for any characters and `?` for one.

    What stands between two `*` is looked for from left to right and never looked for again, so that a pattern of many
    `*` takes time in proportion to the text; one regular expression for all would try every way to divide it.
    """

    __slots__ = ("_first", "_last", "_last_size", "_middle")

    def __init__(self, source: str) -> None:
        parts = [re.escape(part).replace(r"\?", ".") for part in source.split("*")]
        self._first, *middle = (re.compile(part, re.DOTALL) for part in parts)
        self._last = re.compile(f"(?:{parts[-1]})\\Z", re.DOTALL) if middle else None
        self._middle = [pattern for pattern in middle[:-1] if pattern.pattern]
        self._last_size = len(source.rpartition("*")[2])

    def matches(self, text: str) -> bool:
        """Whether the whole text is meant."""
        if self._last is None:
            return self._first.fullmatch(text) is not None
        found = self._first.match(text)
        for pattern in self._middle:
            if found is None:
                return False
            found = pattern.search(text, found.end())
        rest = len(text) - self._last_size
        return found is not None and found.end() <= rest and self._last.match(text, rest) is not None
