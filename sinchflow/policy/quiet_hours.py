"""Quiet hours by the clock on the contact's wall, right across changes of that clock.

It is quiet while the wall clock shows a time from `from_` to `to` (`to` not included). So where the clock is put back,
an hour may be quiet twice; where it is put forward over `to`, quiet ends at that very moment.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sinchflow.expression.clock_change import clock_change
from sinchflow.model.project import QuietHours

_DAY = 1440
_MINUTE_US = 60_000_000


def zone_name(wanted: object, otherwise: str) -> str:
    """`wanted` when it names a time zone (`contact.timezone` may hold anything), else the other name."""
    return wanted if isinstance(wanted, str) and _is_zone(wanted) else otherwise


@lru_cache(maxsize=1_000)
def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # not a name, a folder of the database, not there
        return False
    return True


def is_quiet(hours: QuietHours, when: datetime, timezone: str) -> bool:
    """Whether it is quiet then and there. `from_` equal to `to` is never quiet.

    when: aware. timezone: an IANA name that exists.
    """
    begin, end = hours.from_ % _DAY, hours.to % _DAY
    local = when.astimezone(ZoneInfo(timezone))
    minute = local.hour * 60 + local.minute
    return begin <= minute < end if begin <= end else minute >= begin or minute < end


def quiet_until(hours: QuietHours, when: datetime, timezone: str) -> datetime:
    """The first moment from `when` on that is not quiet, in UTC; `when` itself when it is not."""
    zone = ZoneInfo(timezone)
    when = when.astimezone(UTC)
    while is_quiet(hours, when, timezone):
        local = when.astimezone(zone)
        passed = (local.hour * 60 + local.minute) * _MINUTE_US + local.second * 1_000_000 + local.microsecond
        left = timedelta(microseconds=(hours.to * _MINUTE_US - passed) % (_DAY * _MINUTE_US))
        when = clock_change(when, when + left, zone) or when + left
    return when
