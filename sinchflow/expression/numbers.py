"""Numbers as people write them, made E.164."""

import re
from typing import Any

#: Forms of numbers for templates, and what phonenumbers calls them.
FORMS = {"international": "INTERNATIONAL", "national": "NATIONAL", "e164": "E164"}

#: What people write numbers with; phonenumbers by itself would find one inside any sentence.
_NUMBER = re.compile(r"\+?[\d\s().\-/]{3,40}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
#: Written in a way that leaves nothing to find out but its digits.
_PLAIN = re.compile(r"(\+?)([0-9 ().-]{3,40})")
_NO_DIGITS = str.maketrans("", "", " ().-")


def to_e164(text: str, country: str | None) -> str | None:
    """The number in E.164, or None when it is none.

    country: ISO 3166 alpha-2; how a number without `+` is read. Without it such a number is taken only when it is
    unmistakable, i.e. when phonenumbers (ITU plans) finds it possible with a `+` in front.
    """
    text = text.strip()
    if _E164.fullmatch(text):
        return text
    if not _NUMBER.fullmatch(text):
        return None
    import phonenumbers  # 0.1 s to import: most numbers never come here

    for candidate, region in ((text, country), (f"+{text.lstrip('+')}", None)):
        if region is None and not candidate.startswith("+"):
            continue
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def in_form(number: str, form: str) -> str:
    """A number in E.164 in one of phonenumbers' forms: INTERNATIONAL, NATIONAL, E164."""
    if form == "E164":
        return number
    import phonenumbers

    return phonenumbers.format_number(phonenumbers.parse(number), getattr(phonenumbers.PhoneNumberFormat, form))


class Numbers:
    """`to_e164` for many numbers that are mostly of one country: the same answers, some ten times as fast.

    Decides by the country's patterns alone where they leave no choice, and asks `to_e164` for everything else.
    """

    def __init__(self, country: str | None) -> None:
        self._country = country
        self._plan = None if country is None else _plan(country)

    def to_e164(self, text: str) -> str | None:
        """As the function."""
        text = text.strip()
        if _E164.fullmatch(text):
            return text
        plain = _PLAIN.fullmatch(text)
        if self._plan is not None and plain is not None:
            quick = self._plan.read(plain[1], plain[2].translate(_NO_DIGITS))
            if quick is not None:
                return quick
        return to_e164(text, self._country)


class _Plan:
    """A country's numbering plan, as far as it is needed to read most of its numbers."""

    def __init__(self, metadata: Any) -> None:
        self._code = str(metadata.country_code)
        self._general = re.compile(metadata.general_desc.national_number_pattern)
        self._lengths = frozenset(metadata.general_desc.possible_length)
        self._abroad = re.compile(metadata.international_prefix or "(?!)")
        self._prefix = re.compile(metadata.national_prefix_for_parsing or "(?!)")
        self._trunk = None if metadata.national_prefix_transform_rule else metadata.national_prefix

    def read(self, plus: str, digits: str) -> str | None:
        """The number in E.164 where there is only one way to read it."""
        if digits.startswith(self._code):  # 61 491 570 156
            rest = digits[len(self._code) :]
            if self._is_national(rest) and (plus or not (self._general.fullmatch(digits) or self._is_dialled(digits))):
                return f"+{digits}"
        elif plus or self._abroad.match(digits):
            return None
        elif self._is_national(digits):  # 491 570 156
            return f"+{self._code}{digits}"
        elif self._trunk and digits.startswith(self._trunk) and not self._general.fullmatch(digits):  # 0491 570 156
            rest = digits[len(self._trunk) :]
            before = self._prefix.match(digits)
            if before and before[0] == self._trunk and self._is_national(rest):
                return f"+{self._code}{rest}"
        return None

    def _is_national(self, digits: str) -> bool:
        """Whether these are all the digits after the country's code."""
        return (
            len(digits) in self._lengths
            and not digits.startswith("0")
            and self._general.fullmatch(digits) is not None
            and self._prefix.match(digits) is None
        )

    def _is_dialled(self, digits: str) -> bool:
        """Whether something stands in front that is only dialled."""
        return self._abroad.match(digits) is not None or self._prefix.match(digits) is not None


def _plan(country: str) -> _Plan | None:
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(country, None)
    return None if metadata is None else _Plan(metadata)
