"""Durations as the language writes them: `500ms 30s 15m 24h 2d`."""

import re
from datetime import timedelta

#: Longest duration that is taken; more is a slip of the pen (and `datetime` ends in the year 9999).
LONGEST = timedelta(days=3650)

_DURATION = re.compile(r"(\d{1,12})(ms|s|m|h|d)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def parse_duration(text: str) -> timedelta | None:
    """The duration that the text spells, or None when it is none or longer than `LONGEST`."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    count, unit = int(found[1]), _UNITS[found[2]]
    return unit * count if count <= LONGEST // unit else None
