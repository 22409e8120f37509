"""The filters and tests of templates. Pure: the time zone comes from the scope, the time from `now()`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from jinja2.runtime import Context

#: Characters that one text may have on the way; a message has at most 5,000.
LONGEST_TEXT = 100_000

#: Jinja's own, as they are.
JINJA = (
    "abs", "capitalize", "first", "float", "int", "join", "last", "length", "list", "lower", "max", "min", "reverse",
    "round", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode",
)  # fmt: skip
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
        case int() | float():
            return str(value)
        case jinja2.Undefined():
            raise jinja2.UndefinedError(f"{named(value)} is missing")
        case datetime():
            return value.isoformat()
        case _:
            return to_json(value)


def named(undefined: jinja2.Undefined) -> str:
    """The name of something undefined."""
    return f'"{undefined._undefined_name}"'


def to_json(value: Any) -> str:
    """JSON text; texts keep their characters."""
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, jinja2.Undefined):
        raise jinja2.UndefinedError(f"{named(value)} is missing")
    return list(value)


def default(value: Any, instead: Any = "") -> Any:
    """The value, or `instead` where it is undefined or none."""
    return instead if value is None or isinstance(value, jinja2.Undefined) else value


def replace(text: str, old: str, new: str) -> str:
    """The text with every `old` replaced by `new`."""
    result = as_text(text).replace(as_text(old), as_text(new))
    if len(result) > LONGEST_TEXT:
        raise jinja2.TemplateRuntimeError(f"a text grows over {LONGEST_TEXT} characters")
    return result


@jinja2.pass_context
def local(context: Context, value: Any, form: str = "%Y-%m-%d %H:%M") -> str:
    """A time (or ISO 8601 text) in the project's time zone, in the given strftime form."""
    return _time(value, ZoneInfo(context["timezone"])).strftime(form)


def _time(value: Any, zone: ZoneInfo) -> datetime:
    """The time in `zone`. A text without an offset is read as a time of that zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise jinja2.TemplateRuntimeError(f'"{value}" is not a time; write it as 2026-12-03T10:00+11:00') from None
    if not isinstance(value, datetime):
        raise jinja2.TemplateRuntimeError(f"local takes a time, not {kind(value)}")
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(zone)


def timestamp(value: Any) -> int:
    """Seconds since 1970 of a time or ISO 8601 text (UTC where it has no offset)."""
    return int(_time(value, UTC).timestamp())  # type: ignore[arg-type]


def split(text: str, separator: str | None = None) -> list[str]:
    """The parts of a text, by default its words."""
    return as_text(text).split(separator)


def kind(value: Any) -> str:
    """What a value is, for people."""
    match value:
        case None:
            return "none"
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
        case jinja2.Undefined():
            return "missing"
        case _:
            return type(value).__name__


OURS: dict[str, Any] = {
    "default": default,
    "d": default,
    "local": local,
    "replace": replace,
    "split": split,
    "timestamp": timestamp,
    "tojson": to_json,
}

NAMES = frozenset({*JINJA, *OURS} - {"d"})
