"""Opening hours by the clock on the wall, also on the days on which that clock is changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.expression.calendars import NeverOpen, OpenHours
from sinchflow.expression.days import region_fault
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Text
from sinchflow.model.origin import Origin
from sinchflow.model.project import Calendar
from tests.examples import examples

BERLIN, MELBOURNE = "Europe/Berlin", "Australia/Melbourne"
WEEK = range(7)


def every_day(*spans: str, **more) -> Calendar:
    """A calendar with the same spans on every day."""
    return Calendar(weekly={day: tuple(map(minutes, spans)) for day in WEEK}, **more)


def minutes(span: str) -> tuple[int, int]:
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in span.split("-"))
    return begin, end


def at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(ZoneInfo(zone))


OFFICE = Calendar(weekly={**dict.fromkeys(range(5), ((480, 1080),)), 5: ((540, 720),)}, holidays="AU-VIC")


@pytest.mark.parametrize(
    ("when", "is_open", "opens"),
    [
        ("2026-11-23T07:59:59+11:00", False, "2026-11-23T08:00:00+11:00"),
        ("2026-11-23T08:00:00+11:00", True, "2026-11-23T08:00:00+11:00"),
        ("2026-11-23T17:59:59+11:00", True, "2026-11-23T17:59:59+11:00"),
        ("2026-11-23T18:00:00+11:00", False, "2026-11-24T08:00:00+11:00"),
        ("2026-11-28T12:00:00+11:00", False, "2026-11-30T08:00:00+11:00"),  # Saturday noon
        ("2026-11-03T10:00:00+11:00", False, "2026-11-04T08:00:00+11:00"),  # Melbourne Cup
        ("2026-12-24T20:00:00+11:00", False, "2026-12-29T08:00:00+11:00"),  # Christmas, and its Monday off
        ("2026-11-22T21:00:00+00:00", True, "2026-11-23T08:00:00+11:00"),  # the same moment, told by another clock
    ],
)
def test_office_in_melbourne(when, is_open, opens):
    hours = OpenHours(OFFICE, MELBOURNE)
    assert hours.is_open(datetime.fromisoformat(when)) is is_open
    assert hours.next_open(datetime.fromisoformat(when)) == datetime.fromisoformat(opens)


@pytest.mark.parametrize(
    ("zone", "span", "when", "is_open", "opens"),
    [
        # Berlin, 2026-03-29: 02:00 becomes 03:00; 2026-10-25: 03:00 becomes 02:00.
        (BERLIN, "02:30-04:00", "2026-03-29T01:59:59+01:00", False, "2026-03-29T03:00:00+02:00"),
        (BERLIN, "02:00-03:00", "2026-03-29T01:59:59+01:00", False, "2026-03-30T02:00:00+02:00"),
        (BERLIN, "08:00-18:00", "2026-03-28T18:00:00+01:00", False, "2026-03-29T08:00:00+02:00"),
        (BERLIN, "02:15-02:45", "2026-10-25T02:30:00+02:00", True, "2026-10-25T02:30:00+02:00"),
        (BERLIN, "02:15-02:45", "2026-10-25T02:45:00+02:00", False, "2026-10-25T02:15:00+01:00"),
        (BERLIN, "02:15-02:45", "2026-10-25T02:30:00+01:00", True, "2026-10-25T02:30:00+01:00"),
        (BERLIN, "02:15-02:45", "2026-10-25T02:45:00+01:00", False, "2026-10-26T02:15:00+01:00"),
        # Melbourne, 2026-10-04: 02:00 becomes 03:00; 2026-04-05: 03:00 becomes 02:00.
        (MELBOURNE, "02:30-04:00", "2026-10-04T01:59:59+10:00", False, "2026-10-04T03:00:00+11:00"),
        (MELBOURNE, "22:00-02:30", "2026-10-04T03:00:00+11:00", False, "2026-10-04T22:00:00+11:00"),
        (MELBOURNE, "22:00-02:30", "2026-04-05T02:29:00+10:00", True, "2026-04-05T02:29:00+10:00"),
        (MELBOURNE, "22:00-02:30", "2026-04-05T02:30:00+11:00", False, "2026-04-05T02:00:00+10:00"),
        (MELBOURNE, "08:00-18:00", "2026-04-04T18:00:00+11:00", False, "2026-04-05T08:00:00+10:00"),
    ],
)
def test_days_on_which_the_clock_is_changed(zone, span, when, is_open, opens):
    hours = OpenHours(every_day(span), zone)
    assert hours.is_open(datetime.fromisoformat(when)) is is_open
    found = hours.next_open(datetime.fromisoformat(when))
    assert found == datetime.fromisoformat(opens)
    assert found.utcoffset() == datetime.fromisoformat(opens).utcoffset()


spans = st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda span: span[0] != span[1])
moments = st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 10)) | st.datetimes(
    datetime(2026, 9, 28), datetime(2026, 10, 30)
)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.dictionaries(st.sampled_from(WEEK), st.lists(spans, min_size=1, max_size=2).map(tuple), min_size=1),
    st.sampled_from([BERLIN, MELBOURNE]),
    moments,
)
def test_next_opening_is_the_first_open_minute(weekly, zone, moment):
    hours, when = OpenHours(Calendar(weekly=weekly), zone), moment.replace(tzinfo=UTC, second=0, microsecond=0)
    found = hours.next_open(when)
    assert hours.is_open(found)
    assert found >= when
    gap = int((found - when) / timedelta(minutes=1))
    for step in {0, 1, gap // 3, gap // 2, gap - 2, gap - 1} & set(range(gap)):
        assert not hours.is_open(when + timedelta(minutes=step))


def test_span_past_midnight_belongs_to_the_day_on_which_it_begins():
    night = Calendar(weekly={4: ((1320, 120),)}, closed=("2026-11-28",))  # Friday 22:00-02:00; Saturday is closed
    hours = OpenHours(night, BERLIN)
    assert hours.is_open("2026-11-28T01:59")
    assert not hours.is_open("2026-11-28T02:00")
    assert not hours.is_open("2026-11-28T23:00")
    assert not OpenHours(night, BERLIN, frozenset([date(2026, 11, 27)])).is_open("2026-11-28T01:00")


def test_whole_day_has_no_gap_at_midnight():
    hours = OpenHours(every_day("00:00-24:00"), MELBOURNE)
    assert all(hours.is_open(f"2026-10-04T{hour:02}:00") for hour in range(24))
    assert hours.is_open("2026-10-03T23:59:59")


def test_own_time_zone_goes_before_the_project_s():
    calendar = every_day("09:00-17:00", timezone=BERLIN)
    assert OpenHours(calendar, MELBOURNE).next_open("2026-11-23T00:00+00:00").isoformat() == "2026-11-23T09:00:00+01:00"


def test_calendar_that_never_opens_fails_the_step():
    hours = OpenHours(Calendar(weekly={}), BERLIN)
    with pytest.raises(NeverOpen, match="does not open within two years"):
        hours.next_open("2026-11-23T00:00")
    scope = {"calendars": {"shut": hours}, "now": lambda: at("2026-11-23T00:00+01:00", BERLIN)}
    with pytest.raises(ExpressionError, match="does not open within two years"):
        Templates().text(Text("{{ calendars.shut.next_open() }}", Origin("a.yaml", 1, 1)), scope)


@pytest.mark.parametrize(
    ("calendar", "closed", "warning"),
    [
        (every_day("09:00-17:00"), (), None),
        (every_day("09:00-17:00", holidays="AU-VIC"), (), None),
        (every_day("09:00-17:00", closed=("2026-12-24",)), (), None),
        (every_day("09:00-17:00", closed=("2026-11-23",)), (), None),
        (every_day("09:00-17:00", closed=("2025-12-24",)), (), "the last one known is 2025-12-24"),
        (every_day("09:00-17:00", closed_file="x.csv"), (), "no holiday or closed day is known"),
        (every_day("09:00-17:00", closed_file="x.csv"), (date(2026, 1, 1),), "the last one known is 2026-01-01"),
        (every_day("09:00-17:00", closed_file="x.csv"), (date(2027, 1, 1),), None),
    ],
)
def test_warning_when_no_holiday_lies_ahead(calendar, closed, warning):
    found = OpenHours(calendar, BERLIN, frozenset(closed)).holiday_warning(date(2026, 11, 23))
    assert found is None if warning is None else warning in found


@pytest.mark.parametrize(
    ("region", "fault"),
    [("AU", ""), ("AU-VIC", ""), ("DE-BY", ""), ("XX", "no holidays are known"), ("AU-XX", 'a region "XX" of AU')],
)
def test_region(region, fault):
    assert fault in (region_fault(region) or "")
    assert bool(region_fault(region)) is bool(fault)
