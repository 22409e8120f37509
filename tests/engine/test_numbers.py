"""Numbers as people write them."""

import pytest

from sinchflow.engine.numbers import to_e164


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+61491570156", None, "+61491570156"),
        (" +61 491-570-156 ", None, "+61491570156"),
        ("61491570156", None, "+61491570156"),
        ("0491 570 156", "AU", "+61491570156"),
        ("(0491) 570 156", "AU", "+61491570156"),
        ("61491570156", "AU", "+61491570156"),
        ("0011 61 491 570 156", "AU", "+61491570156"),
        ("021 123 4567", "NZ", "+64211234567"),
        ("0491 570 156", None, None),
        ("+0491570156", None, None),
        ("+6149157015612345678", "AU", None),
        ("call 0491 570 156", "AU", None),
        ("ACME", "AU", None),
        ("", "AU", None),
        ("+", "AU", None),
        ("5", "XX", None),
        ("1" * 10_000, "AU", None),
    ],
)
def test_number_is_made_e164_or_refused(text, country, expected):
    assert to_e164(text, country) == expected
