"""`sinchflow test` as users call it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
FLOW = """\
name: hours
on:
  inbound_sms: {keyword: HOURS}
steps:
  - reply: Open till six
  - if: match.rest != ""
    reply: "You said: {{ match.rest }}"
"""
TEST = """\
flow: hours
tests:
  - name: answers
    script: [{in: HOURS}, {out: Open till six}]
  - name: says <it> & "more"
    script: [{in: hours please}, {out: Open till six}, {out: "You said: please"}]
"""
SECONDS = re.compile(r"\d+\.\d\d s$", re.MULTILINE)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/hours.yaml").write_text(FLOW)
    (tmp_path / "flows/hours.test.yaml").write_text(TEST)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/other.test.yaml").write_text(TEST.replace("answers", "answers elsewhere").replace("six", "seven"))
    return tmp_path


def test_a_dot_for_each_and_the_failures_after_it(project, sinchflow):
    done = sinchflow("test")
    assert (done.returncode, done.stderr) == (1, "")
    first, rest = done.stdout.split("\n", 1)
    assert first == "..FF"
    assert SECONDS.sub("N s", rest).endswith("\n2 failed, 2 passed in N s\n")
    assert "more/other.test.yaml:4:28: answers elsewhere\n  +61491570156 is texted something else" in rest
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "last"),
    [
        (["flows"], 0, "2 passed in N s"),
        (["flows/hours.test.yaml", "more"], 1, "2 failed, 2 passed in N s"),
        (["flows", "flows/hours.test.yaml"], 0, "2 passed in N s"),
        (["-k", "ELSEWHERE"], 1, "1 failed, 0 passed in N s"),
        (["-k", "hours.test"], 0, "2 passed in N s"),
        (["flows", "--fail-under", "100"], 1, "83.3 % is walked, less than the 100 % of --fail-under"),
        (["flows", "--fail-under", "83"], 0, "2 passed in N s"),
    ],
)
def test_which_tests_and_how_it_ends(project, sinchflow, arguments, code, last):
    if "--fail-under" in arguments:
        (project / "flows/hours.yaml").write_text(FLOW + '  - if: match.rest == "never"\n    reply: Never\n')
    done = sinchflow("test", *arguments)
    assert (done.returncode, done.stderr) == (code, "")
    assert SECONDS.sub("N s", done.stdout.splitlines()[-1]) == last


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["none"], 2, "none: no such file or directory"),
        (["-k", "nobody"], 1, "there is no test by these words and paths: tests stand in files NAME.test.yaml"),
        (["--watch", "--json"], 2, "--watch goes with neither --junit, --coverage-html nor --json"),
        (["--fail-under", "101"], 2, "--fail-under"),
        (["--patience", "0"], 2, "--patience"),
        (
            ["flows", "--junit", "there/is/none.xml"],
            1,
            "there/is/none.xml cannot be written: No such file or directory",
        ),
        (["flows", "--coverage-html", "flows"], 1, "flows cannot be written: Is a directory"),
    ],
)
def test_mistakes_are_one_line(project, sinchflow, arguments, code, words):
    done = sinchflow("test", *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["test", "validate", "simulate"])
def test_a_folder_of_tests_is_no_project(tmp_path, sinchflow, command):
    (tmp_path / "hours.test.yaml").write_text("flow: hours\ntests: [{name: a, script: [{in: HOURS}, {out: Nine.}]}]\n")
    done = sinchflow(command)
    assert (done.returncode, done.stdout) == (2, "")
    words = "there is neither sinchflow.yaml nor flows/; begin with `sinchflow init`"
    assert done.stderr == f"sinchflow: no project in {tmp_path}: {words}\n"


def test_a_project_without_tests(tmp_path, sinchflow):
    (tmp_path / "flows").mkdir()
    done = sinchflow("test")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sinchflow: there is no test here: tests stand in files NAME.test.yaml")


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("tests: [{name: a, script: [{in: HOURS}]}]", "a.test.yaml:1:16: this test expects nothing [test-expectation]"),
        (
            "flow: ours\ntests: [{name: a, script: [{in: HOURS}, {out: a}]}]",
            'a.test.yaml:1:7: no flow is called "ours"',
        ),
        ("tests: [{name: a, script: [{on: HOURS}, {out: a}]}]", "a.test.yaml:1:29: "),
        ("tests: [", "a.test.yaml:1:9: "),
    ],
)
def test_wrong_test_files_are_findings(project, sinchflow, text, finding):
    (project / "a.test.yaml").write_text(text)
    done = sinchflow("test")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sinchflow: the project has errors:\n")
    assert finding in done.stderr


def test_wrong_flows_are_findings(project, sinchflow):
    (project / "flows/b.yaml").write_text("name: b\non: manual\nsteps: [{repli: a}]\n")
    done = sinchflow("test")
    assert done.returncode == 1
    assert 'flows/b.yaml:3:10: unknown key "repli"' in done.stderr


def test_endless_flows_end_with_their_last_steps(project, sinchflow):
    (project / "flows/dense.yaml").write_text(
        "name: dense\non: {schedule: {every: 1s}}\nsteps: [{http: {method: GET, url: https://x.example.com}}]\n"
    )
    (project / "flows/hours.test.yaml").write_text(
        "tests: [{name: a year, script: [{advance: 365d}, {silence: true}]},"
        " {name: after it, script: [{in: HOURS}, {out: Open till six}]}]\n"
    )
    done = sinchflow("test", "flows", "--patience", "0.3")
    assert done.stdout.splitlines()[0] == "F."
    assert "a year\n  the flows do not come to rest here: 0.3 s of work were not enough\n" in done.stdout
    assert "  because: last: flows/dense.yaml:3:" in done.stdout


def test_junit_is_what_ci_servers_read(project, sinchflow):
    (project / "flows/hours.yaml").write_text(FLOW.replace("You said", "You say"))
    sinchflow("test", "--junit", "report.xml")
    suites = ElementTree.parse(project / "report.xml").getroot()
    found = [
        (suite.get("name"), suite.get("tests"), suite.get("failures"), case.get("name"), case.get("line"),
         [child.tag for child in case])
        for suite in suites for case in suite
    ]  # fmt: skip
    assert found == [
        ("flows/hours.test.yaml", "2", "1", "answers", "3", []),
        ("flows/hours.test.yaml", "2", "1", 'says <it> & "more"', "5", ["failure"]),
        ("more/other.test.yaml", "2", "2", "answers elsewhere", "3", ["failure"]),
        ("more/other.test.yaml", "2", "2", 'says <it> & "more"', "5", ["failure"]),
    ]
    failure = suites[1][0][0]
    assert failure.get("message") == "+61491570156 is texted something else"
    assert "expected" in failure.text
    assert "Open till seven" in failure.text


def test_json(project, sinchflow):
    done = sinchflow("test", "--json", "--coverage", "more")
    told = json.loads(done.stdout)
    assert (told["failed"], told["passed"]) == (2, 0)
    assert told["coverage"] == {"walked": 4, "all": 4, "percent": 100.0}
    test = told["tests"][0]
    assert test.pop("seconds") > 0
    assert test == {
        "file": "more/other.test.yaml", "line": 3, "name": "answers elsewhere", "passed": False,
        "failure": {
            "place": "more/other.test.yaml:4:28", "message": "+61491570156 is texted something else", "because": [],
            "differences": [{"expected": "Open till seven", "actual": "Open till six"}],
        },
    }  # fmt: skip


def test_coverage_as_a_page(project, sinchflow):
    (project / "flows/hours.yaml").write_text(FLOW.replace('match.rest != ""', 'match.rest == "<b>"'))
    assert sinchflow("test", "flows", "--coverage-html", "page.html").returncode == 1
    page = (project / "page.html").read_text()
    ElementTree.fromstring(page.replace("<!doctype html>", "").replace('<meta charset="utf-8">', ""))
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "flows/hours.yaml:7:5</td><td>left out, because" in page


def test_many_tests_on_several_processes_are_told_in_their_order(project, sinchflow):
    script = "[{in: hours AT}, {out: Open till six}, {out: 'You said: AT'}]"
    passing = "".join(f"  - {{name: pAT, script: {script}}}\n".replace("AT", str(at)) for at in range(240))
    (project / "flows/hours.test.yaml").write_text(f"tests:\n{passing}")
    (project / "more/other.test.yaml").write_text("tests: [{name: last, script: [{in: HOURS}, {out: never}]}]\n")
    done = sinchflow("test", "--json", "--coverage")
    told = json.loads(done.stdout)
    assert [test["name"] for test in told["tests"]] == [*(f"p{at}" for at in range(240)), "last"]
    assert [test["passed"] for test in told["tests"]] == [True] * 240 + [False]
    assert told["coverage"]["percent"] == 100.0


def started(project, *arguments):
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "sinchflow", "test", *arguments], cwd=project, env=environ, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def until(process, words):
    """Lines up to one with these words."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def test_watching_plays_again_after_each_change_and_ends_with_ctrl_c(project):
    (project / "more/other.test.yaml").unlink()
    with started(project, "--watch") as process:
        assert "2 passed" in until(process, "passed in")
        deadline = time.monotonic() + 60
        change_until(process, project / "flows/hours.yaml", FLOW.replace("six", "nine"), "2 failed", deadline)
        change_until(process, project / "flows/hours.yaml", FLOW.replace("reply", "repli"), "unknown key", deadline)
        change_until(process, project / "flows/hours.yaml", FLOW, "2 passed", deadline)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(20) == 0
        assert "Traceback" not in rest


def change_until(process, path, text, words, deadline):
    """Write it, again where the watch had not begun yet, until these words come."""
    import threading

    seen = threading.Event()

    def write():
        while not seen.wait(0.7) and time.monotonic() < deadline:
            path.write_text(text)

    path.write_text(text)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(process, words)
    finally:
        seen.set()
        writer.join()
