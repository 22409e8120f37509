"""What a service manager is told of the daemon: that it is ready, reloads or stops, what is wrong, that it is alive.

systemd's protocol, sd_notify(3): lines in a datagram to the socket that `NOTIFY_SOCKET` names. Without one nothing of
this costs anything, and whatever happens to the socket never harms the daemon.
"""

import asyncio
import itertools
import os
import socket
import time
from collections.abc import Callable, Mapping

#: Seconds between two looks at what there is to tell. A watchdog's half time may be shorter.
_LOOK_EVERY_S = 2.0
#: Of a trouble's words; systemd shows the status in one line.
_MOST_CHARACTERS = 200


class Notifier:
    """Tells the service manager, from `start` until `close`, on the loop.

    environ: of the process. status: what `systemctl status` shows, asked for again and again.
    """

    def __init__(self, environ: Mapping[str, str], loop: asyncio.AbstractEventLoop, status: Callable[[], str]) -> None:
        self._loop = loop
        self._status = status
        self._told = ""  #: the status that the manager knows
        self._state: tuple[str, ...] = ()  #: what it has still to be told of our state
        self._reloads = 0
        self._is_stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._watchdog_s = _watchdog_of(environ)
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):  # else there is none, or it is of a kind that only virtual machines have
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def start(self) -> None:
        """The daemon is ready, and takes signals."""
        if self._socket is not None:
            self._say("READY=1")
            self._tick()

    def reloading(self) -> None:
        """A reload begins; each is followed by `reloaded`."""
        self._reloads += 1
        # The manager tells our answer to its signal from one that was already under way by the time.
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self) -> None:
        """A reload is over, whatever came of it: the status tells."""
        self._reloads -= 1
        if not self._reloads:
            self._say("READY=1")

    def stopping(self) -> None:
        """The daemon stops from now on; the last that is said of its state."""
        self._say("STOPPING=1")
        self._is_stopping = True

    def close(self) -> None:
        """Say no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _say(self, *state: str) -> None:
        if self._socket is not None and not self._is_stopping:
            self._state = state
            self._tell()

    def _tick(self) -> None:
        """Called by the loop, so that one that hangs is found out by what is missing."""
        pause = _LOOK_EVERY_S
        if self._watchdog_s:
            self._tell("WATCHDOG=1")
            pause = min(self._watchdog_s / 2, pause)
        else:
            self._tell()
        self._timer = self._loop.call_later(pause, self._tick)

    def _tell(self, *more: str) -> None:
        """State and status as far as they are news, and `more`."""
        status = self._status()
        lines = [*self._state, *more]
        if status != self._told:
            lines.append(f"STATUS={status}")
        if not lines or self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)
        except OSError:  # nobody there, or its queue is full: the next look tries again
            return
        self._state, self._told = (), status


def _watchdog_of(environ: Mapping[str, str]) -> float:
    """Seconds within which the manager wants a sign of life; 0: it wants none, or another process's."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    wanted = environ.get("WATCHDOG_USEC", "")
    return int(wanted) / 1_000_000 if wanted.isdecimal() else 0.0


def status_of(flows: int, troubles: Mapping[str, str]) -> str:
    """The daemon in one line."""
    count = "1 flow" if flows == 1 else f"{flows} flows"
    wrong = "; ".join(f"{subject}: {_in_one_line(words)}" for subject, words in sorted(troubles.items()))
    return f"{count}; {wrong}" if wrong else f"{count}, all is well"


def _in_one_line(words: str) -> str:
    """The words up to their first picture of source text, without what would end the line or move a cursor."""
    lines = itertools.takewhile(lambda line: line != "|", map(str.strip, words.splitlines()))
    text = "".join(each if each.isprintable() else "?" for each in " ".join(lines))
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
