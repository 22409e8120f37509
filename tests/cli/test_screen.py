"""No control character of a stranger's text reaches a terminal, whatever command shows it and in whatever form."""

import json
import re
import sys
import time
import urllib.request

import pytest

from sinchflow.cli.screen import clean, guard_output, styled
from tests.cli.test_operating import SETTINGS, process

NUMBER = "+61491570156"
HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202eevil\u2066\x7f\u2028"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
FLOW = """\
name: echo
on: {inbound_sms: {keyword: ECHO}}
steps:
  - reply: "You said {{ match.rest }}"
  - fail: "no good: {{ match.rest }}"
---
name: asks
on: {inbound_sms: {keyword: ASK}}
steps:
  - wait_for_reply: {timeout: 1h, categories: {fine: {keyword: YES}}}
"""
BROKEN = """\
name: "x\x1b]0;"
key\u202e: 1
on: {inbound_sms: {keyword: "a\u2066b"}}
steps: [{reply: "\u202e"}]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project to which somebody texted what a terminal obeys; its daemon is at work."""
    root = tmp_path_factory.mktemp("screen")
    (root / "flows").mkdir()
    (root / "flows/echo.yaml").write_text(FLOW)
    with process("sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret", cwd=root) as sinch:
        settings = SETTINGS.replace("BASE", sinch.stdout.readline().strip())
        (root / "sinchflow.yaml").write_text(settings + "country: AU\n")
        with process("sinchflow", "run", "--port", "0", "--admin-port", "0", cwd=root) as daemon:
            for line in daemon.stderr:
                if json.loads(line)["event"] == "ready":
                    break
            port = json.loads((root / ".sinchflow/daemon.json").read_text())["port"]
            for number, text in enumerate(("ECHO " + HOSTILE, HOSTILE, "ASK")):
                body = {"reply_id": f"r{number}", "source_address": NUMBER, "destination_address": "+61491593156",
                        "content": text, "metadata": {HOSTILE: HOSTILE}, "original_content": HOSTILE}  # fmt: skip
                _post(port, "inbound", json.dumps(body).encode())
            _post(port, "inbound", f'{{"reply_id": "{HOSTILE}'.encode())
            admin = json.loads((root / ".sinchflow/daemon.json").read_text())["admin_port"]
            for _ in range(500):
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as metrics:
                    if b'runs_ended_total{status="failed"} 1' in metrics.read():
                        break
                time.sleep(0.02)
            else:
                raise AssertionError("it did not end")
            yield root


def _post(port: int, kind: str, body: bytes) -> None:
    url = f"http://127.0.0.1:{port}/hooks/hook-token-of-the-test/{kind}"
    try:
        urllib.request.urlopen(url, data=body, timeout=10).close()
    except urllib.error.HTTPError as error:
        answer = error.read().decode()
        assert not OBEYED.search(answer)


def test_every_command_prints_it_escaped(project, sinchflow):
    ids = {
        "run": json.loads(sinchflow("runs", "list", "--json", cwd=project).stdout)["runs"][-1]["id"],
        "event": json.loads(sinchflow("events", "list", "--json", cwd=project).stdout)["events"][-1]["id"],
    }
    shown = 0
    for words in (
        ("runs", "list"), ("runs", "show", ids["run"]), ("runs", "tail", ids["run"]), ("events", "list"),
        ("events", "show", ids["event"]), ("events", "quarantine"), ("sends", "list"), ("why", NUMBER),
        ("why", ids["event"]), ("contacts", "show", NUMBER), ("status",), ("routes", HOSTILE), ("flows",),
        ("start", HOSTILE), ("explain", HOSTILE), ("runs", "list", "--flow", HOSTILE), ("why", HOSTILE), (HOSTILE,),
        ("-C", HOSTILE, "validate"), ("message", HOSTILE),
    ):  # fmt: skip
        for more in ((), ("--json",)):
            done = sinchflow(*map(str, words), *more, cwd=project)
            assert not OBEYED.search(done.stdout + done.stderr), (words, more)
            shown += "owned" in done.stdout + done.stderr
    assert shown >= 20


def test_findings_in_files_are_printed_escaped(project, sinchflow):
    (project / "flows/broken.yaml").write_text(BROKEN)
    try:
        for form in ("text", "json", "github", "sarif"):
            done = sinchflow("validate", "--format", form, cwd=project)
            assert done.returncode == 1
            assert not OBEYED.search(done.stdout + done.stderr), form
    finally:
        (project / "flows/broken.yaml").unlink()


def test_screen_lets_styles_through_that_are_meant(monkeypatch, tmp_path):
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdout", file)
        guard_output()
        print("a\x1b[1mb", "é👩\u200d👩 \t", flush=True)  # joined emoji are texts
        styled(sys.stdout).write("\x1b[1mbold")
        sys.stdout.close()
    assert path.read_text("utf-8") == "a\\x1b[1mb é👩\u200d👩 \t\n\x1b[1mbold"
    assert clean(HOSTILE) == "\\x1b]0;owned\\x07\\x1b[2J\\r\\x9b31m\\u202eevil\\u2066\\x7f\\u2028"
    assert clean("\ud800") == "\\ud800"
