"""`Numbers` reads numbers as `to_e164` does, whatever the country and the spelling."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.expression.numbers import Numbers, to_e164
from tests.examples import examples

COUNTRIES = ["AU", "NZ", "GB", "DE", "US"]
READERS = {country: Numbers(country) for country in [*COUNTRIES, None]}


def numbers_of(country: str) -> list[str]:
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    found = [phonenumbers.example_number_for_type(country, kind) for kind in kinds]
    return [
        phonenumbers.format_number(number, form)
        for number in found
        for form in (
            phonenumbers.PhoneNumberFormat.E164,
            phonenumbers.PhoneNumberFormat.NATIONAL,
            phonenumbers.PhoneNumberFormat.INTERNATIONAL,
        )
    ]


EXAMPLES = [text for country in COUNTRIES for text in numbers_of(country)]


@st.composite
def spelled(draw) -> str:
    """A number of some country with some digits changed, added or lost, and spaced in some way."""
    text = draw(st.sampled_from(EXAMPLES))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from([*"0123456789 -()+.", ""])) + text[at + draw(st.integers(0, 1)) :]
    before = draw(st.sampled_from(["", "", "", "0", "00", "0011", "011", "+", "1", " "]))
    return before + text


@settings(max_examples=examples(1_500), deadline=None)
@given(st.one_of(spelled(), st.text("+0123456789 -().", max_size=16)), st.sampled_from(list(READERS)))
def test_fast_way_gives_the_same_number(text, country):
    assert READERS[country].to_e164(text) == to_e164(text, country)


@pytest.mark.parametrize(
    ("country", "text", "number"),
    [
        ("AU", "0491 570 156", "+61491570156"),
        ("AU", "(03) 9999 9999", "+61399999999"),
        ("AU", "61491570156", "+61491570156"),
        ("AU", "+64 21 555 555", "+6421555555"),
        ("NZ", "021 555 555", "+6421555555"),
        ("GB", "07400 123456", "+447400123456"),
        ("DE", "0151 23456789", "+4915123456789"),
        ("US", "(201) 555-0123", "+12015550123"),
        (None, "+61 491 570 156", "+61491570156"),
        (None, "0491 570 156", None),
        ("AU", "call me", None),
        ("AU", "", None),
    ],
)
def test_numbers_as_people_write_them(country, text, number):
    assert Numbers(country).to_e164(text) == number
