"""Days as they are written, and the regions whose holidays are known. Pure."""

from datetime import date


def region_fault(region: str) -> str | None:
    """What is wrong with the name of a holidays' region (`AU`, `AU-VIC`), in one sentence; None when it is known."""
    import holidays  # 0.1 s to import: only calendars with holidays pay

    country, _, part = region.partition("-")
    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known or len(country) != 2:
        return f'no holidays are known of a country "{country}"; write its ISO code, such as AU or DE-BY'
    if not part and "-" not in region:
        return None
    if part not in known[country]:
        has = f"it has {', '.join(known[country])}" if known[country] else f"write {country} alone"
        return f'no holidays are known of a region "{part}" of {country}; {has}'
    return None


def read_date(text: str) -> date | None:
    """The day that an ISO 8601 date (`2026-12-24`) means, else None."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
