"""When a `schedule` trigger is due. Pure: the caller brings the time, and keeps how far it has come.

`every` counts from midnight UTC 1970 and knows no daylight saving. `cron` is read in its time zone, and where the clock
is changed it does as Debian's cron: a tick at a certain time of day comes once, at the end of the gap where the clock
jumps over it, the first time where the clock shows it twice. A cron text whose minute or hour begins with `*` goes by
the time that passes instead: `*/30 * * * *` comes every half hour whatever the clock does.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import timezone as FixedZone  # noqa: N812 (a class, and `timezone` is an argument here)
from zoneinfo import ZoneInfo

from sinchflow.expression.clock_change import clock_change
from sinchflow.expression.cron import simulated
from sinchflow.model.flow import Schedule

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def _ticks(trigger: Schedule, after: datetime, timezone: str) -> Iterator[datetime]:
    if trigger.every is not None:
        tick = _EPOCH + ((after - _EPOCH) // trigger.every + 1) * trigger.every
        while True:
            yield tick
            tick += trigger.every
    zone, last = ZoneInfo(trigger.timezone or timezone), after.astimezone(UTC)
    for tick in _cron_ticks(trigger.cron or "", last, zone):
        if tick > last:  # cronsim goes by the wall clock alone, and so says 02:30 again in the hour that comes twice
            yield tick
            last = tick


def _cron_ticks(cron: str, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """What cronsim says. A text that goes by the time that passes is read anew after each change of the clock: cronsim
    steps over it by whole hours, and would lose a tick where the clock is changed by half an hour (Lord Howe)."""
    if not any(field.startswith("*") for field in cron.split()[:2]):
        yield from (local.astimezone(UTC) for local in simulated(cron, after.astimezone(zone)))
        return
    ticks, looked = simulated(cron, after.astimezone(_unchanging(zone, after))), after
    while True:
        tick = next(ticks).astimezone(UTC)
        change = clock_change(looked, tick, zone)
        if change is None:
            yield tick
            looked = tick
        else:
            begin = (change - timedelta(seconds=1)).astimezone(_unchanging(zone, change))
            ticks, looked = simulated(cron, begin), change


def _unchanging(zone: ZoneInfo, when: datetime) -> FixedZone:
    return FixedZone(when.astimezone(zone).utcoffset() or timedelta())


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
