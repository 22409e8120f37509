"""Structured logs on stderr: one line per event; JSON unless a person is watching.

Phone numbers are masked here, in every line and whoever writes it, tracebacks included. What libraries log by the
standard library's `logging` takes the same way.
"""

import atexit
import json
import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO, get_args

import msgspec
import structlog

from sinchflow.errors import UsageError
from sinchflow.runtime.flood import Flood
from sinchflow.runtime.masking import mask, mask_all

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]

#: Control characters of texts from outside must never reach a terminal, turn its writing round or split a line.
_ESCAPES = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (
        *range(0x20), 0x7F, *range(0x80, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    )
}  # fmt: skip
_ESCAPES_OF_LINES = {code: text for code, text in _ESCAPES.items() if code not in (0x09, 0x0A)}
#: In JSON, everything but ASCII and the sign for hidden digits is escaped, for whatever reads the log.
_SPECIAL = re.compile(r"[^\x20-\x7e•]")
#: Values that hold no numbers of people, and may look like one.
_IDS = frozenset({"timestamp", "level", "message_id", "trace_id"})


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the daemon logs. format: None means JSON unless stderr is a terminal. has_numbers: do not mask them."""

    level: Level = "info"
    format: Format | None = None
    has_numbers: bool = False

    @property
    def is_detailed(self) -> bool:
        """Whether every step of the normal course is logged, too."""
        return self.level == "debug"


def read_settings(
    level: str, format_: str | None, *, has_numbers: bool, level_from: str = "--log-level"
) -> LogSettings:
    """The settings as they are written on the command line. level_from: what said the level. Raises UsageError."""
    level = level.strip().lower()
    if level not in get_args(Level):
        raise UsageError(f'{level_from}: "{level}" is none of {", ".join(get_args(Level))}')
    if format_ not in (None, *get_args(Format)):
        raise UsageError(f'--log-format: "{format_}" is none of {", ".join(get_args(Format))}')
    return LogSettings(level=level, format=format_, has_numbers=has_numbers)  # type: ignore[arg-type]


def configure(settings: LogSettings, hide: Callable[[str], str] | None = None) -> None:
    """Set up structlog and `logging` for this process. hide: takes out of a line what must be in none."""
    as_json = settings.format == "json" or (settings.format is None and not sys.stderr.isatty())
    flood = Flood()
    atexit.register(flood.end_minute)
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        flood,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if hide is not None:
        processors.append(_Concealing(hide))
    if not settings.has_numbers:
        processors.append(without_numbers)
    if as_json:
        processors.append(_as_json)
    else:
        processors += [_escape, structlog.dev.ConsoleRenderer(pad_event_to=0)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level.upper())),
        # what the command line puts in its place would escape the colours, too
        logger_factory=structlog.PrintLoggerFactory(_Patient(getattr(sys.stderr, "styled", sys.stderr))),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Others()], level=logging.WARNING, force=True)


class _Patient:
    """A stream that may be a file on a full disk, or a pipe whose reader died: what it does not take is lost.

    Whoever logs has something to see to, and must not be stopped by that.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def without_numbers(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The entry with all phone numbers masked."""
    for name, value in entry.items():
        if isinstance(value, str):
            if name not in _IDS:
                entry[name] = mask(value)
        elif value is not None and not isinstance(value, int | float):
            entry[name] = mask_all(value)
    return entry


class _Concealing:
    """Every text of a line without what must be in none, wherever it came from: a library's words, a traceback."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide

    def __call__(self, _logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The entry, itself where there is nothing to hide."""
        whole = "\0".join(str(value) for value in entry.values() if not isinstance(value, int | float))
        if self._hide(whole) is not whole:
            for name, value in entry.items():
                if value is not None and not isinstance(value, int | float):
                    entry[name] = self._hide(value if isinstance(value, str) else str(value))
        return entry


class _Others(logging.Handler):
    """What libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it as one of our lines."""
        log = structlog.get_logger("sinchflow")
        level = min(record.levelno - record.levelno % 10, logging.CRITICAL)
        try:
            log.log(level, record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:
            self.handleError(record)


def _as_json(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> str:
    text = json.dumps(dict(entry), ensure_ascii=False, default=str)
    return _SPECIAL.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f", text)


def _escape(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in entry.items():
        if isinstance(value, str):
            entry[name] = value.translate(_ESCAPES_OF_LINES if name == "exception" else _ESCAPES)
    return entry
