"""How texts and numbers are compared with filters."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchflow.expression.pattern import (
    Glob,
    NumberPattern,
    compile_regex,
    contains,
    first_word,
    fold,
    regex_fault,
    whole,
    words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hours?", ["hours"]),
        ("  What are\tyour “Opening hours”?!  ", ["what", "are", "your", "opening", "hours"]),
        ("can’t - won't", ["can't", "won't"]),
        ("24/7 *now*", ["24/7", "now"]),
        ("ＨＯＵＲＳ", ["hours"]),  # full width
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("İPTAL", ["iptal"]),
        ("नमस्ते!", ["नमस्ते"]),  # the vowel sign at its end belongs to it
        ("นี้ นี่", ["นี้", "นี่"]),  # differ in the tone mark only
        ("yes✌️", ["yes"]),
        ("👍", ["👍"]),
        ("ok 👍", ["ok"]),
        ("...", ["..."]),
        ("", []),
    ],
)
def test_words_are_bare(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HOURS please, now", ("hours", "please, now")),
        ("  Hours?\n Tomorrow ", ("hours", "Tomorrow")),
        ("- hours", ("hours", "")),
        ("... ! (Order) 5", ("order", "5")),
        ("👍", ("👍", "")),
        ("👍 thanks", ("thanks", "")),
        ("", ("", "")),
        (" ", ("", "")),
    ],
)
def test_first_word_is_folded_and_the_rest_is_as_written(text, expected):
    assert first_word(text) == expected


def test_first_word_of_very_many_signs_takes_no_square_of_time():
    assert first_word("! " * 300_000) == ("!", "! " * 299_998 + "!")


@given(st.text())
def test_case_width_and_space_never_matter(text):
    assert words(f"  {fold(text)}\n") == words(text)
    assert first_word(text)[0] == (words(text) or [""])[0]
    assert whole(whole(text)) == whole(text)


@pytest.mark.parametrize(
    ("message", "phrase", "expected"),
    [
        ("are you open", "you open", True),
        ("are you open", "you", True),
        ("are you open", "open you", False),
        ("are you open", "are open", False),
        ("are you open", "are you open now", False),
        ("reopen", "open", False),
    ],
)
def test_contains_takes_whole_words_next_to_each_other(message, phrase, expected):
    assert contains(words(message), words(phrase)) is expected


@pytest.mark.parametrize(
    ("pattern", "number", "expected"),
    [
        ("+61491570156", "+61491570156", True),
        ("61 491 570 156", "+61491570156", True),
        ("+61 (491) 570-156", "61491570156", True),
        ("+61491570156", "+614915701567", False),
        ("+614*", "+61491570156", True),
        ("+614*", "+6421234567", False),
        ("+6149157015?", "+61491570156", True),
        ("*", "ACME", True),
        ("Acme", "ACME", True),
        ("AC*", "acme", True),
    ],
)
def test_number_is_meant_by_pattern(pattern, number, expected):
    assert NumberPattern(pattern).matches(number) is expected


def test_glob_takes_everything_else_literally():
    assert Glob("a.*[b]?").matches("a.xx\n[b]c")
    assert not Glob("a.").matches("ab")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("order #?(?P<id>[0-9]+)", None),
        ("(", "missing ): ("),
        ("a(?=b)", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("((a{100}){100}){100}", "invalid repetition size"),
    ],
)
def test_regex_is_refused_with_the_reason(source, expected, capfd):
    reason = regex_fault(source)
    assert reason == expected or (expected is not None and reason is not None and reason.startswith(expected))
    assert capfd.readouterr() == ("", "")  # RE2 would log by itself


def test_regex_is_searched_without_regard_to_case():
    found = compile_regex("order #?(?P<id>[0-9]+)").search("My ORDER #12 ünd")
    assert found.groupdict() == {"id": "12"}


GLOBS = st.text("ab*?", max_size=8)


@given(GLOBS, st.text("ab\n", max_size=10))
def test_glob_means_what_a_regular_expression_would(source, text):
    expected = "".join({"*": ".*", "?": "."}.get(character) or re.escape(character) for character in source)
    assert Glob(source).matches(text) is (re.fullmatch(expected, text, re.DOTALL) is not None)


def test_glob_of_many_stars_takes_no_longer_than_its_text():
    began = time.monotonic()
    assert not Glob("*1" * 30 + "*2").matches("1" * 5_000)
    assert Glob("*1" * 30 + "*").matches("1" * 5_000)
    assert time.monotonic() - began < 1
