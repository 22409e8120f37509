"""Phone numbers in texts, made unreadable: `+61491570156` becomes `+6149•••••156`.

The same number always becomes the same text, so that lines can be joined; other numbers may become it, too. That hides
numbers from a glance and from most copies of a log; it does not make anybody anonymous.

What may be a number is masked, wherever it stands: in URLs, in JSON that somebody quotes, in national spelling. What is
known to be something else (ids, times, addresses, fractions) is found first and left alone.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

_HIDDEN = "•••••"
#: Between the digits of a number; also as URLs and JSON write a space.
_BETWEEN = (
    r"(?:%20|\\u00[aA]0|\(0\)"
    r"|[ \u00a0\u2007\u2009\u202f\t.()/\u2010-\u2015\u2212\u200b-\u200f\u2060\u202a-\u202e-]){0,3}"
)
#: Where digits without a plus begin: not inside a word or fraction, but after what URLs and JSON write for a character.
_BEGIN = r"(?:(?<![\w%])(?<!\d\.)(?<![A-Za-z]-)|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt])|(?<=\\u[0-9A-Fa-f]{4}))"
#: Left alone: UUIDs, times and dates, IP addresses, decimal fractions, long hexadecimal ids.
_OTHERS = (
    r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Fa-f])"
    r"|(?<!\d)[12]\d{3}-[01]\d-[0-3]\d"
    r"(?:(?:[T_ ]|%20)[0-2]\d(?::|%3[Aa])[0-5]\d(?:(?::|%3[Aa])[0-6]\d(?:[.,]\d{1,9})?)?"
    r"(?:Z|(?:[+-]|%2[Bb])[01]\d:?[0-5]\d)?)?(?!\d)"
    r"|(?<![\d.])[0-3]\d(?P<_by>[./-])[01]\d(?P=_by)[12]\d{3}(?!\d)"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)"
    r"|(?<![\d.+])\d{1,9}\.\d{3,}(?![\d.]*\d)"
    r"|(?<![0-9A-Za-z])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{16,64}(?![0-9A-Za-z])"
)
#: With a country code, however the plus is written; a national number, which begins with 0 or is of the form that North
#: America uses; digits alone, which are a number if the numbering plans say so.
_NUMBERS = (
    r"(?P<plus>[+\uff0b\ufe62]|%2[Bb]|\\u002[Bb]|&#43;)"
    rf"(?P<international>\d{{7,}}(?!\d)|{_BETWEEN}\d(?:{_BETWEEN}\d){{6,14}}(?!\d))"
    rf"|{_BEGIN}(?P<national>0\d{{7,13}}(?!\w)|\(?0\d?{_BETWEEN}\d(?:{_BETWEEN}\d){{6,13}}(?!\w))"
    rf"|{_BEGIN}(?P<american>(?:1[ .-]?)?\(?[2-9]\d{{2}}\)?[ \u00a0.\u2010-\u2015-]{{0,2}}[2-9]\d{{2}}"
    r"[ \u00a0.\u2010-\u2015-]?\d{4}(?!\w))"
    rf"|{_BEGIN}(?P<bare>(?:\d{{8,15}}|[1-9]\d{{0,2}}(?:[ \u00a0-]\d{{2,4}}){{3,5}})(?!\w))"
)
_PATTERN = re.compile(f"(?P<other>{_OTHERS})|{_NUMBERS}")
#: Seven digits not far from each other: most lines have none and are done with after this.
_CANDIDATE = re.compile(r"\d(?:\D{0,6}\d){6}")
#: Lines are cut here: nobody reads on, and a hostile text must not keep the daemon busy.
_LONGEST = 10_000


def mask(text: str) -> str:
    """The text without readable phone numbers."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return _PATTERN.sub(_masked, text) if _CANDIDATE.search(text) else text


def mask_all(value: Any) -> Any:
    """JSON-like data with every text masked, keys too; whatever is neither text nor number, as masked text."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return mask(value)
        case Mapping():
            return {mask(str(key)): mask_all(each) for key, each in value.items()}
        case Sequence() | set() | frozenset() if not isinstance(value, bytes | bytearray | memoryview):
            return [mask_all(each) for each in value]
        case _:
            return mask(str(value))


def _masked(found: re.Match[str]) -> str:
    whole = found.group()
    match found.lastgroup:
        case "international":
            return found["plus"] + _international(found["international"])
        case "national" | "american":
            return _hidden(whole)
        case "bare" if _is_number(_digits(whole)):
            return _hidden(whole)
        case _:
            return whole


def _international(written: str) -> str:
    """Written in groups, a number may seem to go on with what follows it: the longest beginning that is one counts."""
    ends = [each.end() for each in re.finditer(r"\d+", written)]
    for end in reversed(ends if len(ends) > 1 else ()):
        if _is_number(_digits(written[:end])):
            return _hidden(written[:end]) + written[end:]
    return _hidden(written)


def _hidden(number: str) -> str:
    """The first digits and the last three; of a short number less, so that at least four digits are hidden."""
    digits = _digits(number)
    tail = 3 if len(digits) > 7 else 2
    head = max(1, min(4, len(digits) - tail - 4))
    return f"{digits[:head]}{_HIDDEN}{digits[-tail:]}"


@lru_cache(maxsize=1024)
def _is_number(digits: str) -> bool:
    """Whether digits without a plus are a number with its country code: ids and times rarely are."""
    import phonenumbers  # only lines that hold such digits pay for it

    if digits.startswith("0"):
        return len(digits) <= 14
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    except phonenumbers.NumberParseException:
        return False


def _digits(text: str) -> str:
    return "".join(each for each in text if each.isdigit())
