"""In which country a number is, for `policy.allowed_countries`."""

from functools import lru_cache


@lru_cache(maxsize=20_000)  # 30 µs each, and a conversation asks again and again
def country_of(number: str) -> str | None:
    """The ISO 3166 alpha-2 code of an E.164 number's country; None when it is no number or of no country (+800).

    A number of no known range counts as its calling code's main country (+1: US, +44: GB): numbering plans grow
    faster than tables do.
    """
    import phonenumbers  # 0.1 s to import: only projects with a list of countries pay

    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    if region is None and parsed.country_code is not None:
        region = phonenumbers.region_code_for_country_code(parsed.country_code)
    return region if region is not None and region.isalpha() and region != "ZZ" else None
