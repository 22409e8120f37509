"""Processes of the program by fork instead of by exec: one process has it loaded, so each start saves that time.

`Popen` and `run` are those of `subprocess` for `python -m MODULE ARGUMENTS`: what they start is a child of the process
that asks, with its own pid, folder, environment and files. What a test shows about the start of a process itself (what
is installed, imported, or read by Python) needs a process by exec.
"""

import contextlib
import ctypes
import functools
import gc
import importlib
import inspect
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOADED = (
    "sinchflow.runtime.daemon", "sinchflow.runtime.perform", "sinchflow.deploy.drift", "sinchflow.language.check",
    "sinchflow.simulate.provider", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.on", "httpx", "jinja2",
    "airspeed", "holidays", "rich.console",
)  # fmt: skip
_PR_SET_CHILD_SUBREAPER = 36
_starting = threading.Lock()


class Popen(subprocess.Popen):
    """`subprocess.Popen` of `[…, "-m", MODULE, *ARGUMENTS]`."""

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(subprocess.Popen._execute_child).bind(self, *given).arguments
        command = [os.fspath(part) for part in asked["args"]]
        module, *arguments = command[command.index("-m") + 1 :]
        order = {
            "module": module,
            "arguments": arguments,
            "cwd": os.fspath(asked["cwd"] or os.getcwd()),
            "env": dict(os.environ if asked["env"] is None else asked["env"]),
        }
        files = [
            own if given == -1 else given
            for own, given in enumerate((asked["p2cread"], asked["c2pwrite"], asked["errwrite"]))
        ]
        with _starting:
            socket.send_fds(_loaded(), [json.dumps(order).encode()], files)
            self.pid = int(_loaded().recv(100))
        self._child_created = True
        self._close_pipe_fds(*(asked[name] for name in (
            "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite",
        )))  # fmt: skip


def run(command: list[str], *, timeout: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """`subprocess.run` with captured texts, and nothing to read."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, text=True, **pipes, **options) as running:
        try:
            out, err = running.communicate(timeout=timeout)
        except BaseException:
            running.kill()
            raise
    return subprocess.CompletedProcess(command, running.returncode, out, err)


@functools.cache
def _loaded() -> socket.socket:
    """Where orders go. The process that takes them ends when this one does."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-c", "from tests.forked import serve; serve()", str(theirs.fileno())]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SINCHFLOW_", "OTEL_"))}
    environ["PYTHONPATH"] = str(ROOT)
    loader = subprocess.Popen(command, env=environ, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    loader.returncode = 0  # nobody waits for it
    theirs.close()
    return ours


def serve() -> None:
    """Take orders until nobody is left to give any."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    import sinchflow.cli

    for found in pkgutil.iter_modules(sinchflow.cli.__path__):
        importlib.import_module(f"sinchflow.cli.{found.name}")
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        data, files, _, _ = socket.recv_fds(orders, 1_000_000, 3)
        if not data:
            return
        told, tells = os.pipe()
        between = os.fork()
        if not between:
            # The child's parent ends at once: so the child becomes one of the process that asked.
            if child := os.fork():
                os.write(tells, str(child).encode())
                os._exit(0)
            orders.close()
            os.close(told)
            os.close(tells)
            _play(json.loads(data), files)
        os.waitpid(between, 0)
        orders.send(os.read(told, 100))
        for file in (*files, told, tells):
            os.close(file)


def _play(order: dict[str, Any], files: list[int]) -> None:
    """Be the process. Does not return."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in {"", *sys.path}]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [order["module"], *order["arguments"]]
    if not hasattr(sys.modules.get(order["module"]), "__path__"):
        sys.modules.pop(order["module"], None)  # `runpy` warns of modules that are there
    code: object = 1
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code
        if not isinstance(code, int | None):
            print(code, file=sys.stderr)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))
