"""The pytest plugin in projects of others: a process of pytest, with the plugin as its entry point would load it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sinchflow.cli import pytest_plugin

ROOT = Path(__file__).parents[2]
FLOW = "name: hours\non:\n  inbound_sms: {keyword: HOURS}\nsteps:\n  - reply: Open till six\n"
TEST = """\
flow: hours
tests:
  - name: answers
    script: [{in: HOURS}, {out: Open till six}]
  - name: answers wrongly
    script: [{in: HOURS}, {out: Open till nine}]
"""
WRITTEN = """\
def test_hours(transcript):
    played = transcript([{"in": "HOURS"}, {"out": "Open till six"}], flow="hours", now="2026-12-01T09:00")
    assert [line.text for line in played.chat] == ["HOURS", "Open till six"]
    assert [run.status for run in played.runs] == ["completed"]

def test_wrong(transcript):
    transcript([{"in": "HOURS"}, {"out": "Open till nine"}])

def test_mistaken(transcript):
    transcript([{"in": "HOURS"}])
"""


@pytest.fixture
def project(tmp_path):
    write(tmp_path / "shop", {"flows/hours.yaml": FLOW, "hours.test.yaml": TEST})
    return tmp_path


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def run():
    """pytest in this folder: its exit code and what it prints."""

    def call(folder, *arguments):
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "100"}
        environ.pop("PYTEST_ADDOPTS", None)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "sinchflow.cli.pytest_plugin", "-p", "no:cacheprovider", *arguments],
            cwd=folder, env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return call


def test_transcripts_are_items_that_fail_as_the_command_shows_it(project, run):
    write(project, {"pytest.ini": "[pytest]\n", "shop/sub/flows/hours.yaml": FLOW, "shop/sub/a.test.yaml": TEST})
    code, shown = run(project, "-v")
    assert code == 1
    outcomes = re.findall(r"^(shop\S*\.test\.yaml::.*?) (PASSED|FAILED)", shown, re.MULTILINE)
    assert outcomes == [
        ("shop/hours.test.yaml::answers", "PASSED"), ("shop/hours.test.yaml::answers wrongly", "FAILED"),
        ("shop/sub/a.test.yaml::answers", "PASSED"), ("shop/sub/a.test.yaml::answers wrongly", "FAILED"),
    ]  # fmt: skip
    assert "hours.test.yaml:6:28: answers wrongly\n  +61491570156 is texted something else\n" in shown
    assert "Open till nine                                  │ Open till six" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        (["-k", "wrongly"], "1 failed, 1 deselected"),
        (["shop/hours.test.yaml::answers"], "1 passed"),
        (["-p", "no:sinchflow.cli.pytest_plugin"], "no tests ran"),
    ],
)
def test_choosing(project, run, arguments, summary):
    write(project, {"pytest.ini": "[pytest]\n"})
    assert summary in run(project, *arguments)[1]


def test_scripts_written_in_python(project, run):
    write(project, {"shop/test_hours.py": WRITTEN})
    code, shown = run(project / "shop", "test_hours.py")
    assert code == 1
    assert "2 failed, 1 passed" in shown
    assert "TranscriptFailed: transcript.test.yaml:" in shown
    assert "+61491570156 is texted something else" in shown
    assert "Open till nine                                  │ Open till six" in shown
    assert "this test expects nothing [test-expectation]" in shown


def test_project_that_is_elsewhere_is_named_by_a_setting(project, run):
    write(project, {"tests/test_hours.py": WRITTEN, "pytest.ini": "[pytest]\nsinchflow_project = shop\n"})
    assert "1 passed" in run(project, "tests", "-k", "test_hours and not wrong and not mistaken")[1]
    (project / "pytest.ini").write_text("[pytest]\n")
    code, shown = run(project, "tests", "-k", "test_wrong")
    assert code == 1
    assert "there is no sinchflow project above" in shown
    assert "set sinchflow_project in pytest's settings" in shown


def test_a_file_with_mistakes_is_an_error_with_its_findings(project, run):
    write(project / "shop", {"more.test.yaml": "tests: [{name: a, script: [{on: HOURS}]}]\n"})
    code, shown = run(project)
    assert code == 2
    assert 'more.test.yaml:1:29: unknown key "on"' in shown
    assert "Traceback" not in shown


def test_nothing_of_sinchflow_is_loaded_where_there_is_no_transcript(tmp_path, run):
    write(tmp_path, {
        "test_a.py": "import sys\ndef test_a():\n    assert 'sinchflow.simulate' not in sys.modules\n"
                     "    assert 'yaml' not in sys.modules\n",
        "a.test.yaml": "not: ours\n",
    })  # fmt: skip
    assert "1 passed" in run(tmp_path)[1]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["sinchflow.yaml"], ""), (["flows/a.yaml"], ""), ([], None), (["sub/flows/a.yaml"], "sub"),
        (["sinchflow.yaml", "sub/flows/a.yaml"], ""), (["sinchflow.yaml", "sub/sinchflow.yaml"], "sub"),
    ],
)  # fmt: skip
def test_project_of_a_file(tmp_path, files, found):
    write(tmp_path, dict.fromkeys(files, ""))
    expected = None if found is None else tmp_path / found
    assert pytest_plugin.project_of(tmp_path / "sub/a.test.yaml") == expected
