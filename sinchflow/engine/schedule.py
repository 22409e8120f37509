"""When a `schedule` trigger is due. Pure: the caller brings the time, and keeps how far it has come.

`every` counts from midnight UTC 1970 and knows no daylight saving. `cron` is read in its time zone, and where the clock
is changed it does as Debian's cron: a tick at a certain time of day comes once, at the end of the gap where the clock
jumps over it, the first time where the clock shows it twice. A cron text whose minute or hour begins with `*` goes by
the time that passes instead: `*/30 * * * *` comes every half hour whatever the clock does.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sinchflow.model.flow import Schedule

if TYPE_CHECKING:
    from cronsim import CronSim

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Longer than any cron text that a person writes.
_LONGEST = 200
#: The fields by cronsim's names: how many values, and what they take, for people.
_FIELDS = {
    "minute": (60, "0-59"),
    "hour": (24, "0-23"),
    "day-of-month": (31, "1-31, L (the last) or LW (the last weekday)"),
    "month": (12, "1-12 or JAN-DEC"),
    "day-of-week": (8, "0-7 (0 and 7 are Sunday), SUN-SAT, MON#2 (the second) or 5L (the last Friday)"),
}
#: Where `last_tick` looks for the last tick, from the near to the far; no cron text pauses for longer (29 February).
_LOOK_BACK = tuple(timedelta(hours=1) * 6**power for power in range(8))


def next_tick(trigger: Schedule, after: datetime, timezone: str) -> datetime:
    """The first tick later than `after`, in UTC.

    after: aware. timezone: the project's, an IANA name that exists; the trigger's own goes before it.
    Raises ValueError for a cron text that `cron_fault` refuses.
    """
    return next(_ticks(trigger, after, timezone))


def ticks_between(trigger: Schedule, after: datetime, until: datetime, timezone: str) -> Iterator[datetime]:
    """Every tick later than `after` and not later than `until`, in order, in UTC, found one at a time."""
    for tick in _ticks(trigger, after, timezone):
        if tick > until:
            return
        yield tick


def missed_tick(trigger: Schedule, after: datetime, until: datetime, timezone: str) -> datetime | None:
    """The tick to make up for those that passed while no daemon ran: the last of them, or None.

    after: how far ticks have been seen to. until: now. None where there was none, or the trigger says `missed: skip`.
    Costs about as much for a year as for an hour.
    """
    return None if trigger.missed == "skip" else _last_tick(trigger, after, until, timezone)


def cron_fault(text: str) -> str | None:
    """What is wrong with a cron text, in one sentence that quotes it; None when it is sound."""
    shown = f'"{text[:60]}{"…" if len(text) > 60 else ""}"'
    if text.strip().startswith("@"):
        return f"{shown} is a short form; write the five fields: minute hour day-of-month month day-of-week"
    fields = text.split()
    if len(fields) != len(_FIELDS):
        count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        return f"{shown} has {count}; cron has five: minute hour day-of-month month day-of-week"
    if len(text) > _LONGEST:
        return f"{shown} is longer than {_LONGEST} characters"
    for field, (name, (size, takes)) in zip(fields, _FIELDS.items(), strict=True):
        if (step := _largest_step(field)) >= size:
            return f'the {name} "{field}" steps by {step}, more than there are; for a longer time use `every`'
        if not _is_sound(field, name):
            return f'"{field}" is no {name} of cron; it takes {takes}, lists (1,2), ranges (1-5) and steps (*/2)'
    try:
        next(_simulated(text, _EPOCH))
    except (StopIteration, ValueError):
        return f"{shown} never comes: no such day is in these months"
    return None


def _largest_step(field: str) -> int:
    steps = [term.partition("/")[2] for term in field.split(",")]
    return max((int(step) for step in steps if step.isdecimal()), default=0)


def _is_sound(field: str, name: str) -> bool:
    """Whether cronsim takes the field when all others are `*`."""
    try:
        _simulated(" ".join(field if each == name else "*" for each in _FIELDS), _EPOCH)
    except ValueError:
        return False
    return True


def _ticks(trigger: Schedule, after: datetime, timezone: str) -> Iterator[datetime]:
    if trigger.every is not None:
        tick = _EPOCH + ((after - _EPOCH) // trigger.every + 1) * trigger.every
        while True:
            yield tick
            tick += trigger.every
    last = after.astimezone(UTC)
    for local in _simulated(trigger.cron or "", last.astimezone(ZoneInfo(trigger.timezone or timezone))):
        tick = local.astimezone(UTC)
        if tick > last:  # cronsim goes by the wall clock alone, and so says 02:30 again in the hour that comes twice
            yield tick
            last = tick


def _last_tick(trigger: Schedule, after: datetime, until: datetime, timezone: str) -> datetime | None:
    """The last tick later than `after` and not later than `until`."""
    after = after.astimezone(UTC)
    if trigger.every is not None:
        tick = _EPOCH + (until - _EPOCH) // trigger.every * trigger.every
        return tick if tick > after else None
    for back in _LOOK_BACK:
        begin = max(after, until.astimezone(UTC) - back)
        found = None
        for found in ticks_between(trigger, begin, until, timezone):  # noqa: B007 (the last one is wanted)
            pass
        if found is not None or begin == after:
            return found
    return None


def _simulated(cron: str, after: datetime) -> "CronSim":
    """The ticks of a cron text from `after` on, by the clock of its zone. Raises ValueError when there is a fault."""
    from cronsim import CronSim, CronSimError  # only projects with schedules pay

    try:
        return CronSim(cron, after)
    except CronSimError as error:
        raise ValueError(f'"{cron}": {error}') from error
