"""The daemon as a process: what keeps it from starting, in one line each, and what signals do."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "sinchflow"]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")},
    "PYTHONPATH": str(ROOT),
    "SINCHFLOW_SECRET_HOOK_TOKEN": "hook-token-of-the-test",
}
SETTINGS = """\
base_url: "http://127.0.0.1:9"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}
"""
FLOW = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello.}]\n"
PATIENCE_S = 60.0


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/greet.yaml").write_text(FLOW)
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS)
    return tmp_path


def start(project: Path, *arguments: str) -> subprocess.Popen[bytes]:
    ports = [] if "--port" in arguments else ["--port", "0"]
    ports += [] if "--admin-port" in arguments else ["--admin-port", "0"]
    with (project / "stderr").open("wb") as err:
        return forked.Popen(
            [*COMMAND, "-C", str(project), "run", *ports, *arguments],
            env=ENVIRON, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip


def refusal(project: Path, *arguments: str) -> str:
    """What the daemon says that cannot start; it must be one line, with exit code 3."""
    running = start(project, *arguments)
    try:
        assert running.wait(PATIENCE_S) == 3
    finally:
        running.kill()
        running.wait()
    said = (project / "stderr").read_text()
    assert said.startswith("sinchflow: ")
    assert said.count("\n") == 1
    return said.removeprefix("sinchflow: ").rstrip("\n")


@contextlib.contextmanager
def daemon(project: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], dict]]:
    """A daemon that is ready, and what its daemon.json says."""
    running = start(project, *arguments)
    try:
        found = eventually(lambda: ready(project, running))
        yield running, found
    finally:
        running.kill()
        running.wait()


def ready(project: Path, running: subprocess.Popen[bytes]) -> dict | None:
    assert running.poll() is None, (project / "stderr").read_text()
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((project / ".sinchflow/daemon.json").read_text())
        if found["pid"] == running.pid and ask(found, "/ready")[0] == 200:
            return found
    return None


def ask(found: dict, path: str) -> tuple[int, dict]:
    request = urllib.request.Request(f"http://127.0.0.1:{found['admin_port']}{path}")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def eventually(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not (result := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return result


def events(project: Path) -> list[str]:
    """What the log says, line by line; every line is JSON."""
    return [json.loads(line)["event"] for line in (project / "stderr").read_text().splitlines()]


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_port_in_use_names_the_flag(project, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert refusal(project, flag, port) == (
            f"cannot listen on 127.0.0.1:{port}: Address already in use; "
            f"end the program that uses the port, or choose another with {flag}"
        )


def test_host_that_is_not_ours_is_refused(project):
    assert refusal(project, "--host", "192.0.2.1").startswith("cannot listen on 192.0.2.1:0: Cannot assign")
    assert "no-such-host.invalid" in refusal(project, "--host", "no-such-host.invalid")


def test_second_daemon_on_one_journal_is_refused(project):
    with daemon(project) as (running, _):
        assert refusal(project) == (
            f"another sinchflow daemon (pid {running.pid}) works on the journal in {project / '.sinchflow'}: "
            "stop it first, or name another folder with --data"
        )
        assert running.poll() is None


def test_data_folder_that_cannot_be_written_is_refused(project):
    (project / "file").write_text("")
    said = refusal(project, "--data", str(project / "file"))
    assert said.startswith(f"the data folder {project / 'file'} cannot be written (")
    assert said.endswith("check its permissions, or name another with --data")
    assert "/proc/none cannot be written" in refusal(project, "--data", "/proc/none")


def test_journal_of_another_program_is_refused_and_left_as_it_was(project):
    path = project / ".sinchflow/journal.sqlite3"
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipe (name)")
        other.commit()
    before = path.read_bytes()
    assert refusal(project) == f"{path} belongs to another program: name another folder with --data"
    assert path.read_bytes() == before


def test_journal_of_a_newer_version_is_refused(project):
    with daemon(project) as (running, _):
        running.terminate()
        running.wait(PATIENCE_S)
    path = project / ".sinchflow/journal.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as journal:
        journal.execute("PRAGMA user_version = 99")
    said = refusal(project)
    assert said.startswith(f"journal {path} was written by a newer sinchflow (schema 99, this one knows ")
    assert "upgrade sinchflow, or restore a backup" in said


def test_journal_that_is_no_database_or_a_folder_is_refused(project):
    path = project / ".sinchflow/journal.sqlite3"
    path.parent.mkdir()
    path.write_bytes(b"This is a letter to my aunt.\n" * 99)
    assert "is not a SQLite database: name another folder with --data" in refusal(project)
    path.unlink()
    path.mkdir()
    assert "cannot be opened" in refusal(project)


def test_missing_secret_names_the_variable(project):
    (project / "sinchflow.yaml").write_text(SETTINGS.replace("HOOK_TOKEN", "OTHER_TOKEN"))
    assert refusal(project) == (
        "secret OTHER_TOKEN is missing: set the environment variable SINCHFLOW_SECRET_OTHER_TOKEN (sinchflow.yaml:3:19)"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SETTINGS.replace("base_url", "#"), "does not say which Sinch service to use"),
        (SETTINGS.replace("credentials", "#"), "the project has no API key"),
        (SETTINGS.replace("webhooks", "#"), "the project has no webhook token"),
        (None, "does not say which Sinch service to use"),
    ],
)
def test_project_that_lacks_a_setting_is_refused(project, settings, words):
    (project / "sinchflow.yaml").unlink()
    if settings is not None:
        (project / "sinchflow.yaml").write_text(settings)
    assert words in refusal(project)


def test_project_with_errors_is_refused_with_all_of_them(project):
    (project / "flows/greet.yaml").write_text(FLOW.replace("reply", "replay"))
    (project / "flows/other.yaml").write_text("name: [\n")
    running = start(project)
    assert running.wait(PATIENCE_S) == 3
    said = (project / "stderr").read_text()
    assert said.startswith("sinchflow: the project has errors:\n")
    assert "flows/greet.yaml:3:" in said
    assert "flows/other.yaml:" in said
    assert "Traceback" not in said


def test_folder_that_is_not_there_is_refused(project):
    running = start(project, "--data", str(project / "data"))
    running.kill()
    running.wait()
    refused = subprocess.run(
        [*COMMAND, "-C", str(project / "nowhere"), "run"],
        env=ENVIRON, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert refused.returncode in {2, 3}
    assert str(project / "nowhere") in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_daemon_with_code_0_and_another_may_start(project, number):
    for _ in range(2):
        with daemon(project) as (running, _):
            running.send_signal(number)
            assert running.wait(PATIENCE_S) == 0
            assert events(project) == ["ready", "stopping", "stopped"]
            assert not (project / ".sinchflow/daemon.json").exists()


def test_daemon_that_was_killed_leaves_no_lock(project):
    for _ in range(2):
        with daemon(project) as (running, _):
            running.kill()
            running.wait(PATIENCE_S)


def test_sighup_reads_the_project_again(project):
    with daemon(project) as (running, found):
        assert ask(found, "/health")[1]["flows"] == 1
        (project / "linked").mkdir()
        (project / "linked/two.yaml").write_text("name: two\non: manual\nsteps: [{log: x}]\n")
        (project / "flows/linked").symlink_to("../linked")
        eventually(lambda: ask(found, "/health")[1]["flows"] == 2)
        (project / "linked/three.yaml").write_text("name: three\non: manual\nsteps: [{log: x}]\n")
        running.send_signal(signal.SIGHUP)  # nobody watches what a link leads to
        eventually(lambda: ask(found, "/health")[1]["flows"] == 3)
        (project / "flows/greet.yaml").write_text("name: [")
        running.send_signal(signal.SIGHUP)
        eventually(lambda: ask(found, "/health")[1]["status"] == "red")
        assert ask(found, "/health")[1]["flows"] == 3
        assert "reload refused: the flows that were live stay live" in events(project)
        running.send_signal(signal.SIGTERM)
        assert running.wait(PATIENCE_S) == 0
