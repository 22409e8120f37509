"""Cron texts: what is wrong with one, and its times on the clock of a zone, by cronsim."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

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
        next(simulated(text, _EPOCH))
    except (StopIteration, ValueError):
        return f"{shown} never comes: no such day is in these months"
    return None


def _largest_step(field: str) -> int:
    steps = [term.partition("/")[2] for term in field.split(",")]
    return max((int(step) for step in steps if step.isdecimal()), default=0)


def _is_sound(field: str, name: str) -> bool:
    """Whether cronsim takes the field when all others are `*`."""
    try:
        simulated(" ".join(field if each == name else "*" for each in _FIELDS), _EPOCH)
    except ValueError:
        return False
    return True


def simulated(cron: str, after: datetime) -> "CronSim":
    """The ticks of a cron text from `after` on, by the clock of its zone. Raises ValueError when there is a fault."""
    from cronsim import CronSim, CronSimError  # only projects with schedules pay

    try:
        return CronSim(cron, after)
    except CronSimError as error:
        raise ValueError(f'"{cron}": {error}') from error
