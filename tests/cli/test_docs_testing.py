"""docs/testing.md is true: its flow, its test, its sessions and its Python are played as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```yaml\n# (\S+\.yaml)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SESSIONS = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
EDIT = re.compile(r"sed -i 's/(.*)/(.*)/' (\S+)")
SECONDS = re.compile(r"\d+\.\d\d s$", re.MULTILINE)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_page_has_its_parts():
    assert (sorted(FILES), len(SESSIONS), len(PYTHON)) == (["flows/parking.yaml", "parking.test.yaml"], 3, 1)


@pytest.mark.parametrize("session", SESSIONS, ids=range(len(SESSIONS)))
def test_sessions(session, project, sinchflow):
    shown = []
    for line in session.splitlines():
        if not line.startswith("$ "):
            continue
        shown.append(line)
        command = line.removeprefix("$ ")
        if edit := EDIT.fullmatch(command):
            old, new, name = edit.groups()
            text = (project / name).read_text()
            assert old in text
            (project / name).write_text(text.replace(old, new))
        else:
            done = sinchflow(*command.split()[1:])
            assert done.stderr == ""
            shown += done.stdout.splitlines()
    assert SECONDS.sub("", "\n".join(shown)) == SECONDS.sub("", session.rstrip("\n"))


def test_python(project):
    (project / "test_gate.py").write_text(PYTHON[0])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "sinchflow.cli.pytest_plugin", "-p",
         "no:sinchflow", "--rootdir", ".", "-k", "gate"],
        cwd=project, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "4 passed" in done.stdout, done.stdout + done.stderr
