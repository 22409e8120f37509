"""Runs the command as users do: as a process."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
