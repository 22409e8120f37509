"""Time zones: whether there is one of this name."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from sinchflow.language.diagnostic import Edit
from sinchflow.language.fix import respelled
from sinchflow.language.suggest import nearest, sure
from sinchflow.model.origin import Origin


def zone_fault(name: str) -> tuple[str, str]:
    """What is wrong with the name of a time zone, and how to mend it; two empty texts when it is one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zones = available_timezones()
        near = next((zone for zone in sorted(zones) if _town(zone) == _town(name)), None) or nearest(name, zones)
        hint = f'did you mean "{near}"?' if near else "names are like Australia/Melbourne"
        return f'unknown time zone "{name}"', hint
    return "", ""


def zone_edits(origin: Origin, name: str) -> tuple[Edit, ...]:
    """The zone that was meant, where only one has this town or comes near."""
    zones = available_timezones()
    same = [zone for zone in zones if _town(zone) == _town(name)]
    return respelled(origin, name, same[0] if len(same) == 1 else sure(name, zones))


def _town(zone: str) -> str:
    return zone.rpartition("/")[2].replace(" ", "_").casefold()
