"""Sees every address that this process dials, below all libraries, and lets it reach nothing but what it is told.

Python's own audit events are what is watched, so that nothing of ours, and no library, is patched.
"""

import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any


class Dials:
    """known: ports on 127.0.0.1 that the play itself needs. strange: every other address that was dialled."""

    def __init__(self) -> None:
        self.known: set[int] = set()
        self.strange: list[tuple[Any, ...]] = []
        self._is_on = True
        sys.addaudithook(self._hear)  # there is no taking it away

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on or event not in ("socket.connect", "socket.sendto"):
            return
        address = arguments[1]
        if not isinstance(address, tuple) or (address[:1] == ("127.0.0.1",) and address[1] in self.known):
            return
        self.strange.append(address)
        raise PermissionError(13, "the watch lets nobody out")

    def taken(self) -> list[tuple[Any, ...]]:
        """What was dialled since this was asked last."""
        found, self.strange = self.strange, []
        return found

    def off(self) -> None:
        """Hear no more."""
        self._is_on = False


@contextmanager
def watched() -> Iterator[Dials]:
    """A watch over all that is dialled meanwhile."""
    dials = Dials()
    try:
        yield dials
    finally:
        dials.off()


class Names:
    """Names that mean what is said here, in turn, the last for ever; what the machine's own table says stays so.

    No other name exists, and no name server is asked.

    asked: how often each of them was looked up.
    """

    def __init__(self, meanings: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._meanings = {name: list(turns) for name, turns in meanings.items()}
        self._system = socket.getaddrinfo
        self.asked: dict[str, int] = {}

    def look_up(self, host: Any, port: Any, *rest: Any, **how: Any) -> Any:
        """Stands in for `socket.getaddrinfo`."""
        name = host.decode() if isinstance(host, bytes) else str(host)
        turns = self._meanings.get(name.rstrip(".").lower())
        if turns is None and "localhost" in name:
            return self._system(host, port, *rest, **how)
        if turns is None:
            return self._numeric(host, port)
        self.asked[name] = self.asked.get(name, 0) + 1
        found = turns.pop(0) if len(turns) > 1 else turns[0]
        return [entry for each in found for entry in self._system(each, port, type=socket.SOCK_STREAM)]

    def _numeric(self, host: Any, port: Any) -> Any:
        return self._system(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


@contextmanager
def named(meanings: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[Names]:
    """Names of one's own for a while."""
    names = Names(meanings)
    socket.getaddrinfo = names.look_up
    try:
        yield names
    finally:
        socket.getaddrinfo = names._system
