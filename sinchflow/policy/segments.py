"""How many SMS a text becomes, and which character made it so many.

A provider that converts characters (Sinch's "character converter") may need fewer parts; it never needs more.
"""

import msgspec

from sinchflow.expression.gsm7 import Encoding, encoding_of, first_unicode, split, units_of


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """What a text costs.

    parts: how many SMS are charged. units: septets (GSM-7; 160 in one part, 153 in each of several) or 16-bit units
    (UCS-2; 70 and 67). first_unicode: the first character that forbids GSM-7, None in GSM-7.
    """

    encoding: Encoding
    parts: int
    units: int
    first_unicode: str | None = None


def segments(text: str) -> Segments:
    """How the text is sent. An empty one is one part without units."""
    encoding = encoding_of(text)
    return Segments(
        encoding=encoding,
        parts=len(split(text)),
        units=units_of(text, encoding),
        first_unicode=first_unicode(text),
    )
