"""Quiet hours by the clock on the wall."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinchflow.model.project import QuietHours
from sinchflow.policy.quiet_hours import is_quiet, quiet_until, zone_name

EVENING = (21 * 60, 8 * 60)
ZONES = (
    "UTC", "Australia/Melbourne", "Australia/Lord_Howe", "America/New_York", "America/St_Johns", "Europe/Berlin",
    "Europe/Dublin", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Chatham", "America/Santiago", "Pacific/Apia",
)  # fmt: skip
#: Days around which clocks change in one of them, and the one that Samoa left out.
CHANGES = (
    "2026-03-08", "2026-03-29", "2026-04-05", "2026-09-06", "2026-09-27", "2026-10-04", "2026-10-25", "2026-11-01",
    "2026-02-15", "2026-03-22", "2011-12-30", "2026-07-01",
)  # fmt: skip


def utc(text):
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("hours", "timezone", "when", "until"),
    [
        # over midnight
        (EVENING, "Australia/Melbourne", "2026-07-01T20:59:59.999999+10:00", None),
        (EVENING, "Australia/Melbourne", "2026-07-01T21:00+10:00", "2026-07-02T08:00+10:00"),
        (EVENING, "Australia/Melbourne", "2026-07-02T00:00+10:00", "2026-07-02T08:00+10:00"),
        (EVENING, "Australia/Melbourne", "2026-07-02T07:59:59.999999+10:00", "2026-07-02T08:00+10:00"),
        (EVENING, "Australia/Melbourne", "2026-07-02T08:00+10:00", None),
        (EVENING, "Asia/Kathmandu", "2026-07-02T02:15+05:45", "2026-07-02T08:00+05:45"),
        (EVENING, "UTC", "2026-12-31T23:00Z", "2027-01-01T08:00Z"),
        (EVENING, "UTC", "2028-02-28T22:00Z", "2028-02-29T08:00Z"),
        # within a day, to and from midnight, never
        ((12 * 60, 14 * 60), "UTC", "2026-07-02T11:59Z", None),
        ((12 * 60, 14 * 60), "UTC", "2026-07-02T13:30Z", "2026-07-02T14:00Z"),
        ((12 * 60, 14 * 60), "UTC", "2026-07-02T14:00Z", None),
        ((22 * 60, 0), "UTC", "2026-07-02T23:30Z", "2026-07-03T00:00Z"),
        ((22 * 60, 0), "UTC", "2026-07-03T00:00Z", None),
        ((22 * 60, 1440), "UTC", "2026-07-02T23:30Z", "2026-07-03T00:00Z"),
        ((0, 6 * 60), "UTC", "2026-07-03T00:00Z", "2026-07-03T06:00Z"),
        ((8 * 60, 8 * 60), "UTC", "2026-07-03T08:00Z", None),
        # the clock is put forward in the night: shorter
        (EVENING, "Europe/Berlin", "2026-03-28T23:00+01:00", "2026-03-29T08:00+02:00"),
        (EVENING, "Australia/Melbourne", "2026-10-03T22:00+10:00", "2026-10-04T08:00+11:00"),
        (EVENING, "America/New_York", "2026-03-08T01:30-05:00", "2026-03-08T08:00-04:00"),
        (EVENING, "Australia/Lord_Howe", "2026-10-03T22:00+10:30", "2026-10-04T08:00+11:00"),
        # … over the end of quiet hours: they end at that moment
        ((21 * 60, 150), "Europe/Berlin", "2026-03-28T23:00+01:00", "2026-03-29T03:00+02:00"),
        ((21 * 60, 150), "Europe/Berlin", "2026-03-29T01:59:59.5+01:00", "2026-03-29T03:00+02:00"),
        ((21 * 60, 120), "Europe/Berlin", "2026-03-28T23:00+01:00", "2026-03-29T03:00+02:00"),
        ((21 * 60, 180), "Europe/Berlin", "2026-03-28T23:00+01:00", "2026-03-29T03:00+02:00"),
        ((21 * 60, 181), "Europe/Berlin", "2026-03-28T23:00+01:00", "2026-03-29T03:01+02:00"),
        # … over the beginning
        ((150, 480), "Europe/Berlin", "2026-03-29T01:59+01:00", None),
        ((150, 480), "Europe/Berlin", "2026-03-29T03:00+02:00", "2026-03-29T08:00+02:00"),
        # … over all of them
        ((130, 170), "Europe/Berlin", "2026-03-29T03:00+02:00", None),
        # the clock is put back in the night: longer
        (EVENING, "Europe/Berlin", "2026-10-24T23:00+02:00", "2026-10-25T08:00+01:00"),
        (EVENING, "Australia/Melbourne", "2026-04-04T22:00+11:00", "2026-04-05T08:00+10:00"),
        (EVENING, "America/New_York", "2026-11-01T01:30-04:00", "2026-11-01T08:00-05:00"),
        (EVENING, "America/St_Johns", "2026-10-31T22:00-02:30", "2026-11-01T08:00-03:30"),
        # … with the end in the hour that comes twice
        ((21 * 60, 150), "Europe/Berlin", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
        ((21 * 60, 150), "Europe/Berlin", "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
        ((21 * 60, 180), "Europe/Berlin", "2026-10-25T02:50+02:00", "2026-10-25T03:00+01:00"),
        # midnight that comes twice, midnight that does not come, a day that does not come
        (EVENING, "America/Santiago", "2026-04-04T23:30-03:00", "2026-04-05T08:00-04:00"),
        (EVENING, "America/Santiago", "2026-09-05T23:30-04:00", "2026-09-06T08:00-03:00"),
        ((21 * 60, 10), "America/Santiago", "2026-09-05T23:30-04:00", "2026-09-06T01:00-03:00"),
        (EVENING, "Pacific/Apia", "2011-12-29T23:00-10:00", "2011-12-31T08:00+14:00"),
    ],
)
def test_deferral_ends_exactly_with_quiet_hours(hours, timezone, when, until):
    quiet = QuietHours(from_=hours[0], to=hours[1])
    assert is_quiet(quiet, utc(when), timezone) is (until is not None)
    found = quiet_until(quiet, utc(when), timezone)
    assert (found, found.tzinfo) == (utc(until or when), UTC)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(CHANGES),
    st.integers(-1440 * 60, 2 * 1440 * 60),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_deferral_ends_at_the_first_minute_that_is_not_quiet(timezone, day, shift_s, begin, end):
    hours = QuietHours(from_=begin, to=end)
    when = utc(f"{day}T00:00Z") + timedelta(seconds=shift_s)
    until = quiet_until(hours, when, timezone)
    assert not is_quiet(hours, until, timezone)
    assert until >= when
    # walking the wall clock minute by minute, as a person would
    passing = when
    while passing < until:
        wall = passing.astimezone(ZoneInfo(timezone))
        minute = wall.hour * 60 + wall.minute
        assert begin <= minute < end or (begin > end and not end <= minute < begin)
        passing += timedelta(minutes=1)
    assert until - when <= timedelta(hours=26)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("UTC", "UTC"),
        (None, "Australia/Melbourne"),
        ("", "Australia/Melbourne"),
        ("Europe", "Australia/Melbourne"),
        ("Europe/Bielefeld", "Australia/Melbourne"),
        ("../../etc/passwd", "Australia/Melbourne"),
        ("/etc/passwd", "Australia/Melbourne"),
        ("a\0b", "Australia/Melbourne"),
        ("Zürich", "Australia/Melbourne"),
        ("x" * 10_000, "Australia/Melbourne"),
        (10, "Australia/Melbourne"),
        (["UTC"], "Australia/Melbourne"),
    ],
)
def test_only_a_name_of_a_zone_is_taken_for_one(wanted, expected):
    assert zone_name(wanted, "Australia/Melbourne") == expected
