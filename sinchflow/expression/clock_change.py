"""When the clock of a time zone is changed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def clock_change(begin: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """When the zone's clock changes after `begin`, at the latest at `end`; None when it does not. To the second."""
    offset = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return None
    before, after = int(begin.timestamp()), int(end.timestamp()) + 1
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)
