"""`sinchflow run`, `start` and `sends list` as processes, against a simulated Sinch."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]
FLOW = """\
name: notice
on: manual
steps:
  - send_sms: {to: "+61491570156", message: The kettle is on.}
"""
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}
"""
ENVIRON = {
    **os.environ,
    "PYTHONPATH": str(ROOT),
    "SINCHFLOW_SECRET_API_SECRET": "s3cret",
    "SINCHFLOW_SECRET_HOOK_TOKEN": "hook-token-of-the-test",
}
FREE_PORTS = ("--port", "0", "--admin-port", "0")


@contextlib.contextmanager
def process(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of ours with its output as text; killed if it still runs at the end."""
    running = forked.Popen(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env=ENVIRON,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            yield running
        finally:
            running.kill()


@pytest.fixture
def project(tmp_path):
    """A project whose provider is a simulated Sinch."""
    with process("sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret", cwd=tmp_path) as sinch:
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/notice.yaml").write_text(FLOW)
        (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", sinch.stdout.readline().strip()))
        yield tmp_path


@contextlib.contextmanager
def daemon(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon that is ready."""
    with process("sinchflow", "run", *FREE_PORTS, cwd=project) as running:
        for line in running.stderr:
            if json.loads(line)["event"] == "ready":
                break
        yield running


def stop(running: subprocess.Popen[str]) -> int:
    running.send_signal(signal.SIGTERM)
    return running.wait(timeout=20)


def sends(sinchflow) -> list[dict]:
    listed = sinchflow("sends", "list", "--format", "json")
    assert (listed.returncode, listed.stderr) == (0, "")
    return json.loads(listed.stdout)["sends"]


def test_flow_started_by_hand_sends_and_the_list_is_the_same_with_and_without_a_daemon(sinchflow, project):
    with daemon(project) as running:
        started = sinchflow("start", "notice")
        assert (started.returncode, started.stderr) == (0, "")
        assert started.stdout.startswith("started notice (run ")
        while (live := sends(sinchflow))[0]["state"] != "sent":
            assert live[0]["state"] in {"queued", "sending"}
        assert stop(running) == 0
    assert sends(sinchflow) == live
    (send,) = live
    assert send["message_id"]
    assert {**send, "id": 0, "run": 0, "message_id": ""} == {
        "id": 0,
        "state": "sent",
        "run": 0,
        "to": "+61491570156",
        "message": "The kettle is on.",
        "message_id": "",
        "reason": None,
    }
    assert sinchflow("sends", "list", "--state", "held").stdout == "no messages\n"


def test_starting_what_is_not_there_names_what_is(sinchflow, project):
    with daemon(project):
        refused = sinchflow("start", "notices")
    assert refused.returncode == 2
    assert refused.stderr == 'sinchflow: there is no flow "notices"; flows: notice\n'


def test_second_daemon_on_one_journal_is_refused_with_the_first_ones_pid(sinchflow, project):
    with daemon(project) as running, process("sinchflow", "run", *FREE_PORTS, cwd=project) as second:
        assert second.wait(timeout=20) == 3
        assert str(running.pid) in second.stderr.read()


def test_list_after_kill_reads_the_journal(sinchflow, project):
    with daemon(project) as running:
        running.kill()
        running.wait()
    listed = sinchflow("sends", "list", "--format", "json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, {"sends": []})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("", "does not say which Sinch service to use"),
        ("service: messagemedia\n", "no API key"),
        (
            'service: messagemedia\ncredentials: {api_key: "{{ secrets.KEY }}", api_secret: "{{ secrets.SECRET }}"}\n'
            'webhooks: {token: "{{ secrets.HOOK }}"}\n',
            "SINCHFLOW_SECRET_KEY",
        ),
        ("service: nobody\n", "sinchflow.yaml:1:"),
    ],
)
def test_start_that_cannot_be_says_what_is_missing(sinchflow, tmp_path, settings, words):
    (tmp_path / "flows").mkdir()
    (tmp_path / "sinchflow.yaml").write_text(settings)
    refused = sinchflow("run", *FREE_PORTS)
    assert refused.returncode == 3
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
