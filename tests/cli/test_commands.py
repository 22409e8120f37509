"""Exit codes and messages of the commands; what each does is tested where it lives."""

import json
import os
import subprocess
import sys

import jsonschema
import pytest

from sinchflow import __version__

BROKEN = """\
name: hello
on: {inbound_sms: {keyword: HI}}
steps:
  - send_sms: {to: "+61491570156", mesage: Hello}
"""


def test_version_is_one_line(sinchflow):
    assert f"sinchflow {__version__}\n" == sinchflow("version").stdout


@pytest.mark.parametrize(
    "command", ["", "init", "validate", "dev", "run", "start", "sends", "sends list", "schema", "version"]
)
def test_help_teaches_with_an_example(sinchflow, command):
    shown = sinchflow(*command.split(), "--help")
    assert shown.returncode == 0
    assert "sinchflow" in shown.stdout.split("Options:")[0].split("\n", 2)[2]


@pytest.mark.parametrize("command", ["version", "validate", "-C . validate", "schema flow", "test", "--help"])
@pytest.mark.parametrize("both", [False, True], ids=["output", "output and errors"])
def test_who_stops_reading_is_told_nothing(tmp_path, command, both):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/broken.yaml").write_text(BROKEN * 100)  # more than is gathered before it is written
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sinchflow", *command.split()]
    errors = writing if both else subprocess.PIPE
    done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=errors, text=True, timeout=60, check=False)
    os.close(writing)
    assert done.returncode == 1
    assert both or "Broken" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["valdiate"], "No such command 'valdiate'"),
        (["validate", "--format", "xml"], "Invalid value for '--format'"),
        (["run", "--port", "http"], "Invalid value for '--port'"),
        (["-C", "missing", "validate"], "sinchflow: -C missing: does not exist"),
        (["validate", "flows/missing.yaml"], "flows/missing.yaml: no such file or directory"),
        (["validate"], "no project in"),
        (["sends", "list", "--state", "lost"], 'unknown state "lost": choose from queued, '),
    ],
)
def test_wrong_usage_is_explained_with_code_2(sinchflow, arguments, line):
    refused = sinchflow(*arguments)
    assert refused.returncode == 2
    assert line in refused.stderr
    assert "Traceback" not in refused.stderr


def test_findings_are_shown_with_line_mark_and_hint(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/hello.yaml").write_text(BROKEN)
    found = sinchflow("validate")
    assert found.returncode == 1
    assert found.stdout.startswith('flows/hello.yaml:4:36: unknown key "mesage" in send_sms [unknown-key]\n')
    assert 'did you mean "message"?' in found.stdout
    assert "\x1b" not in found.stdout
    assert found.stderr.startswith("0 sound flows, ")


def test_findings_as_json_are_one_object(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/hello.yaml").write_text(BROKEN)
    found = sinchflow("validate", "--format", "json")
    report = json.loads(found.stdout)
    assert found.returncode == 1
    assert {"findings", "flows"} == set(report)
    assert {"file", "line", "column", "rule", "severity", "message", "hint"} == set(report["findings"][0])


def test_paths_narrow_what_is_reported(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/hello.yaml").write_text(BROKEN)
    (tmp_path / "flows/fine.yaml").write_text(BROKEN.replace("mesage", "message").replace("hello", "fine"))
    assert sinchflow("validate", "flows/fine.yaml").returncode == 0
    assert sinchflow("validate", "flows").returncode == 1


def test_warnings_fail_only_when_strict(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/empty.yaml").write_text("# nothing yet\n")
    assert sinchflow("validate").returncode == 0
    assert sinchflow("validate", "--strict").returncode == 1


@pytest.mark.parametrize("name", ["flow", "project", "test"])
def test_schema_is_a_json_schema(sinchflow, name):
    jsonschema.Draft7Validator.check_schema(json.loads(sinchflow("schema", name).stdout))


def test_start_without_a_daemon_says_how_to_start_one(sinchflow):
    refused = sinchflow("start", "hello")
    assert refused.returncode == 3
    assert "sinchflow: no daemon works on .sinchflow: start it with `sinchflow run`" in refused.stderr


def test_file_of_a_killed_daemon_does_not_mislead(sinchflow, tmp_path):
    (tmp_path / ".sinchflow").mkdir()
    # Port 1 is never listened on; a daemon that was killed leaves such a file behind.
    (tmp_path / ".sinchflow/daemon.json").write_text('{"pid": 1, "port": 1, "admin_port": 1, "token": "t"}')
    refused = sinchflow("start", "hello")
    assert refused.returncode == 3
    assert "(pid 1 left daemon.json behind)" in refused.stderr


def test_sends_without_a_journal_is_one_line(sinchflow):
    refused = sinchflow("sends", "list")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (3, 1)
    assert "no journal at .sinchflow/journal.sqlite3" in refused.stderr


def test_internal_error_is_one_line_and_a_traceback_only_with_debug(sinchflow, tmp_path):
    (tmp_path / ".sinchflow").mkdir()
    (tmp_path / ".sinchflow/daemon.json").mkdir()
    quiet = sinchflow("start", "hello")
    assert quiet.returncode == 3
    assert len(quiet.stderr.splitlines()) == 1
    loud = sinchflow("--debug", "start", "hello")
    assert "Traceback" in loud.stderr


def test_version_and_help_import_nothing_heavy(tmp_path):
    code = (
        "import sys; sys.argv = ['sinchflow', 'version']\n"
        "from sinchflow.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'rich', 'httpx', 'aiohttp', 'uvicorn', 'jsonschema', 'jinja2', 'yaml', 'apsw'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
