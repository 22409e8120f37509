"""HTTP servers inside a loop that somebody else runs.

Listening and serving are two steps, so that a port in use is known before anything starts.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from sinchflow.errors import CannotStart


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


async def open_server(undo: contextlib.AsyncExitStack, app: Any, listener: socket.socket) -> None:
    """Serve the ASGI application from now until `undo` is unwound."""
    server = _Server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))

    async def close() -> None:
        server.should_exit = True
        await task

    undo.push_async_callback(close)
    await server.is_open.wait()


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: whoever runs the loop decides when to stop."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(
            app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, date_header=False, proxy_headers=False, timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
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
