"""How a text lies in SMS: its encoding, what each character costs, and where it is cut into parts. Pure.

GSM 7-bit default alphabet and its extension table: 3GPP TS 23.038, 6.2.1. Lengths: TS 23.040 (140 bytes a part, 6 of
them for the header that joins parts). A text with any other character is sent as UCS-2, in units of 16 bits.
"""

import unicodedata
from collections.abc import Iterator
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

#: The basic table, in the order of its codes, without escape. `Ç` is in it, `ç` is not.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: The extension table: an escape and a code, two units that stay together.
EXTENSION = frozenset("\f^{}\\[~]|€")
ALPHABET = BASIC | EXTENSION

#: Signs and letters that have a plain way to be written but no decomposition of Unicode's that says so.
_PLAIN = {
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "´": "'", "`": "'", "“": '"', "”": '"', "„": '"', "″": '"',
    "«": '"', "»": '"', "‹": "'", "›": "'", "–": "-", "—": "-", "―": "-", "‐": "-", "‑": "-", "−": "-", "•": "*",
    "·": ".", "ı": "i", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "œ": "oe",
    "Œ": "OE", "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T", "ŋ": "n", "Ŋ": "N", "×": "x", "÷": "/", "⁄": "/", "\t": " ",
}  # fmt: skip
#: Categories of Unicode whose characters say nothing once they stand alone: pictures, marks, what is not seen.
_SILENT = frozenset({"So", "Sk", "Mn", "Me", "Cf", "Cc", "Co", "Cn"})

#: Units that a message of one part holds, and each part of a longer one.
ALONE: dict[Encoding, int] = {"GSM-7": 160, "UCS-2": 70}
JOINED: dict[Encoding, int] = {"GSM-7": 153, "UCS-2": 67}


def first_unicode(text: str) -> str | None:
    """The first character that is not of the GSM alphabet, None when all are."""
    if ALPHABET.issuperset(text):
        return None
    return next(character for character in text if character not in ALPHABET)


def encoding_of(text: str) -> Encoding:
    """In which encoding the text travels."""
    return "GSM-7" if ALPHABET.issuperset(text) else "UCS-2"


def units_of(text: str, encoding: Encoding) -> int:
    """What the text costs: septets, or 16-bit units."""
    if encoding == "GSM-7":
        return len(text) if EXTENSION.isdisjoint(text) else len(text) + sum(map(EXTENSION.__contains__, text))
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def split(text: str) -> tuple[str, ...]:
    """The texts of the parts; joined, they are the text. No escape and no surrogate pair is torn: such a part is one
    unit shorter. An empty text is one empty part."""
    encoding = encoding_of(text)
    units = units_of(text, encoding)
    if units <= ALONE[encoding]:
        return (text,)
    most = JOINED[encoding]
    if units == len(text):
        return tuple(text[begin : begin + most] for begin in range(0, len(text), most))
    return tuple(_cut(text, encoding, most))


def _cut(text: str, encoding: Encoding, most: int) -> Iterator[str]:
    """Parts of a text in which some characters cost two units."""
    begin = 0
    while begin < len(text):
        end = min(begin + most, len(text))
        while (over := units_of(text[begin:end], encoding) - most) > 0:
            end -= (over + 1) // 2  # no more than must go: a character costs two at most
        yield text[begin:end]
        begin = end


def transliterate(text: str) -> str:
    """The text in the GSM alphabet: letters without their accents, plain quotes and dashes, no pictures, else "?"."""
    return text if ALPHABET.issuperset(text) else "".join(map(_plain, unicodedata.normalize("NFC", text)))


def _plain(character: str) -> str:
    if character in ALPHABET:
        return character
    if (written := _PLAIN.get(character)) is not None:
        return written
    if unicodedata.category(character) in _SILENT:
        return ""
    apart = unicodedata.normalize("NFKD", character)
    base = "".join(each for each in apart if not unicodedata.combining(each))
    return "".join(_PLAIN.get(each, each if each in ALPHABET else "?") for each in base) or "?"


def shorten(text: str, parts: int, end: str) -> str:
    """The text cut at a word's end, `end` behind it, so that it fits into so many parts; as it is when it fits.

    Raises ValueError when not even `end` fits.
    """
    if len(split(text)) <= parts:
        return text
    if len(split(end)) > parts:
        raise ValueError(f'"{end[:40]}" alone does not fit into {parts} SMS')
    least, most = 0, min(len(text), JOINED["GSM-7"] * parts + ALONE["GSM-7"])
    while least < most:  # how many characters can be kept; what a longer beginning costs is never less
        middle = (least + most + 1) // 2
        if len(split(text[:middle] + end)) <= parts:
            least = middle
        else:
            most = middle - 1
    kept = text[:least]
    if not text[least].isspace() and (space := max(kept.rfind(" "), kept.rfind("\n"))) > 0:
        kept = kept[:space]
    return kept.rstrip() + end
