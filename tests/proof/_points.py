"""The points at which a sweep stops a daemon: each write, fsync and commit of the journal, each request and answer.

Set in the daemon's own process, before it begins, at the edges of the libraries: SQLite's file system and commit hook,
httpx (calls of the provider and of `http` steps), uvicorn (the webhook port). A point is met *before* what it names is
done; `synced` and `answered` after it.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

#: What is written to the file of points for each, one character.
KINDS = {
    "w": "write", "f": "fsync", "s": "synced", "c": "commit", "q": "request", "r": "response",
    "a": "arrival", "k": "acknowledgement",
}  # fmt: skip


class Points:
    """Notes each point in a file; at the nth (from 1) the process is stopped as `kill -9` would."""

    def __init__(self, file: Path, stop_at: int | None) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        self._stop_at = stop_at
        self._count = 0

    def meet(self, kind: str) -> None:
        """A point of this kind. On any thread."""
        self._count += 1
        os.write(self._file, kind.encode())
        if self._stop_at is not None and self._count >= self._stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def set(self) -> None:
        """From now on."""
        _watch_files(self.meet)
        apsw.connection_hooks.append(lambda connection: connection.set_commit_hook(lambda: self.meet("c") or False))
        _watch_calls(self.meet)
        _watch_webhooks(self.meet)


def _watch_files(meet: Callable[[str], None]) -> None:
    base = apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def xWrite(self, data: bytes, offset: int) -> None:
            meet("w")
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:
            meet("f")
            super().xSync(flags)
            meet("s")

    class Files(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("points", base, makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> File:
            return File(base, name, flags)

    globals()["_files"] = Files()  # SQLite does not keep it alive


def _watch_calls(meet: Callable[[str], None]) -> None:
    import httpx

    send = httpx.AsyncClient.send

    async def watched(self: httpx.AsyncClient, request: httpx.Request, **how: Any) -> httpx.Response:
        meet("q")
        response = await send(self, request, **how)
        meet("r")
        return response

    httpx.AsyncClient.send = watched  # type: ignore[method-assign]


def _watch_webhooks(meet: Callable[[str], None]) -> None:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    run, send = RequestResponseCycle.run_asgi, RequestResponseCycle.send

    async def watched_run(self: Any, app: Any) -> None:
        if _is_webhook(self.scope):
            meet("a")
        await run(self, app)

    async def watched_send(self: Any, message: Any) -> None:
        if message["type"] == "http.response.body" and _is_webhook(self.scope):
            meet("k")
        await send(self, message)

    RequestResponseCycle.run_asgi = watched_run
    RequestResponseCycle.send = watched_send


def _is_webhook(scope: Any) -> bool:
    return scope["path"].startswith(("/hooks/", "/flows/"))
