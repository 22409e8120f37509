"""`run --log-level`, `--log-format` and `--log-numbers`, as a process with its stderr."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")},
    "PYTHONPATH": str(ROOT),
}
CUSTOMER = "+61491570156"
SETTINGS = """\
base_url: "http://127.0.0.1:9"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-test}
"""
FLOW = 'name: note\non: inbound_sms\nsteps: [{log: "{{ contact.number }} wrote, or 0491 570 156"}]\n'
PATIENCE_S = 60.0


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/note.yaml").write_text(FLOW)
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS)
    return tmp_path


def written(project, *arguments, **environ) -> str:
    """What a daemon writes to stderr from its start to its end, with one message in between."""
    command = [sys.executable, "-m", "sinchflow", "-C", str(project), "run", "--port", "0", "--admin-port", "0"]
    with (project / "stderr").open("wb") as err:
        running = forked.Popen([*command, *arguments], env={**ENVIRON, **environ}, stdin=subprocess.DEVNULL, stderr=err)
    try:
        until(lambda: (project / ".sinchflow/daemon.json").exists() or running.poll() is not None)
        if running.poll() is None:
            port = json.loads((project / ".sinchflow/daemon.json").read_text())["port"]
            body = {"reply_id": "r1", "source_address": CUSTOMER, "destination_address": "+61491593156", "content": "X"}
            url = f"http://127.0.0.1:{port}/hooks/hook-token-of-the-test/inbound"
            urllib.request.urlopen(url, json.dumps(body).encode(), timeout=PATIENCE_S).close()
            until(lambda: "wrote" in (project / "stderr").read_text())
            running.terminate()
            assert running.wait(PATIENCE_S) == 0
        else:
            assert running.returncode == 2
    finally:
        with contextlib.suppress(OSError):
            running.kill()
        running.wait()
    return (project / "stderr").read_text()


def until(holds) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_without_options_the_normal_course_is_silent_and_numbers_are_masked(project):
    text = written(project)
    assert [json.loads(line)["event"] for line in text.splitlines()] == [
        "ready", "+6149•••••156 wrote, or 049•••••156", "stopping", "stopped",
    ]  # fmt: skip
    assert "91570156" not in text


@pytest.mark.parametrize(
    ("arguments", "environ"), [(["--log-level", "DEBUG"], {}), ([], {"SINCHFLOW_LOG_LEVEL": "debug"})]
)
def test_debug_tells_each_step_with_its_ids(project, arguments, environ):
    lines = [json.loads(line) for line in written(project, *arguments, **environ).splitlines()]
    accepted, routed, started, noted, ended = lines[1:6]
    assert [line["event"] for line in (accepted, routed, started, ended)] == [
        "event accepted", "event routed", "run started", "run ended",
    ]  # fmt: skip
    assert accepted["event_id"] == started["event_id"] == noted["event_id"]
    assert started["run"] == noted["run"] == ended["run"]
    assert {line["contact"] for line in (accepted, routed, started, ended)} == {"+6149•••••156"}


def test_numbers_in_full_and_text_for_who_asks(project):
    text = written(project, "--log-numbers", "--log-format", "text")
    assert f"{CUSTOMER} wrote, or 0491 570 156" in text
    assert not text.startswith("{")


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (["--log-level", "loud"], {}, '--log-level: "loud" is none of debug, info, warning, error'),
        ([], {"SINCHFLOW_LOG_LEVEL": "loud"}, 'SINCHFLOW_LOG_LEVEL: "loud" is none of debug, info, warning, error'),
        (["--log-format", "xml"], {}, '--log-format: "xml" is none of json, text'),
    ],
)
def test_wrong_option_is_one_line(project, arguments, environ, words):
    assert written(project, *arguments, **environ) == f"sinchflow: {words}\n"
