"""Takes the values of secrets out of texts, however whoever quoted them has written them.

A server may send back what it was given as it is, inside JSON, in a page, percent-encoded, or still in the header that
it came in. What is left in its place is `***`.
"""

import base64
import html
import json
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

HIDDEN = "***"
#: Of a secret that is a URL, or several words, what has this many characters is a secret by itself.
_LEAST_PART = 12


class Veil:
    """Hides these values. Longer ones go first, so that none is taken for the beginning of another."""

    def __init__(self, values: Iterable[str]) -> None:
        told = {each for value in values if value for each in _telling(value)}
        written = [_pattern(each) for each in sorted(told, key=len, reverse=True)]
        self._pattern = re.compile("|".join(written)) if written else None

    def hide(self, text: str) -> str:
        """The text without them."""
        return text if self._pattern is None else self._pattern.sub(HIDDEN, text)


def _telling(value: str) -> Iterator[str]:
    """The value, and those parts of it that would give it away."""
    yield value
    parts: Collection[str] = value.split()
    if "://" in value:
        try:
            url = urlsplit(value)
        except ValueError:
            return
        rest = url.path + (f"?{url.query}" if url.query else "")
        parts = [url.username or "", url.password or "", rest, *re.split(r"[/?&=]", rest)]
    yield from (part for part in parts if len(part) >= _LEAST_PART)


def _pattern(value: str) -> str:
    """A value as it is, inside JSON, in HTML or percent-encoded, and whole in base64 or hexadecimal."""
    data = value.encode("utf-8", "surrogatepass")
    plain = base64.b64encode(data).decode().rstrip("=")
    whole = {plain, base64.urlsafe_b64encode(data).decode().rstrip("=")} if len(data) >= 6 else set()
    ways = ["".join(map(_character, value)), *map(re.escape, sorted(whole))]
    if len(data) >= 6:
        ways.append(f"(?i:{data.hex()})")
    return "|".join(ways)


def _character(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign  # never written in another way, and so the pattern is found fast
    encoded = "".join(f"%{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass"))
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    ways = {sign, json.dumps(sign, ensure_ascii=False)[1:-1], html.escape(sign), repr(sign)[1:-1], "\\" + sign}
    ways |= {"+"} if sign == " " else set()
    shouted = {encoded, escaped, f"&#{ord(sign)};", f"&#x{ord(sign):x};", f"&#{ord(sign):03d};"}
    spellings = [re.escape(way) for way in sorted(ways, key=len, reverse=True)]
    return f"(?:{'|'.join([*(f'(?i:{re.escape(way)})' for way in sorted(shouted)), *spellings])})"
