"""`sinchflow dev` as a process: what goes in as texts, what comes out as a chat."""

import re
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

GREETING = """\
name: greeting
on: {inbound_sms: {keyword: HI}}
steps:
  - reply: "Hello {{ match.rest or 'there' }}!"
"""
CRM = """\
name: crm
on: {delivery_receipt: {status: failed}}
steps:
  - http:
      method: POST
      url: https://crm.example.com/failures
      headers: {Authorization: "Bearer {{ secrets.CRM_TOKEN }}"}
      json: {number: "{{ contact.number }}"}
"""
FREE_PORTS = ("--port", "0", "--admin-port", "0")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/greeting.yaml").write_text(GREETING)
    return tmp_path


def test_piped_text_is_answered_and_the_end_of_input_is_the_end(sinchflow, project):
    played = sinchflow("dev", *FREE_PORTS, stdin="HI Ann\n")
    assert (played.returncode, played.stderr) == (0, "")
    assert "+61491570156   › HI Ann" in played.stdout
    assert "+61491570156   ‹ Hello Ann!" in played.stdout
    assert "· delivered" in played.stdout
    assert "/phone" in played.stdout
    assert not (project / ".sinchflow").exists()


def test_every_line_waits_for_what_the_line_before_caused(sinchflow, project):
    played = sinchflow("dev", *FREE_PORTS, stdin="HI 1\nHI 2\nHI 3")
    chat = [line[17:] for line in played.stdout.splitlines() if line[15:16] in {"›", "‹"}]
    assert chat == ["HI 1", "Hello 1!", "HI 2", "Hello 2!", "HI 3", "Hello 3!"]


def test_message_that_no_flow_takes_says_so(sinchflow, project):
    assert "# no flow matches this message" in sinchflow("dev", *FREE_PORTS, stdin="What?\n").stdout


def test_failed_receipt_calls_the_outside_world_and_a_missing_secret_is_named(sinchflow, project):
    (project / "flows/crm.yaml").write_text(CRM)
    played = sinchflow("dev", *FREE_PORTS, stdin="/from +61491570009\nHI\n")
    assert "SINCHFLOW_SECRET_CRM_TOKEN is not set (flows/crm.yaml:7:" in played.stdout
    assert "· failed" in played.stdout
    assert "→ POST https://crm.example.com/failures → 200 (stand-in)" in played.stdout
    assert '{"number":"+61491570009"}' in played.stdout


def test_manual_flow_starts_from_the_phone(sinchflow, project):
    (project / "flows/note.yaml").write_text("name: note\non: manual\nsteps: [{log: written down}]\n")
    played = sinchflow("dev", *FREE_PORTS, stdin="/start note\n/start greeting\n/nonsense\n/quit\n")
    assert "note started" in played.stdout
    assert "note: written down" in played.stdout
    assert 'flow "greeting" cannot be started by hand' in played.stdout
    assert "no command /nonsense" in played.stdout


def test_what_a_customer_texts_cannot_steer_the_terminal(sinchflow, project):
    assert "\x1b" not in sinchflow("dev", *FREE_PORTS, stdin="HI \x1b[2J\n").stdout


def test_data_folder_is_kept_when_asked_for(sinchflow, project):
    sinchflow("dev", *FREE_PORTS, "--data", "kept", stdin="HI\n")
    listed = sinchflow("sends", "list", "--data", "kept")
    assert "sent" in listed.stdout
    assert "Hello there!" in listed.stdout


def test_flow_with_a_mistake_is_shown_with_code_3(sinchflow, project):
    (project / "flows/greeting.yaml").write_text(GREETING.replace("reply", "replay"))
    refused = sinchflow("dev", *FREE_PORTS, stdin="HI\n")
    assert refused.returncode == 3
    assert 'unknown key "replay"' in refused.stderr
    assert "Traceback" not in refused.stderr


def test_port_in_use_names_the_flag(sinchflow, project):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = sinchflow("dev", "--port", str(port), "--admin-port", "0", stdin="HI\n")
    assert refused.returncode == 3
    assert refused.stderr.startswith(f"sinchflow: cannot listen on 127.0.0.1:{port}: ")
    assert "--port" in refused.stderr


def test_session_in_the_readme_is_a_real_one(sinchflow):
    shown = re.search(r"```console\n\$ printf '(.*?)' \| \.venv/bin/sinchflow dev\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    texts = shown[1].replace("\\n", "\n")
    played = sinchflow("dev", *FREE_PORTS, stdin=texts, cwd=ROOT)
    assert (
        re.sub(r"127\.0\.0\.1:\d+", "PORT", played.stdout).rstrip()
        == re.sub(r"127\.0\.0\.1:\d+", "PORT", shown[2]).rstrip()
    )
