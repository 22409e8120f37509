"""The customer's phone in the terminal: lines typed or piped in are texts, and the conversation is shown as a chat.

With a person at the keyboard it goes on until they leave. With piped input each line is texted when what the line
before it caused has come to rest, and the end of the input is the end.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from sinchflow.simulate.conversation import Line
from sinchflow.simulate.dev import Dev

_HELP = """\
  any text       texts it in as the customer
  /from NUMBER   become another customer, for example /from +61491570157
                 (messages to numbers ending in 0009 fail, 0008 expire, 0007 are rejected)
  /start FLOW    start a flow that has the trigger `manual`
  /flows         the flows that are live
  /quit          leave (Ctrl-C does too)"""

_STYLES = {"out": "green", "receipt": "dim", "call": "yellow", "note": "magenta"}
_MARKS = {"in": "›", "out": "‹", "receipt": "·", "call": "→", "note": "#"}
#: Statuses on the way that only repeat what the next line says.
_BETWEEN = frozenset({"enroute", "submitted"})
_INDENT = 15


class Terminal:
    """One terminal: `customer` texts, everything is shown on `console`.

    is_typed: a person types, sees what they type, and wants a prompt.
    """

    def __init__(self, dev: Dev, console: Console, customer: str, *, is_typed: bool) -> None:
        self._dev = dev
        self._console = console
        self._customer = customer
        self._is_typed = is_typed
        self._shown = 0
        self._typed: list[str] = []

    async def converse(self) -> None:
        """Take lines until the input ends, or somebody leaves. Without any line the page alone goes on for ever."""
        showing = asyncio.create_task(self._show_all())
        lines = read_lines()
        count = 0
        try:
            self._prompt()
            while (line := await lines.get()) is not None:
                count += 1
                if not await self._obey(line):
                    return
            if count == 0 and not self._is_typed:
                await asyncio.Event().wait()  # nobody to read from: the page is the only phone
        finally:
            showing.cancel()
            self._show()

    async def _obey(self, line: str) -> bool:
        """Do what a line asks for. False: leave."""
        word, _, rest = line.strip().partition(" ")
        problem: str | None = None
        match word:
            case "":
                pass
            case "/quit" | "/exit":
                return False
            case "/help":
                self._say(_HELP)
            case "/flows":
                self._say("\n".join(f"  {name}" for name in self._dev.flows) or "  none yet")
            case "/from":
                self._customer = rest.strip() or self._customer
            case "/start":
                problem = await self._dev.start_flow(rest.strip())
            case _ if word.startswith("/"):
                problem = f"no command {word}; /help lists them"
            case _:
                if self._is_typed:
                    self._typed.append(line.strip())
                problem = await self._dev.text_in(self._customer, line)
        if problem:
            self._say(f"  {problem}")
        if not self._is_typed:
            await self._dev.quiet()
            self._show()
        self._prompt()
        return True

    async def _show_all(self) -> None:
        while True:
            await self._dev.conversation.grown_beyond(self._shown)
            self._show()
            self._prompt()

    def _show(self) -> None:
        for line in self._dev.conversation.after(self._shown):
            self._shown = line.number
            if line.kind == "in" and line.text in self._typed:
                self._typed.remove(line.text)  # it stands there already, as it was typed
            elif not (line.kind == "receipt" and line.text in _BETWEEN):
                self._wipe()
                self._console.print(present(line), soft_wrap=True)

    def _say(self, text: str) -> None:
        self._wipe()
        self._console.print(Text(text, style="dim"), soft_wrap=True)

    def _prompt(self) -> None:
        if self._is_typed:
            self._wipe()
            self._console.print(Text(f"{self._customer:<{_INDENT}}{_MARKS['in']} ", style="bold cyan"), end="")

    def _wipe(self) -> None:
        """Take the prompt away; what is typed but not sent stays in the terminal's own buffer."""
        if self._is_typed:
            self._console.file.write("\r\x1b[K")


def present(line: Line) -> Text:
    """A line as it is shown: whose phone, which way, and the text."""
    label = line.customer if line.kind == "in" and line.customer else ""
    if line.kind == "out":
        label = line.customer or ""
    style = _STYLES.get(line.kind, "bold cyan")
    if line.detail.get("level") in {"error", "warning"} or (line.kind == "receipt" and line.text != "delivered"):
        style = "red"
    head = Text(f"{label:<{_INDENT}}{_MARKS[line.kind]} ", style="bold cyan" if line.kind == "in" else style)
    body = f"\n{'':{_INDENT}}  ".join(printable(line.text).split("\n"))
    if line.kind == "call" and line.detail.get("body"):
        body += f"\n{'':{_INDENT}}  {printable(line.detail['body'])}"
    return head.append(body, style="" if line.kind == "in" else style)


def printable(text: str) -> str:
    """The text without what could move a terminal's cursor or change its colours."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def read_lines() -> "asyncio.Queue[str | None]":
    """Lines of standard input as they come, then None. A thread reads, because a file is always readable to a loop."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    # In the background of a shell, reading would stop the whole process; as an error it only ends the reading.
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    threading.Thread(target=_read, args=(loop, lines.put_nowait), daemon=True, name="stdin").start()
    return lines


def _read(loop: asyncio.AbstractEventLoop, put: Callable[[str | None], None]) -> None:
    rest = b""
    try:
        while chunk := os.read(0, 65_536):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                loop.call_soon_threadsafe(put, line.decode("utf-8", "replace"))
    except OSError:
        pass  # no standard input
    try:
        if rest:
            loop.call_soon_threadsafe(put, rest.decode("utf-8", "replace"))
        loop.call_soon_threadsafe(put, None)
    except RuntimeError:
        pass  # the loop is gone, and so is whoever waited
