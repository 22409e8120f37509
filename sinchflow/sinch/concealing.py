"""Takes the values of secrets out of texts, however whoever quoted them has written them.

A server may send back what it was given as it is, inside JSON that stands in JSON, in a page, percent-encoded once or
twice, or still in the header that it came in. What is left in its place is `***`.
"""

import base64
import html
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from urllib.parse import urlsplit

HIDDEN = "***"
#: Of a secret that is a URL, or several words, what has this many characters is a secret by itself.
_LEAST_PART = 12
#: Shorter values are not looked for in base64 and hexadecimal: too much else looks like them.
_LEAST_ENCODED_BYTES = 6
_PLAIN = re.compile("[0-9A-Za-z]+")


class Veil:
    """Hides these values. Longer ones go first, so that none is taken for the beginning of another."""

    def __init__(self, values: Iterable[str]) -> None:
        told = sorted({each for value in values if value for each in _telling(value)}, key=len, reverse=True)
        ways = [way for each in told for way in _ways(each)]
        self._marks = tuple({mark for mark, _ in ways})
        self._pattern = re.compile("|".join(pattern for _, pattern in ways)) if ways else None

    def hide(self, text: str) -> str:
        """The text without them."""
        if self._pattern is None or not self._may_be_in(text):
            return text
        return self._pattern.sub(HIDDEN, text)

    def hide_bytes(self, data: bytes) -> bytes:
        """As `hide`, of a text in UTF-8 that may be broken."""
        text = data.decode("utf-8", "surrogateescape")
        hidden = self.hide(text)
        return data if hidden is text else hidden.encode("utf-8", "surrogateescape")

    def _may_be_in(self, text: str) -> bool:
        """A cheap look: most texts quote nobody."""
        lower = text.lower()
        return any(mark in lower for mark in self._marks)


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


def _ways(value: str) -> Iterator[tuple[str, str]]:
    """Patterns for a value as texts quote it, and whole in base64 and hexadecimal; each with what stands in all of
    its matches, in lower case."""
    runs = _PLAIN.findall(value)
    # A host's name is told in lower case.
    yield max(runs, key=len, default="").lower(), f"(?i:{''.join(map(_character, value))})"
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < _LEAST_ENCODED_BYTES:
        return
    yield data.hex(), f"(?i:{data.hex()})"
    longest = max(runs, key=len, default="").encode()  # as it stands in an address, too
    wholes = {data, longest} if len(longest) >= _LEAST_PART else {data}
    alphabets = (base64.b64encode, base64.urlsafe_b64encode)
    for encoded in {way for each in wholes for encode in alphabets for way in _in_base64(each, encode)}:
        yield max(_PLAIN.findall(encoded), key=len).lower(), re.escape(encoded)


def _in_base64(data: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """What is the same in base64 of every text that holds this, for each of the three places that it may begin at."""
    for before in range(3):
        encoded = encode(b"\0" * before + data).decode()
        cut = len(encoded.rstrip("="))
        if (before + len(data)) % 3:
            cut -= 1  # shares its bits with what follows
        yield encoded[(0, 2, 3)[before] : cut]


def _character(sign: str) -> str:
    """One of a value's, encoded as often as it may be."""
    if sign.isascii() and sign.isalnum():
        return sign
    octets = [f"{byte:02x}" for byte in sign.encode("utf-8", "surrogatepass")]
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    names = {html.escape(sign)[1:-1], f"#0*{ord(sign)}", f"#x0*{ord(sign):x}"} - {""}
    ways = [
        "".join(f"%(?:25)*{octet}" for octet in octets),
        "".join(rf"\\+u{units[at : at + 4]}" for at in range(0, len(units), 4)),
        "".join(rf"\\+x{octet}" for octet in octets),
        rf"&(?:amp;)*(?:{'|'.join(sorted(names))});",
        r"\\+" if sign == "\\" else rf"\\*{re.escape(sign)}",
    ]
    if sign in "\n\r\t":
        ways.append(rf"\\+{repr(sign)[-2]}")
    if sign == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"
