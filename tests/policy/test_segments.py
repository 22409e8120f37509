"""How many SMS a text becomes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchflow.expression.gsm7 import ALPHABET, BASIC, EXTENSION, JOINED, encoding_of, split, units_of
from sinchflow.policy.segments import Segments, segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts", "first_unicode"),
    [
        ("", "GSM-7", 0, 1, None),
        ("Hello", "GSM-7", 5, 1, None),
        ("a" * 160, "GSM-7", 160, 1, None),
        ("a" * 161, "GSM-7", 161, 2, None),
        ("a" * 306, "GSM-7", 306, 2, None),
        ("a" * 307, "GSM-7", 307, 3, None),
        ("a" * 459, "GSM-7", 459, 3, None),
        ("a" * 5_000, "GSM-7", 5_000, 33, None),
        ("€" * 80, "GSM-7", 160, 1, None),
        ("€" * 81, "GSM-7", 162, 2, None),
        ("a" * 159 + "€", "GSM-7", 161, 2, None),
        ("a" * 152 + "€" + "b" * 152, "GSM-7", 306, 3, None),  # the pair moves to the second part
        ("€" * 152, "GSM-7", 304, 2, None),
        ("€" * 153, "GSM-7", 306, 3, None),  # 76 of them fill a part, one unit is left over
        ("[x] {y} ^~\\|\f", "GSM-7", 22, 1, None),
        ("\r\n", "GSM-7", 2, 1, None),
        ("Ça va à Noël", "UCS-2", 12, 1, "ë"),
        ("GARÇON", "GSM-7", 6, 1, None),
        ("garçon", "UCS-2", 6, 1, "ç"),
        ("ÄÖÜäöüß àèéìòù ñÑ ÅåØøÆæÉ ¿¡ §¤£¥@_", "GSM-7", 35, 1, None),
        ("ΔΦΓΛΩΠΨΣΘΞ", "GSM-7", 10, 1, None),
        ("Α", "UCS-2", 1, 1, "Α"),  # Greek, looks like A
        ("`", "UCS-2", 1, 1, "`"),
        ("a\tb", "UCS-2", 3, 1, "\t"),
        ("\x1b", "UCS-2", 1, 1, "\x1b"),
        ("We’re open", "UCS-2", 10, 1, "’"),
        ("“Hi”", "UCS-2", 4, 1, "“"),
        ("Mon–Fri", "UCS-2", 7, 1, "–"),
        ("wait…", "UCS-2", 5, 1, "…"),
        ("non\u00a0breaking", "UCS-2", 12, 1, "\u00a0"),
        ("ok 👍", "UCS-2", 5, 1, "👍"),
        ("👍🏽", "UCS-2", 4, 1, "👍"),
        ("€ł", "UCS-2", 2, 1, "ł"),
        ("я" * 70, "UCS-2", 70, 1, "я"),
        ("я" * 71, "UCS-2", 71, 2, "я"),
        ("я" * 134, "UCS-2", 134, 2, "я"),
        ("я" * 135, "UCS-2", 135, 3, "я"),
        ("👍" * 35, "UCS-2", 70, 1, "👍"),
        ("👍" * 36, "UCS-2", 72, 2, "👍"),
        ("👍" * 66, "UCS-2", 132, 2, "👍"),
        ("👍" * 67, "UCS-2", 134, 3, "👍"),  # 33 of them fill a part, one unit is left over
        ("я" * 66 + "👍" + "я" * 66, "UCS-2", 134, 3, "я"),
        ("a" * 160 + "’", "UCS-2", 161, 3, "’"),
        ("\ud83d", "UCS-2", 1, 1, "\ud83d"),  # half a pair, as it can come out of JSON
    ],
)
def test_text_costs_so_many_parts(text, encoding, units, parts, first_unicode):
    assert segments(text) == Segments(encoding=encoding, units=units, parts=parts, first_unicode=first_unicode)


def test_alphabet_is_the_one_of_the_standard():
    assert (len(BASIC), len(EXTENSION), len(ALPHABET)) == (127, 10, 137)
    assert {chr(code) for code in range(0x20, 0x7F)} - ALPHABET == {"`"}


GSM = st.text(st.sampled_from(sorted(ALPHABET)), max_size=700)
TEXTS = st.one_of(
    GSM,
    st.text(max_size=400),
    st.text(st.sampled_from("a€я👍\ud83d\n"), max_size=400),
    st.text(st.sampled_from("a€^"), min_size=150, max_size=700),
)


@given(TEXTS)
def test_parts_lose_no_character_and_units_add_up(text):
    found = segments(text)
    parts = split(text)
    assert "".join(parts) == text
    assert len(parts) == found.parts
    assert sum(units_of(part, found.encoding) for part in parts) == found.units
    if found.encoding == "UCS-2":
        assert found.units == len(text.encode("utf-16-be", "surrogatepass")) // 2


@given(TEXTS)
def test_parts_are_as_full_as_they_can_be(text):
    encoding = encoding_of(text)
    parts = split(text)
    most, alone = JOINED[encoding], {"GSM-7": 160, "UCS-2": 70}[encoding]
    if len(parts) == 1:
        assert units_of(text, encoding) <= alone
    else:
        assert units_of(text, encoding) > alone
        for part, after in pairwise(parts):
            assert units_of(part, encoding) <= most < units_of(part + after[0], encoding)
        assert 0 < units_of(parts[-1], encoding) <= most


@given(TEXTS)
def test_first_unicode_character_is_the_first_that_is_not_gsm(text):
    first = segments(text).first_unicode
    assert (first is None) == (encoding_of(text) == "GSM-7") == (set(text) <= ALPHABET)
    if first is not None:
        assert encoding_of(text[: text.index(first)]) == "GSM-7"
