"""Time zones: whether there is one of this name."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from sinchflow.language.suggest import nearest


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


def _town(zone: str) -> str:
    return zone.rpartition("/")[2].replace(" ", "_").casefold()
