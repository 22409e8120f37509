"""The project's quiet hours as rules see them, and at which times of day a cron text is due."""

import msgspec

from sinchflow.model.project import QuietHours

_DAY = 1440


class Quiet(msgspec.Struct, frozen=True):
    """Quiet hours that are ever quiet. timezone: the project's. staff, staff_list: whom they do not hold back.

    is_everywhere: no list says that people live by other clocks.
    """

    hours: QuietHours
    timezone: str
    staff: tuple[str, ...] = ()
    staff_list: str | None = None
    is_everywhere: bool = True

    def __str__(self) -> str:
        return f"{clock(self.hours.from_)}-{clock(self.hours.to)}"

    @property
    def minutes(self) -> int:
        """How long they last."""
        return (self.hours.to - self.hours.from_) % _DAY

    def has(self, minute: int) -> bool:
        """Whether it is quiet so many minutes after a midnight."""
        return (minute - self.hours.from_) % _DAY < self.minutes


def clock(minute: int) -> str:
    """Minutes after a midnight as `21:00`."""
    return f"{minute % _DAY // 60:02}:{minute % 60:02}"


def times_of(cron: str) -> list[int]:
    """The times of day, in minutes, when a sound cron text is due; none when it goes through all hours."""
    fields = cron.split()
    if len(fields) != 5 or "*" in fields[1]:
        return []
    minutes = _numbers(fields[0], 60)
    return sorted(hour * 60 + minute for hour in _numbers(fields[1], 24) for minute in minutes)


def _numbers(field: str, size: int) -> set[int]:
    """What a field of cron stands for; empty where it is not sound."""
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, dash, last = ("0", "-", str(size - 1)) if span == "*" else span.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (step and not step.isdecimal()):
            return set()
        end = int(last) if dash else (size - 1 if step else int(first))
        found.update(range(int(first), min(end, size - 1) + 1, int(step or 1) or 1))
    return found
