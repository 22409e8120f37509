"""The words of the provider's refusals: every body shape of sinch-api.md section 15, one case each in data."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.sinch.client import Answer
from sinchflow.sinch.errors import faults_by_message, read_error
from sinchflow.sinch.failure import refusal
from sinchflow.sinch.words import LIMIT, shown
from tests.examples import examples

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "errors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_refusal_keeps_the_providers_words(case: dict[str, Any]) -> None:
    words = read_error(case["status"], case["body"].encode())
    faults = faults_by_message(words.details, 3)
    assert (words.message, list(words.details), {str(index): words for index, words in faults.items()}) == (
        case["message"],
        case["details"],
        case["faults"],
    )


@pytest.mark.parametrize(
    "body", [b"x" * 5_000_000, b'{"message": "' + b"x" * 5000 + b'"}', b'{"details": ["' + b"x" * 5000 + b'"]}']
)
def test_long_words_are_cut(body: bytes) -> None:
    words = read_error(400, body)
    assert len(words.message) <= LIMIT
    assert all(len(detail) <= LIMIT for detail in words.details)


def test_cut_and_escaped_text_is_one_printable_line() -> None:
    assert shown("a\tb\ud800c") == "a\\tb\\ud800c"
    assert shown("abcdef", 4) == "abc…"
    assert shown("abcd", 4) == "abcd"


@settings(max_examples=examples(200), deadline=None)
@given(
    st.binary(max_size=80)
    | st.text(max_size=80).map(lambda text: json.dumps({"message": text, "details": [text]}).encode())
)
def test_any_body_gives_printable_words(body: bytes) -> None:
    words = read_error(500, body)
    assert words.message
    assert words.message.isprintable()
    assert all(detail.isprintable() for detail in words.details)
    faults_by_message(words.details, 100)


def test_redirects_target_is_quoted_on_one_line_and_cut():
    place = "https://elsewhere.example/\n\x1b[31m" + "x" * 9_000
    failure = refusal(Answer(status=302, headers={"location": place}, body=b""))
    assert failure.message.isprintable()
    assert len(failure.message) < 400
