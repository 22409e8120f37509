"""The filters and tests of templates. Pure: the time zone comes from the scope, the time from `now()`.

None is never turned into text by a filter, and what a filter gives stays small however it is called: sizes are counted
before the work is done.
"""

import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import jinja2
from jinja2 import filters as jinja_filters
from jinja2.runtime import Context

from sinchflow.expression import gsm7
from sinchflow.expression.durations import parse_duration
from sinchflow.expression.numbers import FORMS, in_form, to_e164

#: Characters that one text may have on the way; a message has at most 5,000.
LONGEST_TEXT = 100_000
#: Characters of one value, each item of it counted as two more; more than a run can keep.
LARGEST_VALUE = 250_000
#: As that, where a list of thousands is expected: the items of a loop, the recipients of a message.
LARGEST_LIST = 20_000_000
#: What every JSON reader and SQLite take.
LARGEST_INT = 2**63 - 1
#: Where the scope keeps the project's time zone; templates cannot name it.
TIMEZONE = "__timezone"

#: Where the scope keeps the project's country; templates cannot name it.
COUNTRY = "__country"

_MOST_PARTS = 32  # 5,000 characters, the longest message
_DEEPEST_VALUE = 100  # Python and msgspec take some hundreds
_MOST_DIGITS = 15  # of a double

#: Jinja's own: those that take a text, and those that take anything but none.
_OF_TEXT = ("capitalize", "lower", "title", "trim", "upper")
_OF_VALUE = ("abs", "first", "last", "length", "list", "max", "min", "sort", "sum")
TESTS = (
    "boolean", "defined", "divisibleby", "eq", "even", "false", "ge", "gt", "in", "integer", "le", "lower", "lt",
    "mapping", "ne", "none", "number", "odd", "sequence", "string", "true", "undefined", "upper",
)  # fmt: skip


def as_text(value: Any) -> str:
    """A value as it stands in a text: true/false, JSON for lists and mappings, ISO 8601 for times.

    Raises jinja2.UndefinedError for none and for what is undefined.
    """
    match value:
        case str():
            return value
        case None:
            raise jinja2.UndefinedError("it is none")
        case bool():
            return "true" if value else "false"
        case int() | float() | timedelta():
            return str(plain(value))
        case datetime():
            return value.isoformat()
        case _:
            return to_json(value)


def plain(value: Any, largest: int = LARGEST_VALUE) -> Any:
    """JSON-like data (times stay times) of what an expression gave; a length of time becomes its seconds.

    largest: characters of all texts together, and two more for each value. Raises jinja2.TemplateRuntimeError for what
    cannot be stored or sent, UndefinedError for what is undefined.
    """
    return _plain(value, [largest, largest], _DEEPEST_VALUE)


def _plain(value: Any, room: list[int], depth: int) -> Any:
    """`plain`, counted: a value put together of itself again and again would grow without end.

    room: what is left, and what there was.
    """
    room[0] -= 2 + len(value) if isinstance(value, str) else 2
    if room[0] < 0:
        raise jinja2.TemplateRuntimeError(f"a value grows over {room[1]} characters")
    if not depth:
        raise jinja2.TemplateRuntimeError(f"a value is nested more than {_DEEPEST_VALUE} deep")
    match value:
        case str():
            value.isascii() or value.encode()  # half a surrogate pair is no text
            return value
        case None | bool() | datetime():
            return value
        case int() if abs(value) <= LARGEST_INT:
            return value
        case float() if math.isfinite(value):
            return value
        case int() | float():
            raise jinja2.TemplateRuntimeError("a number is too large")
        case timedelta():
            seconds = value.total_seconds()
            return int(seconds) if seconds.is_integer() else seconds
        case jinja2.Undefined():
            raise jinja2.UndefinedError(value._undefined_message)
        case Mapping():
            return {as_text(key): _plain(item, room, depth - 1) for key, item in value.items()}
        case Iterable():
            return [_plain(item, room, depth - 1) for item in value]
        case _:
            raise jinja2.TemplateRuntimeError(f"{kind(value)} is no value")


def to_json(value: Any) -> str:
    """JSON text; texts keep their characters."""
    return json.dumps(plain(value), ensure_ascii=False, default=datetime.isoformat)


def default(value: Any, instead: Any = "", boolean: bool = False) -> Any:
    """The value, or `instead` where it is undefined or none; with `boolean` also where it is empty, zero or false."""
    is_absent = value is None or isinstance(value, jinja2.Undefined) or (boolean and not value)
    return instead if is_absent else value


