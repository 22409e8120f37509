"""HTTP servers inside a loop that somebody else runs.

Listening and serving are two steps, so that a port in use is known before anything starts. How long a connection may
take, and how many there may be, is the `visitors`' to see to.
"""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from sinchflow.errors import CannotStart
from sinchflow.runtime.visitors import Patience, Visitors

#: Connections to one port at most.
_MOST_CONNECTIONS = 8_192
#: Open files that are kept for the journal, for calls and for what is to come.
_FILES_OF_OURS = 384
#: Enough for all ports; some systems say "unlimited", and then tables of that size are made.
_ENOUGH_FILES = 65_536


def listen(host: str, port: int, flag: str) -> socket.socket:
    """A listening socket. Raises CannotStart, which names the command line's `flag` as the way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # create_server repeats the address in its words; a name that cannot be resolved has none but its own
        number = error.errno or 0
        words = os.strerror(number) if number > 0 else error.strerror or error
        raise CannotStart(
            f"cannot listen on {host}:{port}: {words}; "
            f"end the program that uses the port, or choose another with {flag}"
        ) from error


def allow_many_files() -> None:
    """Raise this process's limit on open files as far as it may: many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # then there are fewer connections
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room_for_connections(share: float) -> int:
    """How many connections a port may have, of the open files that this process may have."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    free = _MOST_CONNECTIONS if files == resource.RLIM_INFINITY else max(files - _FILES_OF_OURS, files // 4)
    return max(4, int(min(free, _MOST_CONNECTIONS) * share))


async def open_server(
    undo: contextlib.AsyncExitStack,
    app: Any,
    listener: socket.socket,
    *,
    refused: Callable[[int], None] = lambda _: None,
    share: float = 0.5,
    patience: Patience | None = None,
) -> None:
    """Serve the ASGI application from now until `undo` is unwound.

    refused: told the status of each refusal that `app` does not hear of. share: of all connections that can be had.
    """
    visitors = Visitors(most=room_for_connections(share), patience=patience or Patience(), refused=refused)
    server = _Server(app, visitors)
    task = asyncio.create_task(server.serve(sockets=[listener]))

    async def close() -> None:
        server.should_exit = True
        await task
        visitors.close()

    undo.push_async_callback(close)
    await server.is_open.wait()


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: whoever runs the loop decides when to stop."""

    def __init__(self, app: Any, visitors: Visitors) -> None:
        config = uvicorn.Config(
            app, interface="asgi3", http=visitors, ws="none", lifespan="off", log_config=None, access_log=False,  # type: ignore[arg-type]
            server_header=False, date_header=False, proxy_headers=False, timeout_graceful_shutdown=5,
        )  # fmt: skip
        super().__init__(config)
        self.is_open = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and say so."""
        await super().startup(sockets)
        self.is_open.set()
