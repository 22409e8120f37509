"""In which country a number is."""

import pytest

from sinchflow.policy.countries import country_of


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+61491570156", "AU"),
        ("+61891621234", "CC"),  # shares +61
        ("+6421234567", "NZ"),
        ("+14155550100", "US"),
        ("+16045550100", "CA"),
        ("+18095550100", "DO"),
        ("+12425550100", "BS"),
        ("+15555550100", "US"),  # no range that is known
        ("+447400123456", "GB"),
        ("+447700900123", "GB"),
        ("+441481960194", "GG"),
        ("+79161234567", "RU"),
        ("+77011234567", "KZ"),
        ("+4915112345678", "DE"),
        ("+393123456789", "IT"),
        ("+48512345678", "PL"),
        ("+80012345678", None),
        ("+88312345678", None),
        ("+9991234567", None),
        ("+3", None),
        ("0491570156", None),
        ("ACME", None),
        ("", None),
    ],
)
def test_number_is_of_its_country(number, country):
    assert country_of(number) == country
