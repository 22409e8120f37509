"""Other numbers, names and addresses in the place of real ones, the same ones everywhere in a recording."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus

from sinchflow.expression.numbers import in_form, to_e164

#: Numbers kept for fiction (ACMA, "Phone numbers for use in TV shows, films and creative works").
_FICTION = [f"+614915701{number:02}" for number in (56, 57, 58, 59, 10)] + ["+61491570006", "+61491572549"]
_NAMES = ("Sam", "Alex", "Robin", "Kim", "Jo", "Lee")
_PERSONAL = re.compile(r"name|mail|address|street|birth|dob|plate|card|iban", re.IGNORECASE)
_PHONE = re.compile(r"phone|mobile|number|msisdn|cell|caller|^to$|^from$", re.IGNORECASE)
_NAME = re.compile(r"name", re.IGNORECASE)
_MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
#: Long enough to be nobody's order number.
_WRITTEN_NUMBER = re.compile(r"(?<![\w+-])(?:\+|0)[\d ]{8,16}\d(?!\w)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
#: Not somebody's: what an event is made of.
_OF_EVENTS = frozenset(
    {
        "source_address",
        "destination_address",
        "content",
        "path",
        "url",
        "flow",
        "method",
        "message_id",
        "remote_address",
    }
)


class Disguise:
    """See the module's text. country: how numbers without `+` are read. public: what need not be hidden (the flows)."""

    def __init__(self, country: str | None, public: str) -> None:
        self._country = country
        self._public = public
        self._by_real: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self._fiction = iter(_FICTION)
        self._names = iter([*_NAMES, *(f"Person {number}" for number in range(1, 10_000))])
        self._pattern: re.Pattern[str] | None = None

    def keep(self, number: str) -> None:
        """A number of ours: it is in the project, and nobody's secret."""
        self._numbers.setdefault(number, number)

    def number(self, number: str) -> str:
        """What stands for this number (E.164): `+61491570156` for the first one; itself for one that a flow names."""
        if number in self._public:  # a flow texts it whatever comes
            return number
        if number not in self._numbers:
            other = next(self._fiction, f"+6149157{1000 + len(self._numbers):04}") if number.startswith("+") else number
            self._numbers[number] = other
            for real, shown in zip(_forms(number), _forms(other), strict=False):
                self.note(real, shown)
        return self._numbers[number]

    def personal(self, data: Any, key: str = "", *, all_of: bool = False) -> None:
        """Note what is somebody's: values under telling names, or all texts. What stands in the flows is public."""
        match data:
            case dict():
                for name, value in data.items():
                    self.personal(value, str(name), all_of=all_of)
            case list() | tuple():
                for value in data:
                    self.personal(value, key, all_of=all_of)
            case str() if len(data) >= 2:
                if key.endswith("_id"):
                    return
                self._in_words(data)
                if key in _OF_EVENTS:
                    return
                if all_of or data.startswith("+") or _PHONE.search(key):
                    number = to_e164(data, self._country)
                    if number is not None:
                        self.note(data, self.number(number))
                        return
                if all_of or _PERSONAL.search(key):
                    self._text(data, key)

    def _in_words(self, text: str) -> None:
        """Addresses and numbers that somebody wrote in a text."""
        for mail in _MAIL.finditer(text):
            if mail[0] not in self._by_real and mail[0] not in self._public:
                self.note(mail[0], f"{next(self._names).lower().replace(' ', '.')}@example.com")
        for written in _WRITTEN_NUMBER.finditer(text):
            number = to_e164(written[0], self._country)
            if number is not None and number not in self._numbers and written[0] not in self._public:
                self.note(written[0], self.number(number))

    def _text(self, text: str, key: str) -> None:
        if text in self._by_real or text in self._public or text in self._by_real.values():
            return
        if _DAY.match(text):
            self.note(text[:10], "1980-01-02")
        elif _NAME.search(key):
            self.note(text, next(self._names))
        elif not _MAIL.fullmatch(text):
            self.note(text, f"{key} of somebody")

    def note(self, real: str, other: str) -> None:
        """`other` stands for this text from here on, wherever it is."""
        if real != other:
            self._by_real.setdefault(real, other)
            for in_url in (_quoted, quote_plus):
                self._by_real.setdefault(in_url(real), in_url(other))
            self._pattern = None

    def text(self, text: str) -> str:
        """The text with what is to stand there instead; where words are told apart, only whole ones count."""
        if self._pattern is None:
            longest_first = sorted(self._by_real, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_as_words, longest_first)) or "(?!)")
        return self._pattern.sub(lambda found: self._by_real[found[0]], text)

    def data(self, data: Any) -> Any:
        """The same for all texts of a value, and for numbers, addresses and the like that are keys of one."""
        match data:
            case str():
                return self.text(data)
            case dict():
                return {
                    name if str(name).isidentifier() else self.text(str(name)): self.data(value)
                    for name, value in data.items()
                }
            case list() | tuple():
                return [self.data(value) for value in data]
            case _:
                return data

    def rows(self, rows: Iterable[dict[str, str]]) -> Iterator[Any]:
        """Rows of a list; one that has nothing but a number is just that."""
        for row in rows:
            self.personal({name: value for name, value in row.items() if name != "number"})
            other = {name: self.number(value) if name == "number" else self.text(value) for name, value in row.items()}
            yield other["number"] if list(other) == ["number"] else other


def _as_words(text: str) -> str:
    """A pattern for the text, not within a longer word or number; words of Chinese or Thai have no such bounds."""
    before = r"(?<!\w)" if _ends_words(text[0]) else ""
    after = r"(?!\w)" if _ends_words(text[-1]) else ""
    return f"{before}{re.escape(text)}{after}"


def _ends_words(edge: str) -> bool:
    return edge.isascii() or edge.lower() != edge.upper()


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _forms(number: str) -> Iterator[str]:
    """A number as machines and people write it."""
    import phonenumbers

    yield number
    if not number.startswith("+"):  # a short code, or no number at all
        return
    yield number[1:]
    with suppress(phonenumbers.NumberParseException):  # of no known country: nobody writes it otherwise
        national = in_form(number, "NATIONAL")
        yield from (in_form(number, "INTERNATIONAL"), national, re.sub(r"\D", "", national))
