"""Opening hours, as templates ask them: `calendars.NAME.is_open(now())` and `calendars.NAME.next_open(now())`.

It is open while the clock on the calendar's wall shows a time within a span (its end not included), so an hour that the
clock shows twice is open twice, and where the clock jumps into a span it is open from that very moment. A span belongs
to the day on which it begins: `22:00-02:00` ends on the next day, be that a holiday or not, and on a closed day none
begins. Pure: what is remembered here is only what was found out before.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sinchflow.expression.days import read_date, region_fault
from sinchflow.expression.filters import time_in
from sinchflow.model.project import Calendar

#: What templates may call.
METHODS = frozenset({"is_open", "next_open"})

_DAY = 1440
#: Days that `next_open` looks ahead: no business closes for two years and still answers.
_FURTHEST = 731
#: Days kept; two years of them and some.
_MOST_DAYS = 1_000

_Span = tuple[int, int]


class NeverOpen(ValueError):
    """The calendar opens at no time that could be meant; in a template this becomes an ExpressionError."""


class OpenHours:
    """A calendar at work."""

    __slots__ = ("_calendar", "_closed", "_days", "_shut", "_years", "_zone")

    def __init__(self, calendar: Calendar, timezone: str, closed: frozenset[date] = frozenset()) -> None:
        """timezone: the project's, an IANA name; the calendar's own goes before it. closed: from its `closed_file`."""
        self._calendar = calendar
        self._zone = ZoneInfo(calendar.timezone or timezone)
        self._closed = closed | {day for text in calendar.closed if (day := read_date(text)) is not None}
        self._days: dict[date, tuple[_Span, ...]] = {}
        self._years: dict[int, frozenset[date]] = {}
        self._shut: tuple[datetime, datetime, bool] | None = None  #: closed from, until, whether it opens then

    def is_open(self, when: Any) -> bool:
        """Whether it is open then. when: a time, or ISO 8601 text (without an offset: in the calendar's zone).

        Raises jinja2.TemplateRuntimeError where that is no time.
        """
        return self._is_open(time_in(when, self._zone))

    def next_open(self, when: Any) -> datetime:
        """The first moment from `when` on at which it is open, with the offset of the calendar's zone then.

        Raises as `is_open`, and NeverOpen where it does not open within two years.
        """
        local = time_in(when, self._zone)
        if self._is_open(local):
            return _fixed(local)
        moment = local.astimezone(UTC)
        if self._shut is None or not self._shut[0] <= moment < self._shut[1]:
            opening = next(self._openings(moment), None)
            self._shut = (moment, opening or moment + timedelta(days=1), opening is not None)
        if not self._shut[2]:
            raise NeverOpen(f"the calendar does not open within two years of {local.date()}")
        return _fixed(self._shut[1].astimezone(self._zone))

    def last_holiday(self) -> date | None:
        """The last day that is known to be a holiday or a closed day; None when the calendar knows none."""
        known = set(self._closed)
        if self._calendar.holidays is not None:
            for year in range(_last_year(self._calendar.holidays), date.min.year, -1):
                if days := self._holidays(year):
                    known |= days
                    break
        return max(known, default=None)

    def holiday_warning(self, today: date) -> str | None:
        """What is to be said when the calendar names holidays or closed days and none of them lies ahead."""
        calendar = self._calendar
        if calendar.holidays is None and not calendar.closed and calendar.closed_file is None:
            return None
        last = self.last_holiday()
        if last is None:
            return "no holiday or closed day is known"
        return None if last >= today else f"no holiday or closed day lies ahead; the last one known is {last}"

    def _is_open(self, local: datetime) -> bool:
        minute = local.hour * 60 + local.minute
        return any(begin <= minute < end for begin, end in self._spans(local.date()))

    def _spans(self, day: date) -> tuple[_Span, ...]:
        """The day's spans in minutes of its wall clock, with what is left of a span of the evening before."""
        if (known := self._days.get(day)) is not None:
            return known
        if len(self._days) >= _MOST_DAYS:
            self._days.clear()
        own = [(begin, end if begin < end else _DAY) for begin, end in self._begun(day)]
        left = [(0, end) for begin, end in self._begun(day - timedelta(days=1)) if begin >= end > 0]
        self._days[day] = spans = (*left, *own)
        return spans

    def _begun(self, day: date) -> tuple[_Span, ...]:
        """The spans that begin on a day."""
        spans = self._calendar.weekly.get(day.weekday(), ())
        return () if not spans or day in self._closed or day in self._holidays(day.year) else spans

    def _holidays(self, year: int) -> frozenset[date]:
        if self._calendar.holidays is None:
            return frozenset()
        if (known := self._years.get(year)) is None:
            known = self._years[year] = frozenset(_region(self._calendar.holidays, year))
        return known

    def _openings(self, after: datetime) -> Iterator[datetime]:
        """Moments later than `after` at which it opens, day by day as far as is looked; in UTC."""
        today = after.astimezone(self._zone).date()
        for ahead in range(_FURTHEST):
            day = today + timedelta(days=ahead)
            for moment in sorted(self._candidates(day)) if self._spans(day) else ():
                if moment > after and self._is_open(moment.astimezone(self._zone)):
                    yield moment

    def _candidates(self, day: date) -> Iterator[datetime]:
        """Every moment of a day at which it may open: where a span begins, once or twice, and where the clock jumps."""
        midnight = datetime.combine(day, time(), self._zone)
        for begin, _ in self._spans(day):
            yield from _moments(midnight + timedelta(minutes=begin))
        first, last = min(_moments(midnight)), min(_moments(midnight + timedelta(days=1)))
        yield from _clock_change(first - timedelta(seconds=1), last, self._zone)


def _region(region: str, year: int) -> Any:
    """The `holidays` library's days of a region in a year. Raises ValueError for a region that it does not know."""
    import holidays

    country, _, part = region.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None, years=year)
    except NotImplementedError:
        raise ValueError(region_fault(region)) from None


def _last_year(region: str) -> int:
    """The last year of which the library says anything."""
    last: int = _region(region, 2000).end_year
    return last


def _fixed(local: datetime) -> datetime:
    """The time with its offset alone: two of these can be subtracted though the clock was changed in between."""
    return datetime.fromisoformat(local.isoformat())


def _moments(local: datetime) -> set[datetime]:
    """When the wall clock shows this; where it never does, both ends that can be meant."""
    return {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}


def _clock_change(before: datetime, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """When the zone's clock is changed later than `before` and not later than `after`, to the second; if it is."""
    offset = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == offset:
        return
    early, late = int(before.timestamp()), int(after.timestamp())
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    yield datetime.fromtimestamp(late, UTC)
