"""`record` and `replay` as users call them, on a journal on disk; docs/record.md is true."""

import json
import re
from pathlib import Path

import pytest

from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject
from sinchflow.simulate.play.stage import Stage
from tests.simulate.play.taping import Taped, write

ROOT = Path(__file__).parents[2]
TESTING = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
FLOW = re.search(r"^```yaml\n# flows/parking.yaml\n(.*?)^```$", TESTING, re.DOTALL | re.MULTILINE)[1]
SCRIPT = """\
tests:
  - name: north
    script: [{in: park!}, {out: {contains: NORTH}}, {in: North please}, {http: {url: https://parking.example.com/north}},
             {out: The north gate opens now.}]
"""
[SESSION] = re.findall(
    r"^```console\n(.*?)^```$", (ROOT / "docs/record.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the journal of one run, whose id is 2."""
    monkeypatch.setenv("COLUMNS", "100")
    journals = []
    monkeypatch.setattr(Stage, "_new_journal", lambda it: journals.append(Taped(it._loop.call_soon)) or journals[-1])
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/parking.yaml").write_text(FLOW)
    (tmp_path / "north.test.yaml").write_text(SCRIPT)
    tests = TestProject(tmp_path)
    troupe = Troupe(tests)
    [script] = tests.scripts()
    result, _ = troupe.played(script)
    troupe.close()
    assert result.failure is None
    (tmp_path / "north.test.yaml").unlink()
    (tmp_path / ".sinchflow").mkdir()
    write(journals[-1].tape, tmp_path / ".sinchflow")
    return tmp_path


def test_the_session_of_the_docs(project, sinchflow):
    shown = []
    for line in SESSION.splitlines():
        if line.startswith("$ sed"):
            shown.append(line)
            flow = project / "flows/parking.yaml"
            flow.write_text(flow.read_text().replace("opens now", "is open"))
        elif line.startswith("$ "):
            shown.append(line)
            done = sinchflow(*line.split()[2:])
            shown += [*done.stderr.splitlines(), *done.stdout.splitlines()]
    assert "\n".join(shown) == SESSION.rstrip("\n")
    assert sinchflow("validate").returncode == 0
    failed = sinchflow("test")
    assert (failed.returncode, "1 failed" in failed.stdout) == (1, True)


def test_record_shows_the_test_and_replay_says_that_nothing_differs(project, sinchflow):
    done = sinchflow("record", "2")
    assert (done.returncode, done.stdout) == (
        0,
        """\
flow: parking
now: '2026-01-05T09:00:00+00:00'
contact: '+61491570156'

tests:
  - name: as in run 2 of 05 January 2026
    script:
      - in: park!
      - out: 'Which car park? Reply NORTH or SOUTH.'
      - in: North please
      - http: {method: POST, url: 'https://parking.example.com/north', json: {number: '+61491570156'}}
      - out: The north gate opens now.
      - run: {status: completed, category: north}
""",
    )
    done = sinchflow("replay", "2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "run 2 of parking: nothing would differ\n", "")


def test_differences_for_programs(project, sinchflow):
    (project / "flows/parking.yaml").write_text(FLOW.replace("Which", "What").replace("gate opens", "gate is"))
    done = sinchflow("replay", "2", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "run": 2, "flow": "parking", "differs": True,
        "differences": [
            {"message": "+61491570156 is texted something else", "because": [], "differences": [each]}
            for each in (
                {"recorded": "Which car park? Reply NORTH or SOUTH.", "today": "What car park? Reply NORTH or SOUTH."},
                {"recorded": "The north gate opens now.", "today": "The north gate is now."},
            )
        ],
    }  # fmt: skip
    done = sinchflow("record", "2")
    assert done.returncode == 1
    assert "with the flows of today it does not pass:\nrecorded.test.yaml:9:9: as in run 2" in done.stderr


def test_a_flow_that_is_gone(project, sinchflow):
    (project / "flows/parking.yaml").unlink()
    done = sinchflow("replay", "2")
    assert done.returncode == 1
    assert 'no flow is called "parking"' in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["record", "99"], 1, "sinchflow: there is no run 99: `sinchflow runs list` shows those that there are\n"),
        (["record", "2", "-o", "flows/parking.yaml"], 2, "parking.yaml: a test file is called NAME.test.yaml"),
        (
            ["record", "2", "-o", "there.test.yaml"],
            1,
            "there.test.yaml is there already: choose another name",
        ),
        (["record", "2", "-o", "none/a.test.yaml"], 1, "none/a.test.yaml cannot be written: No such file or directory"),
        (["record", "two"], 2, "two"),
        (["replay", "2", "--data", "elsewhere"], 3, "elsewhere"),
    ],
)
def test_mistakes_are_one_line(project, sinchflow, arguments, code, words):
    (project / "there.test.yaml").write_text("tests: []\n")  # of another person, and wrong
    done = sinchflow(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
