"""Runs the command as users do: as a process, or inside this one where a simulated Sinch is looked at meanwhile."""

import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import uvicorn

from sinchflow.cli.main import main
from sinchflow.simulate.provider import SimulatedSinch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sinchflow(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `sinchflow ARGUMENTS` in an empty folder and gives exit code and output."""
    script = Path(sys.executable).parent / "sinchflow"
    command = [str(script)] if script.exists() else [sys.executable, "-m", "sinchflow"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")}
    environ["PYTHONPATH"] = str(ROOT)

    def run(*arguments: str, stdin: str = "", cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            input=stdin,
            cwd=cwd,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


class Ended(NamedTuple):
    """A command's end."""

    code: int
    out: str
    err: str


class Simulated(NamedTuple):
    """A simulated Sinch and where it is reached; its key is `key`, the secret `s3cret`."""

    sim: SimulatedSinch
    url: str


class _Terminal(io.StringIO):
    """Somebody at a terminal who types this."""

    def isatty(self) -> bool:
        return True


class _Stage:
    """An ASGI application that is whoever plays at the moment."""

    def __init__(self) -> None:
        self.sim = SimulatedSinch()

    async def __call__(self, scope, receive, send) -> None:
        await self.sim.app(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[_Stage, str]]:
    """A loopback port, served by a thread of its own."""
    stage = _Stage()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(stage, log_level="critical", access_log=False, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield stage, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def simulated(stage) -> Simulated:
    """A new simulated Sinch; it pushes nothing."""
    stage[0].sim = SimulatedSinch(api_key="key", api_secret="s3cret")
    return Simulated(stage[0].sim, stage[1])


@pytest.fixture
def command(tmp_path, monkeypatch, capsys) -> Callable[[dict[str, str]], Callable[..., Ended]]:
    """Gives what runs `sinchflow -C PROJECT ARGUMENTS` in this process. `typed`: by somebody at a terminal.

    Takes the secrets by name; none of them may ever be printed.
    """

    def with_secrets(secrets: dict[str, str]) -> Callable[..., Ended]:
        for name, value in secrets.items():
            monkeypatch.setenv(f"SINCHFLOW_SECRET_{name}", value)

        def run(*arguments: str, typed: str | None = None) -> Ended:
            monkeypatch.setattr(sys, "argv", ["sinchflow", "-C", str(tmp_path), *arguments])
            monkeypatch.setattr(sys, "stdin", io.StringIO() if typed is None else _Terminal(typed))
            with pytest.raises(SystemExit) as end:
                main()
            out, err = capsys.readouterr()
            assert [secret for secret in secrets.values() if secret in out + err] == []
            return Ended(end.value.code or 0, out, err)

        return run

    return with_secrets