def replace(text: Any, old: Any, new: Any) -> str:
    """The text with every `old` replaced by `new`."""
    before, sought, instead = as_text(text), as_text(old), as_text(new)
    _bounded(len(before) + before.count(sought) * (len(instead) - len(sought)))
    return before.replace(sought, instead)


@jinja2.pass_environment
def join(environment: jinja2.Environment, items: Any, between: Any = "", attribute: Any = None) -> str:
    """The items as texts, with `between` in between; with `attribute`, that item of each."""
    if attribute is not None:
        items = map(jinja_filters.make_attrgetter(environment, attribute), items)
    parts = [as_text(item) for item in _given(items)]
    separator = as_text(between)
    _bounded(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


@jinja2.pass_environment
def truncate(
    environment: jinja2.Environment, text: Any, length: int = 255, killwords: bool = False, end: str = "...",
    leeway: int = 0,
) -> str:  # fmt: skip
    """The text cut to `length` characters at a word's end, `end` behind it. Unlike Jinja's, it is never longer."""
    if length < len(end):
        raise jinja2.TemplateRuntimeError(f'truncate to {length} leaves no room for the "{end}" at its end')
    return jinja_filters.do_truncate(environment, as_text(text), length, killwords, end, leeway)


@jinja2.pass_environment
def unique(environment: jinja2.Environment, items: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    """The items without repeats."""
    found: Iterable[Any] = jinja_filters.sync_do_unique(environment, _given(items), case_sensitive, attribute)
    return list(found)


def reverse(value: Any) -> Any:
    """A text or a list the other way round."""
    return value[::-1] if isinstance(value, str) else list(_given(value))[::-1]


def split(text: Any, separator: str | None = None) -> list[str]:
    """The parts of a text, by default its words."""
    return as_text(text).split(separator)


def urlencode(value: Any) -> str:
    """Text as one part of a URL's path or query: `/` is encoded too; a mapping becomes `name=value&…`.

    `.` and `..` are refused: in a path they mean a folder above, however they are written (RFC 3986, section 6.2.2.3).
    """
    if isinstance(value, Mapping):
        return "&".join(f"{quote(as_text(key), '')}={quote(as_text(item), '')}" for key, item in value.items())
    text = as_text(value)
    if text in (".", ".."):
        raise jinja2.TemplateRuntimeError(f'"{text}" cannot be a part of an address')
    return quote(text, "")


_NO_DEFAULT = object()


def to_int(value: Any, default: Any = _NO_DEFAULT, base: int = 10) -> Any:
    """A whole number, cut off after the point. What is none gives `default`; without one it is an error."""
    return _number(value, default, lambda given: _int(given, base))


def to_float(value: Any, default: Any = _NO_DEFAULT) -> Any:
    """A number. What is none gives `default`; without one it is an error."""
    return _number(value, default, float)


def _int(given: Any, base: int) -> int:
    if not isinstance(given, str):
        return int(given)
    try:
        return int(given, base)
    except ValueError:
        return int(float(given))


def _number(value: Any, default: Any, convert: Callable[[Any], Any]) -> Any:
    try:
        if isinstance(value, (str, int, float)):
            return plain(convert(value))
    except (ValueError, OverflowError, jinja2.TemplateRuntimeError):
        pass
    if default is not _NO_DEFAULT:
        return default
    if value is None or isinstance(value, jinja2.Undefined):
        as_text(value)
    raise jinja2.TemplateRuntimeError(f"{to_json(value)[:40]} is not a number; say what counts instead: int(0)")


def rounded(value: Any, precision: int = 0, method: str = "common") -> float:
    """The number rounded to `precision` digits; method: common, ceil or floor."""
    if abs(precision) > _MOST_DIGITS:
        raise jinja2.TemplateRuntimeError(f"round takes up to {_MOST_DIGITS} digits")
    if method not in {"common", "ceil", "floor"}:
        raise jinja2.TemplateRuntimeError("round takes common, ceil or floor")
    return jinja_filters.do_round(_given(value), precision, method)  # type: ignore[arg-type]


@jinja2.pass_context
def local(context: Context, value: Any, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time (or ISO 8601 text) in the project's time zone, in the given strftime form."""
    return time_in(value, ZoneInfo(context[TIMEZONE])).strftime(form)


@jinja2.pass_context
def plus(context: Context, value: Any, duration: str) -> datetime:
    """The time (or ISO 8601 text) a duration such as 24h later; a day has 24 hours."""
    return _moved(context, value, duration, 1)


@jinja2.pass_context
def minus(context: Context, value: Any, duration: str) -> datetime:
    """As `plus`, earlier."""
    return _moved(context, value, duration, -1)


def _moved(context: Context, value: Any, duration: str, sign: int) -> datetime:
    time = time_in(value, ZoneInfo(context[TIMEZONE]))
    length = parse_duration(as_text(duration))
    if length is None:
        raise jinja2.TemplateRuntimeError(f'"{duration}" is no duration; write it as 30s, 15m, 24h or 2d')
    moved = time.astimezone(UTC) + sign * length  # across a change of clocks an hour is an hour
    return datetime.fromisoformat(moved.astimezone(time.tzinfo).isoformat())


@jinja2.pass_context
def phone(context: Context, value: Any, form: str = "international") -> str:
    """A number as people write it: +61 491 570 156, or `national`, 0491 570 156."""
    written = as_text(value)
    number = to_e164(written, context.get(COUNTRY))
    if number is None:
        raise jinja2.TemplateRuntimeError(f'"{written[:40]}" is not a phone number')
    if form not in FORMS:
        raise jinja2.TemplateRuntimeError(f"phone takes {', '.join(FORMS)}, not {form}")
    return in_form(number, FORMS[form])


def mask(value: Any, shown: int = 3) -> str:
    """The text with all letters and digits but the last few as `*`; never more than half of them are shown."""
    text = as_text(value)
    if not isinstance(shown, int) or shown < 0:
        raise jinja2.TemplateRuntimeError("mask takes how many characters are shown, such as mask(3)")
    places = [place for place, character in enumerate(text) if character.isalnum()]
    hidden = set(places[: len(places) - min(shown, len(places) // 2)])
    return "".join("*" if place in hidden else character for place, character in enumerate(text))


def truncate_sms(value: Any, parts: int = 1, end: str = "...") -> str:
    """The text cut at a word's end so that it fits into so many SMS by itself."""
    if not isinstance(parts, int) or not 1 <= parts <= _MOST_PARTS:
        raise jinja2.TemplateRuntimeError(f"truncate_sms takes 1 to {_MOST_PARTS} SMS")
    return gsm7.shorten(as_text(value), parts, as_text(end))


def to_gsm7(value: Any) -> str:
    """The text in the alphabet of plain SMS: no accents that it lacks, no typographic quotes, no emoji."""
    return gsm7.transliterate(as_text(value))


def timestamp(value: Any) -> int:
    """Seconds since 1970 of a time or ISO 8601 text (UTC where it has no offset)."""
    return int(time_in(value, UTC).timestamp())


def time_in(value: Any, zone: tzinfo) -> datetime:
    """The time in `zone`. A text without an offset is read as a time of that zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise jinja2.TemplateRuntimeError(f'"{value}" is not a time; write it as 2026-12-03T10:00+11:00') from None
    if not isinstance(_given(value), datetime):
        raise jinja2.TemplateRuntimeError(f"{kind(value)} is not a time")
    time: datetime = value
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(zone)


def kind(value: Any) -> str:
    """What a value is, for people."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case datetime():
            return "a time"
        case _ if callable(value):
            return "a function (write it with parentheses)"
        case _:
            return type(value).__name__


def shown(value: Any) -> str:
    """What a value is, and its beginning, for people."""
    if value is None:
        return "none"
    return f"{kind(value)}, {to_json(value)[:50]}"


def _given(value: Any) -> Any:
    """The value, unless it is none or undefined."""
    if value is None or isinstance(value, jinja2.Undefined):
        as_text(value)
    return value


def _bounded(size: int) -> None:
    if size > LONGEST_TEXT:
        raise jinja2.TemplateRuntimeError(f"a text grows over {LONGEST_TEXT} characters")


def _takes(convert: Callable[[Any], Any], name: str) -> Callable[..., Any]:
    """Jinja's filter `name`, its value converted first."""
    ours: Callable[..., Any] = jinja_filters.FILTERS[name]
    at = 1 if hasattr(ours, "jinja_pass_arg") else 0

    @functools.wraps(ours)
    def apply(*args: Any, **kwargs: Any) -> Any:
        return ours(*args[:at], convert(args[at]), *args[at + 1 :], **kwargs)

    return apply


FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _takes(as_text, name) for name in _OF_TEXT},
    **{name: _takes(_given, name) for name in _OF_VALUE},
    "d": default,
    "default": default,
    "float": to_float,
    "gsm7": to_gsm7,
    "int": to_int,
    "join": join,
    "local": local,
    "mask": mask,
    "minus": minus,
    "phone": phone,
    "plus": plus,
    "replace": replace,
    "reverse": reverse,
    "round": rounded,
    "split": split,
    "string": as_text,
    "timestamp": timestamp,
    "tojson": to_json,
    "truncate": truncate,
    "truncate_sms": truncate_sms,
    "unique": unique,
    "urlencode": urlencode,
}

NAMES = frozenset(FILTERS) - {"d"}
