"""What an inspection of a template or condition gives (`inspect.py`), and the plainest of them without Jinja."""

import re

import msgspec

#: A hole with a name and its items, perhaps with a default that is a text or a number.
_PLAIN = re.compile(
    r"""\{\{\s*(?P<path>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)(?P<filtered>\s*\|\s*(?:d|default)\((?:'[^'\\]*'|"[^"\\]*"|\d+)\))?\s*\}\}"""
)
#: Words that are no names where a name stands, or names of which only Jinja's tree tells whether they are well used.
_WORDS = frozenset({
    "not", "true", "false", "none", "True", "False", "None", "self", "super", "caller", "varargs", "kwargs", "loop",
    "calendars", "now", "and", "or", "in", "is", "if", "else", "elif", "endif", "for", "endfor", "recursive",
})  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong. `offset` and `length` in characters of the source."""

    rule: str
    message: str
    hint: str
    offset: int
    length: int


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A name with the constant items taken of it: `steps.crm.status` is ("steps", "crm", "status").

    guarded: something stands ready for when it is missing or none (`default`, `is defined`, …).
    filtered: a filter is applied to it.
    """

    path: tuple[str, ...]
    offset: int
    length: int
    guarded: bool
    filtered: bool


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found, in order of place."""

    faults: tuple[Fault, ...] = ()
    uses: tuple[Use, ...] = ()


def inspect_plain(hole: str) -> Inspection | None:
    """What `{{ a.b }}` and `{{ a.b | default('c') }}` name; None for any other hole, which Jinja has to read."""
    found = _PLAIN.fullmatch(hole)
    if found is None:
        return None
    path = tuple(found["path"].split("."))
    if not _WORDS.isdisjoint(path):
        return None
    start, is_filtered = found.start("path"), found["filtered"] is not None
    use = Use(path=path, offset=start, length=len(found["path"]), guarded=is_filtered, filtered=is_filtered)
    return Inspection(uses=(use,))
