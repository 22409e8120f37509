"""Structured logs on stderr: one line per event; JSON unless a person is watching."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

#: Control characters of texts from outside must never reach a terminal or split a line.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))}


def configure(*, as_json: bool | None = None, level: int = logging.INFO) -> None:
    """Set up structlog for this process. as_json: None means JSON unless stderr is a terminal."""
    if as_json is None:
        as_json = not sys.stderr.isatty()
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if as_json:
        processors.append(structlog.processors.JSONRenderer(ensure_ascii=True))
    else:
        processors += [_escape, structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _escape(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = value.translate(_ESCAPES)
    return event
