"""`backup` and `restore` as a user runs them, with a daemon and without one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal

ROOT = Path(__file__).parents[2]
FLOW = "on: {manual: {}}\nsteps:\n  - delay: 20h\n  - log: done\n"


@pytest.fixture
def dev(tmp_path):
    """A daemon at work in the folder, as `sinchflow dev`; called again, another one."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/sleeps.yaml").write_text(FLOW)
    started = []

    def start() -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "sinchflow", "dev", "--port", "0", "--data", "state"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        started.append(process)
        limit = time.monotonic() + 30
        while not (tmp_path / "state/daemon.json").exists():
            assert time.monotonic() < limit
            assert process.poll() is None
            time.sleep(0.02)

    def stop() -> None:
        process = started.pop()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    yield start, stop
    while started:
        stop()


@pytest.fixture
def journal(tmp_path):
    async def make() -> None:
        SqliteJournal(tmp_path / ".sinchflow", asyncio.get_running_loop()).close()

    asyncio.run(make())
    return tmp_path / ".sinchflow" / FILE_NAME


def test_a_backup_of_a_daemon_at_work_is_put_back_and_released(dev, sinchflow, tmp_path):
    start, stop = dev
    data = ("--data", "state")
    start()
    started = sinchflow("start", "sleeps", *data)
    assert started.returncode == 0, started.stderr
    done = sinchflow("backup", "b", "--json", *data)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["file"], shown["open_runs"], shown["size_bytes"]) == ("b", 1, (tmp_path / "b").stat().st_size)
    refused = sinchflow("restore", "b", "--force", *data)
    assert refused.returncode == 3
    assert "another sinchflow daemon (pid" in refused.stderr
    stop()
    refused = sinchflow("restore", "b", *data)
    assert refused.returncode == 2
    assert "with --force it is kept" in refused.stderr
    restored = sinchflow("restore", "b", "--force", *data)
    assert restored.returncode == 0, restored.stderr
    assert "the journal that was there is state/journal.sqlite3.before-restore-" in restored.stdout
    early = sinchflow("restore", *data)
    assert (early.returncode, "start the daemon" in early.stderr) == (3, True)
    nobody = sinchflow("restore", "--release", *data)
    assert (nobody.returncode, "no daemon works on" in nobody.stderr) == (3, True)
    start()
    waiting = sinchflow("restore", *data)
    assert "1 runs and 0 events wait for your word" in waiting.stdout
    assert "sleeps" in waiting.stdout
    status = json.loads(sinchflow("status", "--json", *data).stdout)
    assert "restored" in status["troubles"]
    assert json.loads(sinchflow("restore", "--json", *data).stdout)["flows"] == {"sleeps": 1}
    released = sinchflow("restore", "--release", *data)
    assert released.stdout == "1 run goes on, 0 events are routed\n"
    again = sinchflow("restore", "--cancel", *data)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert sinchflow("restore", *data).stdout == "nothing waits since a restoration\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("backup", "there"), 2, "there exists already"),
        (("backup", "nowhere/b"), 3, "nowhere/b cannot be written"),
        (("backup", "b", "--data", "empty"), 3, "no journal at empty/journal.sqlite3"),
        (("backup",), 2, "Missing argument"),
        (("restore", "gone"), 2, "there is no file gone"),
        (("restore", "there"), 2, "there is no backup of a journal"),
        (("restore", "--release", "--cancel"), 2, "give one of them"),
        (("restore", "there", "--release"), 2, "give one of them"),
        (("restore", "--force"), 2, "--force goes with FILE"),
        (("restore", "--data", "empty"), 3, "no journal at"),
    ],
)
def test_what_is_asked_wrongly_gets_one_line(sinchflow, journal, tmp_path, arguments, code, words):
    (tmp_path / "there").write_text("x")
    ended = sinchflow(*arguments)
    assert (ended.returncode, words in ended.stderr) == (code, True), ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "there").read_text() == "x"


def test_a_backup_without_a_daemon_says_what_it_holds(sinchflow, journal, tmp_path):
    ended = sinchflow("backup", "b")
    assert ended.returncode == 0
    assert ended.stdout.startswith("b: ")
    assert ended.stdout.endswith(": 0 events, 0 runs (0 open), 0 messages (0 open)\n")
    assert sinchflow("backup", "b", "--force").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".sinchflow", "b"]
