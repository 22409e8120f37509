"""`sinchflow runs`, against a daemon in a process of its own, and against the journal that it leaves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import forked

ROOT = Path(__file__).parents[2]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")},
    "PYTHONPATH": str(ROOT),
}
COMMAND = [sys.executable, "-m", "sinchflow"]
SETTINGS = """\
base_url: "http://127.0.0.1:9"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-test}
outbound: {allow: [127.0.0.1]}
"""
FLOWS = """\
name: crm
on: manual
inputs: {{n: {{type: integer}}}}
steps:
  - log: "begins {{{{ inputs.n }}}}"
  - id: call
    http: {{url: "{url}/{{{{ inputs.n }}}}"}}
---
name: waits
on: manual
steps:
  - delay: 1h
"""
PATIENCE_S = 30.0


class Crm:
    """Answers 500, 200 once `is_up`."""

    def __init__(self) -> None:
        crm, self.is_up, self.asked = self, False, []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                crm.asked.append(self.path)
                self.send_response(200 if crm.is_up else 500)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class Shop:
    """A project and its daemon."""

    def __init__(self, root: Path, crm: Crm) -> None:
        self.root, self.crm = root, crm
        (root / "flows").mkdir()
        (root / "flows/a.yaml").write_text(FLOWS.format(url=crm.url))
        (root / "sinchflow.yaml").write_text(SETTINGS)

    def start(self) -> None:
        arguments = ["-C", str(self.root), "run", "--port", "0", "--admin-port", "0"]
        with (self.root / "log").open("wb") as log:
            self.daemon = forked.Popen([*COMMAND, *arguments], env=ENVIRON, stdout=log, stderr=log)
        eventually((self.root / ".sinchflow/daemon.json").exists)

    def stop(self) -> None:
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(PATIENCE_S)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return forked.run([*COMMAND, "-C", str(self.root), *arguments], env=ENVIRON, timeout=PATIENCE_S)

    def start_flow(self, name: str, *inputs: str) -> int:
        found = self.run("start", name, "--format", "json", *inputs)
        assert found.returncode == 0, found.stderr
        return int(json.loads(found.stdout)["run"])

    def runs(self, *filters: str) -> list[dict[str, Any]]:
        found = self.run("runs", "list", "--json", *filters)
        assert found.returncode == 0, found.stderr
        return json.loads(found.stdout)["runs"]


def eventually(holds: Any) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    crm = Crm()
    thread = threading.Thread(target=crm.server.serve_forever)
    thread.start()
    shop = Shop(tmp_path, crm)
    try:
        shop.start()
        yield shop
    finally:
        shop.daemon.kill()
        shop.daemon.wait()
        crm.server.shutdown()
        thread.join()
        crm.server.server_close()


def test_operator_finds_what_failed_and_has_it_go_on(shop: Shop) -> None:
    ids = [shop.start_flow("crm", "--input", f"n={n}") for n in range(3)]
    waiting = [shop.start_flow("waits") for _ in range(2)]
    eventually(lambda: len(shop.runs("--flow", "crm", "--status", "failed")) == 3)
    assert [run["id"] for run in shop.runs("--status", "waiting")] == waiting[::-1]
    assert [run["id"] for run in shop.runs("--since", "10m", "--limit", "1")] == waiting[-1:]

    shown = shop.run("runs", "show", str(ids[0])).stdout
    assert f"run {ids[0]} of crm: failed" in shown
    assert "failed at flows/a.yaml:7:5" in shown
    assert f"GET {shop.crm.url}/0 answered 500" in shown
    assert f"sinchflow runs retry {ids[0]}" in shown

    asked = shop.run("runs", "retry", "--flow", "crm", "--failed-since", "1h")
    assert (asked.returncode, asked.stderr) == (
        2, f"sinchflow: this would retry 3 runs ({ids[2]}, {ids[1]}, {ids[0]}): say so with --yes\n"
    )  # fmt: skip
    shop.crm.is_up = True
    tail = forked.Popen(
        [*COMMAND, "-C", str(shop.root), "runs", "tail", "--json"],
        env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert tail.stdout is not None
        heard = threading.Event()
        lines = _lines(tail.stdout, heard)
        while not heard.is_set():  # until the tail has told of one, it may not listen yet
            shop.start_flow("waits")
        told = shop.run("runs", "retry", str(ids[0]), "99999")
        assert (told.returncode, told.stdout) == (1, f"retried: {ids[0]}\n")
        assert told.stderr == "sinchflow: there is no run 99999\n"
        ended = eventually(lambda: [change for change in lines if change["status"] == "completed"])
        assert [(change["id"], change["retries"]) for change in ended] == [(ids[0], 1)]
    finally:
        tail.send_signal(signal.SIGINT)
        assert tail.wait(PATIENCE_S) == 0
        tail.stdout.close()
    shop.run("runs", "retry", "--flow", "crm", "--failed-since", "1h", "--yes")
    eventually(lambda: len(shop.runs("--flow", "crm", "--status", "completed")) == 3)
    assert sorted(shop.crm.asked) == ["/0", "/0", "/1", "/1", "/2", "/2"]


def _lines(stream: Any, heard: threading.Event) -> list[dict[str, Any]]:
    """What a command prints, as it comes."""
    found: list[dict[str, Any]] = []

    def read() -> None:
        for line in iter(stream.readline, ""):
            found.append(json.loads(line))
            heard.set()

    threading.Thread(target=read, daemon=True).start()
    return found


def test_operator_cancels_a_flow_and_reads_on_without_a_daemon(shop: Shop) -> None:
    ids = [shop.start_flow("waits") for _ in range(2)]
    newest_first = f"{ids[1]}, {ids[0]}"
    told = shop.run("runs", "cancel", "--flow", "waits", "--dry-run")
    assert told.stdout == f"2 runs would be cancelled: {newest_first}\n"
    told = shop.run("runs", "cancel", "--flow", "waits", "--yes")
    assert (told.returncode, told.stdout) == (0, f"cancelled: {newest_first} (2 runs)\n")
    told = shop.run("runs", "cancel", str(ids[0]))
    assert (told.returncode, told.stderr) == (1, f"sinchflow: run {ids[0]} has ended already: cancelled\n")
    told = shop.run("runs", "tail", str(ids[0]))  # it has ended: nothing is waited for
    assert (told.returncode, ": cancelled: cancelled by " in told.stdout) == (0, True)
    tail = forked.Popen(
        [*COMMAND, "-C", str(shop.root), "runs", "tail", "--json"],
        env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    heard = threading.Event()
    _lines(tail.stdout, heard)
    while not heard.is_set():
        shop.start_flow("crm", "--input", "n=1")
    began = time.monotonic()
    shop.stop()  # whoever follows does not keep it from stopping
    assert time.monotonic() - began < 4
    assert tail.stderr is not None
    told_at_last = "sinchflow: the daemon stops: there is nothing more to follow\n"
    assert (tail.wait(PATIENCE_S), tail.stderr.read()) == (3, told_at_last)
    tail.stderr.close()
    tail.stdout.close()
    assert [run["status"] for run in shop.runs("--flow", "waits")] == ["cancelled", "cancelled"]
    assert json.loads(shop.run("runs", "show", str(ids[0]), "--json").stdout)["trace"][0]["what"] == "command"
    for arguments in (["retry", str(ids[0])], ["cancel", str(ids[0])], ["tail"]):
        told = shop.run("runs", *arguments)
        assert (told.returncode, told.stderr.count("\n")) == (3, 1)
        assert "start it with `sinchflow run`" in told.stderr


WRONG = [
    (["show", "77"], 2, "there is no run 77"),
    (["list", "--since", "yesterday"], 2, '--since "yesterday": write how long ago'),
    (["list", "--status", "lost"], 2, "--status"),
    (["list", "--contact", "x"], 2, '"x" is no phone number'),
    (["retry"], 2, "name runs by their ids, or a flow with --flow"),
    (["retry", "7", "--flow", "crm"], 2, "not both"),
    (["retry", "7", "--failed-since", "2h"], 2, "--failed-since goes with --flow"),
    (["cancel"], 2, "name runs by their ids, or a flow with --flow"),
    (["cancel", "x"], 2, '"x" is no id'),
    (["show", str(2**63)], 2, "is no id"),
]


def test_runs_of_a_flow_are_left_alone_once_the_daemon_is_gone(tmp_path: Path) -> None:
    (tmp_path / ".sinchflow").mkdir()
    (tmp_path / ".sinchflow/daemon.json").write_text(
        '{"pid": 1, "port": 1, "admin_port": 1, "token": "of-one-that-was-killed"}'
    )
    told = subprocess.run(
        [sys.executable, "-m", "sinchflow", "runs", "cancel", "--flow", "any", "--yes"], cwd=tmp_path,
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (3, "", 1)
    assert "(pid 1 left daemon.json behind)" in told.stderr


def test_mistakes_get_one_line(shop: Shop) -> None:
    for arguments, code, words in WRONG:
        told = shop.run("runs", *arguments)
        assert (arguments, told.returncode) == (arguments, code)
        assert words in told.stderr
        assert "Traceback" not in told.stderr
