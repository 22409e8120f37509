"""Standard output and error of commands: no control character of a foreign text gets through, whoever prints it.

Commands clean what they show, each in its own way (`output.cell`, `words.shown`); this is the wall behind them. What a
command writes on purpose (colours, an emptied screen) goes to `styled`.
"""

import io
import re
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

#: What a terminal obeys, what turns the direction of writing round, and lone surrogates; no tab and no line break.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """The text with everything escaped that a terminal would obey."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Screen(io.TextIOWrapper):
    """A text stream that writes only what is `clean`."""

    def write(self, text: str) -> int:
        """Write it cleaned."""
        super().write(clean(text))
        return len(text)

    @property
    def styled(self) -> "_Styled":
        """The same stream, for what the program itself has put together: foreign texts in it must be clean."""
        return _Styled(self)


class _Styled:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def write(self, text: str) -> int:
        return io.TextIOWrapper.write(self._screen, text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._screen, name)


def guard_output() -> None:
    """From now on, standard output and error are screens."""
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)


def styled(stream: TextIO) -> TextIO:
    """Where styles may be written."""
    return stream.styled if isinstance(stream, Screen) else stream  # type: ignore[return-value]


def console(*, is_error: bool = False) -> "Console":
    """rich's, on standard output or error."""
    from rich.console import Console

    return Console(file=styled(sys.stderr if is_error else sys.stdout), highlight=False)


def _guarded(stream: Any) -> Any:
    if type(stream) is not io.TextIOWrapper:
        return stream  # none at all, or somebody else's
    stream.flush()
    # a second stream on the same file: who holds the first one can go on using it
    below = open(stream.fileno(), "wb", buffering=0 if stream.write_through else -1, closefd=False)  # noqa: SIM115
    return Screen(
        below, encoding=stream.encoding, errors=stream.errors, line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )  # fmt: skip
