"""Numbers as people write them, made E.164."""

import re

#: What people write numbers with; phonenumbers by itself would find one inside any sentence.
_NUMBER = re.compile(r"\+?[\d\s().\-/]{3,40}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def to_e164(text: str, country: str | None) -> str | None:
    """The number in E.164, or None when it is none.

    country: ISO 3166 alpha-2; how a number without `+` is read. Without it such a number is taken only when it is
    unmistakable, i.e. when phonenumbers (ITU plans) finds it possible with a `+` in front.
    """
    text = text.strip()
    if _E164.fullmatch(text):
        return text
    if not _NUMBER.fullmatch(text):
        return None
    import phonenumbers  # 0.1 s to import: most numbers never come here

    for candidate, region in ((text, country), (f"+{text.lstrip('+')}", None)):
        if region is None and not candidate.startswith("+"):
            continue
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None
