"""When schedules are due: in their zone, across both changes of the clock, and after a downtime."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from sinchflow.engine.schedule import missed_tick, next_tick, ticks_between
from sinchflow.expression.cron import cron_fault
from sinchflow.model.flow import Schedule
from sinchflow.model.origin import Origin

ORIGIN = Origin("flows/a.yaml", 2, 3)


def cron(text: str, timezone: str | None = None, missed: str = "once") -> Schedule:
    return Schedule(origin=ORIGIN, cron=text, timezone=timezone, missed=missed)


def every(seconds: float, missed: str = "once") -> Schedule:
    return Schedule(origin=ORIGIN, every=timedelta(seconds=seconds), missed=missed)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        (cron("0 9 * * MON-FRI"), "2026-03-06T08:59:59.999+11:00", "2026-03-06T09:00+11:00"),
        (cron("0 9 * * MON-FRI"), "2026-03-06T09:00+11:00", "2026-03-09T09:00+11:00"),  # strictly later
        (cron("0 9 * * MON-FRI"), "2026-03-06T09:00:00.5+11:00", "2026-03-09T09:00+11:00"),
        (cron("0 9 * * mon-fri"), "2026-03-07T00:00Z", "2026-03-09T09:00+11:00"),
        (cron("0 9 * * *", "Europe/Berlin"), "2026-01-05T07:59Z", "2026-01-05T08:00Z"),
        (cron("0 9 * * *", "Europe/Berlin"), "2026-07-05T06:00Z", "2026-07-05T07:00Z"),
        (cron("0 9 * * *", "UTC"), "2026-07-05T06:00Z", "2026-07-05T09:00Z"),
        (cron("30 18 L * *"), "2026-02-10T00:00Z", "2026-02-28T18:30+11:00"),
        (cron("0 8 * * MON#2"), "2026-02-10T00:00Z", "2026-03-09T08:00+11:00"),
        (cron("0 8 29 2 *"), "2026-02-10T00:00Z", "2028-02-29T08:00+11:00"),
        # 02:00 is 01:30 again that day; 02:04 comes once all the same
        (cron("4 */2 * * *", "Australia/Lord_Howe"), "2014-04-05T13:04Z", "2014-04-05T15:34Z"),
        (
            cron("0 0 7 9 *", "America/Santiago"),
            "2025-09-07T03:59:59Z",
            "2025-09-07T04:00Z",
        ),  # no such midnight
        (every(600), "2026-03-06T09:00Z", "2026-03-06T09:10Z"),
        (every(600), "2026-03-06T09:09:59.999999+01:00", "2026-03-06T08:10Z"),
        (every(0.5), "2026-03-06T09:00:00.5Z", "2026-03-06T09:00:01Z"),
        (every(86_400), "2026-03-06T09:00+11:00", "2026-03-06T00:00Z"),
        (every(600), "1969-12-31T23:55Z", "1970-01-01T00:00Z"),
    ],
)
def test_next_tick_is_the_first_one_later(schedule, after, expected):
    tick = next_tick(schedule, at(after), "Australia/Melbourne")
    assert tick == at(expected)
    assert tick.utcoffset() == timedelta()


#: A day on which the clock jumps from 02:00 to 03:00 (in Lord Howe to 02:30), and one on which it is put back.
CHANGES = [
    ("Australia/Melbourne", "2026-10-03T12:00+10:00", "2026-10-04T03:00+11:00"),
    ("Australia/Melbourne", "2026-04-04T12:00+11:00", "2026-04-05T02:30+11:00"),
    ("Europe/Berlin", "2026-03-28T12:00+01:00", "2026-03-29T03:00+02:00"),
    ("Europe/Berlin", "2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
    ("America/New_York", "2026-03-07T12:00-05:00", "2026-03-08T03:00-04:00"),
    ("America/New_York", "2026-10-31T12:00-04:00", "2026-11-01T02:30-05:00"),  # its hour of 01 comes twice
    ("Australia/Lord_Howe", "2026-10-03T12:00+10:30", "2026-10-04T02:30+11:00"),
]


@pytest.mark.parametrize(("zone", "after", "expected"), CHANGES)
def test_half_past_two_comes_once_on_the_day_of_a_change(zone, after, expected):
    ticks = list(ticks_between(cron("30 2 * * *"), at(after), at(after) + timedelta(days=1), zone))
    assert ticks == [at(expected)]


@pytest.mark.parametrize(("zone", "after", "expected"), CHANGES)
def test_half_past_two_comes_once_from_whatever_minute_it_is_asked(zone, after, expected):
    tick, begin = at(expected), at(after).astimezone(UTC)
    for minutes in range(0, 24 * 60, 7):
        now = begin + timedelta(minutes=minutes)
        found = next_tick(cron("30 2 * * *"), now, zone)
        assert found > now
        assert (found == tick) == (now < tick)


@pytest.mark.parametrize("zone", ["Australia/Melbourne", "Europe/Berlin", "America/New_York", "America/Santiago"])
@pytest.mark.parametrize("text", ["0 8 * * *", "0 0 * * *", "15,45 1-3 * * *", "0 * * * *"])
def test_a_year_of_ticks_found_one_by_one_is_a_year_of_ticks(zone, text):
    begin, end = at("2026-01-01T00:00Z"), at("2026-12-31T00:00Z")
    whole = list(ticks_between(cron(text), begin, end, zone))
    assert all(later > earlier for earlier, later in pairwise(whole))
    step = max(1, len(whole) // 500)
    for earlier, later in list(pairwise(whole))[::step]:
        assert next_tick(cron(text), earlier, zone) == later
    if text == "0 8 * * *":
        assert len(whole) == 364
        assert {tick.astimezone(ZoneInfo(zone)).hour for tick in whole} == {8}
    if text == "0 * * * *":
        assert {later - earlier for earlier, later in pairwise(whole)} == {timedelta(hours=1)}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (cron("0 9 * * *"), "2026-03-09T09:00+11:00"),
        (cron("0 9 * * *", missed="skip"), None),
        (cron("* * * * *"), "2026-03-09T12:00+11:00"),
        (cron("0 9 1 1 *"), None),
        (cron("0 9 1 3 *"), "2026-03-01T09:00+11:00"),
        (cron("0 9 * 2 *"), "2026-02-28T09:00+11:00"),
        (every(60), "2026-03-09T12:00+11:00"),
        (every(7 * 86_400), "2026-03-05T00:00Z"),
        (every(60, missed="skip"), None),
        (every(365 * 86_400), None),
    ],
)
def test_missed_ticks_are_made_up_for_by_the_last_or_not_at_all(schedule, expected):
    missed = missed_tick(schedule, at("2026-02-20T12:00+11:00"), at("2026-03-09T12:00+11:00"), "Australia/Melbourne")
    assert missed == (at(expected) if expected else None)


@pytest.mark.parametrize("schedule", [cron("30 2 * * *"), cron("*/20 * * * *"), cron("0 0 1 * *"), every(5_000)])
@pytest.mark.parametrize("hours", [0, 1, 5, 30, 200, 3_000])
def test_missed_tick_is_the_last_of_the_ticks_between(schedule, hours):
    until = at("2026-10-04T15:59Z")  # melbourne: the night after the clock jumps
    after = until - timedelta(hours=hours)
    ticks = list(ticks_between(schedule, after, until, "Australia/Melbourne"))
    assert missed_tick(schedule, after, until, "Australia/Melbourne") == (ticks[-1] if ticks else None)


def test_a_tick_of_just_now_is_missed_and_one_seen_is_not():
    now = at("2026-03-09T09:00+11:00")
    for schedule in (cron("0 9 * * *"), every(3_600)):
        assert missed_tick(schedule, now - timedelta(hours=1), now, "Australia/Melbourne") == now
        assert missed_tick(schedule, now, now, "Australia/Melbourne") is None


@pytest.mark.parametrize(
    "text",
    ["* * * * *", "0 9 * * MON-FRI", "*/5 8-18 1,15 JAN-MAR *", "0 0 L * *", "0 0 LW * *", "0 0 * * 5L",
     "0 0 * 2 MON#5", "0 0 29 2 */7", " 0  9 * * 7 "],
)  # fmt: skip
def test_sound_cron_texts_have_no_fault(text):
    assert cron_fault(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '"" has 0 fields; cron has five: minute hour day-of-month month day-of-week'),
        ("daily", '"daily" has 1 field; cron has five: minute hour day-of-month month day-of-week'),
        ("0 0 9 * * *", '"0 0 9 * * *" has 6 fields; cron has five: minute hour day-of-month month day-of-week'),
        (
            "@daily",
            '"@daily" is a short form; write the five fields: minute hour day-of-month month day-of-week',
        ),
        ("60 * * * *", '"60" is no minute of cron; it takes 0-59, lists (1,2), ranges (1-5) and steps (*/2)'),
        ("0 24 * * *", '"24" is no hour of cron; it takes 0-23, lists (1,2), ranges (1-5) and steps (*/2)'),
        ("0 9 * 13 *", '"13" is no month of cron; it takes 1-12 or JAN-DEC, lists (1,2), ranges (1-5) and steps (*/2)'),
        ("*/0 * * * *", '"*/0" is no minute of cron; it takes 0-59, lists (1,2), ranges (1-5) and steps (*/2)'),
        ("*/90 * * * *", 'the minute "*/90" steps by 90, more than there are; for a longer time use `every`'),
        ("0 0 31 2 *", '"0 0 31 2 *" never comes: no such day is in these months'),
        ("0 0 31 4,JUN *", '"0 0 31 4,JUN *" never comes: no such day is in these months'),
    ],
)
def test_broken_cron_texts_are_explained_in_one_sentence(text, expected):
    assert cron_fault(text) == expected


@pytest.mark.parametrize(
    "text",
    ["a b c d e", "1,,2 * * * *", "5-1 * * * *", "1/2/3 * * * *", "1/² * * * *", "0 0 * * MON#6", "0 0 * * FRI-MON",
     "-1 * * * *", "0 9 * * \x00", "9" * 5_000 + " * * * *", "1/" + "9" * 150 + " * * * *", "* " * 4_000,
     "{{ vars.x }}"],
)  # fmt: skip
def test_any_broken_cron_text_has_one_short_line(text):
    fault = cron_fault(text)
    assert fault is not None
    assert "\n" not in fault
    assert len(fault) < 500
