"""An operator's commands on a real daemon: status, pause, resume, flows and doctor, also after it was killed."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
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
---
name: hours
on: {inbound_sms: {keyword: [HOURS, OPEN], from: "+614*"}}
steps: [{reply: From 8.}]
"""
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}
"""
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")},
    "PYTHONPATH": str(ROOT),
    "SINCHFLOW_SECRET_API_SECRET": "s3cret",
    "SINCHFLOW_SECRET_HOOK_TOKEN": "hook-token-of-the-test",
}


@contextlib.contextmanager
def process(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    running = forked.Popen(
        [sys.executable, "-m", *arguments], cwd=cwd, env=ENVIRON, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with running:
        try:
            yield running
        finally:
            running.kill()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose provider is a simulated Sinch."""
    with process("sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret", cwd=tmp_path) as sinch:
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/notice.yaml").write_text(FLOW)
        (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", sinch.stdout.readline().strip()))
        yield tmp_path


@contextlib.contextmanager
def daemon(project: Path) -> Iterator[list[str]]:
    """What a daemon has said until it was ready, and a little after."""
    with process("sinchflow", "run", "--port", "0", "--admin-port", "0", cwd=project) as running:
        said = []
        for line in running.stderr:
            said.append(json.loads(line)["event"])
            if said[-1] == "ready":
                break
        yield said


def run(project: Path, *arguments: str) -> tuple[int, str, str]:
    done = forked.run([sys.executable, "-m", "sinchflow", *arguments], cwd=project, env=ENVIRON, timeout=60)
    assert not {"s3cret", "hook-token-of-the-test"} & {word.strip('",') for word in (done.stdout + done.stderr).split()}
    return done.returncode, done.stdout, done.stderr


def status(project: Path) -> tuple[int, dict]:
    code, out, err = run(project, "status", "--json")
    assert err == ""
    return code, json.loads(out)


def metrics(project: Path) -> list[str]:
    port = json.loads((project / ".sinchflow/daemon.json").read_text())["admin_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        return answer.read().decode().splitlines()


def test_switch_holds_over_kill_and_restart_until_somebody_resumes(project: Path) -> None:
    with daemon(project):
        code, found = status(project)
        assert (code, found["is_red"], found["needs"], found["paused"]) == (0, False, [], None)
        assert found["accounts"][0]["trouble"] is None
        code, out, _ = run(project, "pause", "--reason", "wrong price")
        assert (code, out.splitlines()) == (0, [
            "paused: no message leaves until `sinchflow resume`; 0 messages wait now",
            "webhooks are still accepted, runs still start and go on, `http` steps still run",
        ])  # fmt: skip
        assert run(project, "start", "notice")[0] == 0
        assert "sinchflow_paused 1.0" in metrics(project)
        code, found = status(project)
        assert (code, found["sends"]["queued"]["count"], found["paused"]["reason"]) == (1, 1, "wrong price")
        assert [need["command"] for need in found["needs"]] == ["sinchflow resume"]
        assert found["acts"][0]["what"] == "pause"
    code, found = status(project)  # killed: its journal tells
    assert (code, found["daemon"], found["paused"]["reason"]) == (3, None, "wrong price")
    assert [need["subject"] for need in found["needs"]] == ["daemon", "paused"]
    code, out, err = run(project, "resume")
    assert (code, out) == (3, "")
    assert err.startswith("sinchflow: no daemon works on .sinchflow any more (pid ")
    with daemon(project):
        code, out, _ = run(project, "status")
        assert code == 1
        assert out.startswith("needs you:\n  ! sends are paused since ")
        code, out, _ = run(project, "pause")
        assert code == 0
        assert out.startswith("paused already: sends are paused since ")
        assert out.endswith(": wrong price\n")
        assert run(project, "resume")[:2] == (0, "resumed: 1 message leaves now\n")
        assert run(project, "resume")[:2] == (0, "nothing was paused: messages leave\n")
        assert run(project, "pause", "--json")[0] == 0
        deadline = time.monotonic() + 20
        while not any(line == 'sinchflow_sends_total{state="sent"} 1.0' for line in metrics(project)):
            assert time.monotonic() < deadline


def test_flows_and_doctor_look_at_the_live_daemon_and_at_the_files(project: Path) -> None:
    with daemon(project):
        assert run(project, "start", "notice")[0] == 0
        code, out, err = run(project, "flows")
        assert (code, err) == (0, "")
        rows = [line.split() for line in out.splitlines()]
        assert rows[1][0] == "hours"
        assert " ".join(rows[1]).endswith(" inbound_sms: keyword HOURS, OPEN; from +614*")
        assert rows[2][:1] + rows[2][-1:] == ["notice", "manual"]
        code, out, _ = run(project, "doctor", "--json")
        found = json.loads(out)
        assert (code, found["exit_code"]) == (0, 0), out
        states = {each["check"]: each["state"] for each in found["findings"]}
        for name in ("provider", "clock", "journal", "daemon", "secrets", "senders", "data folder"):
            assert (name, states[name]) == (name, "ok")
        assert states["public address"] == "warn"
    code, out, err = run(project, "flows", "--json")
    found = json.loads(out)
    assert (code, err, found["loaded_at"]) == (0, "", None)
    assert {flow["name"]: flow["started"] for flow in found["flows"]} == {"hours": 0, "notice": 1}
