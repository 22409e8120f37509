"""Daemons by the second: a process that has the program loaded, and forks for each daemon that it is asked for.

Reads JSON lines: `root` and `data` (folders), `port`, `admin_port`, `log` (a file), and for a sweep `points` and
`stop_at` (see `_points`). Writes the pid of each. Daemons end with it, however it ends.
"""

import asyncio
import atexit
import ctypes
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.proof._points import Points

ADMIN_TOKEN = "admin-token-of-the-proof"
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")},
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "SINCHFLOW_SECRET_SHOP_TOKEN": "shop-token-of-the-proof",
}
_PR_SET_PDEATHSIG = 1


def _load() -> None:
    """What a daemon imports until its first calls are done."""
    for name in ("sinchflow.runtime.daemon", "sinchflow.runtime.perform", "sinchflow.deploy.drift", "httpx"):
        importlib.import_module(name)
    for name in ("uvicorn.protocols.http.httptools_impl", "jinja2", "airspeed", "holidays"):
        importlib.import_module(name)


def _play(asked: dict[str, Any]) -> None:
    """Be the daemon. Does not return."""
    from sinchflow.deploy.drift import drifted
    from sinchflow.runtime.daemon import Options, serve
    from sinchflow.runtime.logs import LogSettings

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if asked.get("points"):
        Points(Path(asked["points"]), asked.get("stop_at")).set()
    options = Options(
        root=Path(asked["root"]), data=Path(asked["data"]), port=asked["port"], admin_port=asked["admin_port"],
        admin_token=ADMIN_TOKEN,
    )  # fmt: skip
    code = 1
    try:
        serve(options, LogSettings(level=asked.get("level", "warning"), format="json"), check_drift=drifted)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    """Until the input ends."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _play(asked)
        print(child, flush=True)


class Daemon:
    """A forked daemon. is_over: set once it has ended, however."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.is_over = asyncio.Event()
        self._descriptor: int | None = None
        try:
            self._descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            self.is_over.set()
        else:
            asyncio.get_running_loop().add_reader(self._descriptor, self._ended)

    def _ended(self) -> None:
        self.is_over.set()
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._descriptor is not None:
            try:
                signal.pidfd_send_signal(self._descriptor, number)
            except ProcessLookupError:
                return

    async def kill(self) -> None:
        """`kill -9`, and wait for the end."""
        self.signal(signal.SIGKILL)
        await self.is_over.wait()


class Zygote:
    """The process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proof._zygote"], env=ENVIRON, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._line()
        atexit.register(self.end)

    def fork(self, **asked: Any) -> Daemon:
        """A daemon, within milliseconds; see the module's text."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked, default=str).encode() + b"\n")
        self._process.stdin.flush()
        return Daemon(int(self._line()))

    def end(self) -> None:
        """End it and its daemons."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks daemons has ended")
        return line


@functools.cache
def zygote() -> Zygote:
    """The one of this process: loading takes a second."""
    return Zygote()


if __name__ == "__main__":
    main()
