"""Runs the command as users do: as a process, or inside this one where a simulated Sinch is looked at meanwhile."""

import io
import json
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


@pytest.fixture(scope="session")
def loaded() -> Iterator[subprocess.Popen[str]]:
    """A process that forks for each command."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).with_name("forking.py"))]
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def sinchflow(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, loaded: subprocess.Popen[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `sinchflow ARGUMENTS` in an empty folder and gives exit code and output."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")}
    environ["PYTHONPATH"] = str(ROOT)
    beside = tmp_path_factory.mktemp("streams")

    def run(*arguments: str, stdin: str = "", cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        files = {name: beside / name for name in ("stdin", "stdout", "stderr")}
        for name, file in files.items():
            file.write_text(stdin if name == "stdin" else "")
        streams = {name: str(file) for name, file in files.items()}
        asked = {"argv": arguments, "cwd": str(cwd), "env": environ, **streams}
        loaded.stdin.write(json.dumps(asked) + "\n")
        loaded.stdin.flush()
        code = int(loaded.stdout.readline())
        return subprocess.CompletedProcess(arguments, code, files["stdout"].read_text(), files["stderr"].read_text())

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
