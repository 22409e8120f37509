"""`sinchflow simulate`: a phone in the terminal, with the daemon's own parts in virtual time."""

import os
import sys
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.errors import SinchflowError

if TYPE_CHECKING:
    from rich.console import Console

    from sinchflow.simulate.play.outcome import Line
    from sinchflow.simulate.play.phone import Phone

#: The first customer, from the range that Australia keeps for fiction.
_CONTACT = "+61491570156"
_STYLES = {"in": "", "out": "green", "call": "yellow", "note": "magenta", "fault": "red"}
#: As wide as most numbers are.
_NARROWEST = 12


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no time: write it like 2026-12-01T09:00') from None


def simulate(
    context: typer.Context,
    *,
    now: Annotated[
        datetime | None,
        typer.Option("--now", metavar="TIME", help="When it begins.", show_default="now", parser=_time),
    ] = None,
    contact: Annotated[str, typer.Option("--contact", metavar="NUMBER", help="Whose phone it is first.")] = _CONTACT,
) -> None:
    """Text with the flows, in virtual time: without a daemon, and nothing leaves the machine.

    Type a text and Enter, and you have texted in as a customer; what the flows send and call is shown as a chat.
    /advance 1h lets an hour pass at once, /receipt failed reports on the last message, /trace shows a run step by
    step, and /save FILE writes what happened as a transcript test. /help shows all commands.
    With piped input each line is one text or command; exit code 1 when one of them could not be done.

    \b
    Examples:
      sinchflow simulate
      sinchflow -C shop simulate --now 2026-12-01T21:30
      printf 'HOURS\\n/save flows/hours.test.yaml\\n' | sinchflow simulate
    """
    from sinchflow.simulate.play.phone import Phone

    is_typed = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    begin = now or datetime.now().astimezone().replace(second=0)
    phone = Phone(root_of(context), begin, contact, os.environ)
    try:
        is_fine = _Chat(phone, is_typed=is_typed).hold()
    finally:
        phone.close()
    if not (is_fine or is_typed):
        raise typer.Exit(1)


class _Chat:
    """The chat on the screen. is_typed: a person types, sees what they type, and wants a prompt."""

    def __init__(self, phone: "Phone", *, is_typed: bool) -> None:
        from sinchflow.cli.screen import console

        self._phone = phone
        self._is_typed = is_typed
        self._console: Console = console()
        self._day: date | None = None
        self._who_width = _NARROWEST

    def hold(self) -> bool:
        """Until the lines end, or somebody leaves: whether all that was asked for could be done."""
        from sinchflow.cli.typed import obey

        if self._is_typed:
            self._greet()
        self._show()
        is_fine = True
        for line in self._lines():
            if line.strip() in ("/quit", "/exit"):
                break
            try:
                said = obey(self._phone, line) if line.strip() else None
            except SinchflowError as error:
                is_fine, said = False, None
                self._show()
                self._say(str(error), "red")
            self._show()
            if said:
                self._say(said, "dim")
        return is_fine

    def _lines(self) -> Iterator[str]:
        """What is typed; a line that ends with a backslash goes on in the next one."""
        parts: list[str] = []
        for line in self._typed(parts) if self._is_typed else _piped():
            parts.append(line.removesuffix("\\"))
            if not line.endswith("\\"):
                yield "\n".join(parts)
                parts.clear()
        if parts:
            yield "\n".join(parts)

    def _typed(self, parts: list[str]) -> Iterator[str]:
        import contextlib

        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 (the arrow keys)
        try:
            while True:
                yield _whole(input(self._prompt() if not parts else f"{'':{self._who_width + 11}}› "))
        except (EOFError, KeyboardInterrupt):
            self._console.print()

    def _prompt(self) -> str:
        now = self._phone.now
        self._head(now)
        return f"{now:%H:%M:%S}  {self._phone.named(self._phone.contact).ljust(self._who_width)} › "

    def _greet(self) -> None:
        count = len(self._phone.flows)
        self._console.print("sinchflow simulate", style="bold", end="")
        flows = f"  {count} flow{'s' * (count != 1)}; time is virtual ({self._phone.zone}); nothing leaves this machine"
        self._console.print(flows, markup=False, soft_wrap=True)
        self._console.print("  Type a text and Enter to send it; /help shows more, Ctrl-D ends.\n")

    def _show(self) -> None:
        """What is new."""
        for line in self._phone.news():
            if not (self._is_typed and line.kind in ("in", "time")):  # it stands there already, as it was typed
                self._line(line)

    def _line(self, line: "Line") -> None:
        from rich.text import Text

        from sinchflow.cli.transcripts import SIGNS
        from sinchflow.language.diagnostic import printable

        at = line.at.astimezone(self._phone.zone)
        self._head(at)
        who = self._phone.named(line.who) if line.who else ""
        self._who_width = max(self._who_width, len(who))
        head = f"{at:%H:%M:%S}  {who.ljust(self._who_width)} {SIGNS[line.kind]} "
        first, *more = [printable(each) for each in line.text.split("\n")]
        body = "\n".join([first, *(f"{' ' * len(head)}{each}".rstrip() for each in more)])
        is_bad = line.kind == "event" and line.text.startswith("receipt: ") and line.text != "receipt: delivered"
        style = "red" if is_bad else _STYLES.get(line.kind, "dim")
        text = Text(head, style="bold cyan" if line.kind == "in" else style).append(body, style=style)
        self._console.print(text, soft_wrap=True)

    def _head(self, at: datetime) -> None:
        """The day, where it has changed."""
        if at.date() != self._day:
            self._day = at.date()
            self._console.print(f"{at:%a %d %b %Y}", style="bold", markup=False)

    def _say(self, text: str, style: str) -> None:
        from rich.text import Text

        from sinchflow.language.diagnostic import printable

        for line in text.split("\n"):
            self._console.print(Text(f"  {printable(line)}".rstrip(), style=style), soft_wrap=True)


def _piped() -> Iterator[str]:
    import io

    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    for line in sys.stdin or ():
        yield _whole(line.rstrip("\r\n"))


def _whole(line: str) -> str:
    """Without halves of characters, which no message can hold."""
    return line.encode("utf-8", "replace").decode()
