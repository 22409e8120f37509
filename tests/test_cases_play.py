"""Every case of tests/cases/play: a project with transcript tests, and the exact text of all that fail.

A case is NAME.case: files after lines `=== PATH`. Tests whose names end in `(fails)` must fail, all others pass. The
failures' whole text stands in NAME.out; `UPDATE_CASES=1 pytest tests/test_cases_play.py` writes it anew: read it.
"""

import json
import os
import re
from pathlib import Path

import pytest

from sinchflow.cli.transcripts import failure_text
from sinchflow.language.transcript import VERBS
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject

ROOT = Path(__file__).parents[1]
CASES = sorted((Path(__file__).parent / "cases" / "play").glob("*.case"))
FILE = re.compile(r"^=== (\S+)\n", re.MULTILINE)
STEPS = json.loads((ROOT / "schemas/test.schema.json").read_text())["definitions"]["step"]["properties"]


def write(case: Path, root: Path) -> None:
    _, *parts = FILE.split(case.read_text(encoding="utf-8"))
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """By case: its project, and each script with its result."""
    known = {}

    def play(case):
        if case not in known:
            root = tmp_path_factory.mktemp(case.stem)
            write(case, root)
            project = TestProject(root)
            troupe = Troupe(project)
            scripts = [*project.scripts()]
            known[case] = project, [*zip(scripts, troupe.play_all(scripts), strict=True)]
            troupe.close()
        return known[case]

    return play


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_is_not_so_fails_in_these_words_and_what_is_so_passes(case, played, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    project, results = played(case)
    zone = project.checked.project.timezone
    failed = [(script, result) for script, result in results if result.failure is not None]
    output = "\n\n".join(failure_text(script, result, project.checked.texts, zone) for script, result in failed) + "\n"
    expected = case.with_suffix(".out")
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(output, encoding="utf-8")
    assert output == expected.read_text(encoding="utf-8")
    assert {str(script) for script, _ in failed} == {
        str(script) for script, _ in results if script.name.endswith("(fails)")
    }


def uses(case_results, *, has_failed):
    """Verb and member of the steps of passing scripts; of failing ones, what the failure points at."""
    for script, result in case_results:
        for step in script.steps:
            members = [*step.places] or [""]
            if result.failure is None and not has_failed:
                yield from ((step.verb, member) for member in members)
            elif result.failure is not None and has_failed:
                places = {step.place(member): member for member in members} | {step.origin: ""}
                if result.failure.origin in places:
                    yield step.verb, places[result.failure.origin]


def test_every_step_and_member_is_used_and_every_expectation_fails_somewhere(played):
    passing = {use for case in CASES for use in uses(played(case)[1], has_failed=False)}
    failing = {use for case in CASES for use in uses(played(case)[1], has_failed=True)}
    members = {(verb, member) for verb in VERBS for member in STEPS[verb].get("properties", ())}
    assert members - passing == set()
    expecting = {use for use in members if use[0] in ("out", "http", "run")} | {("webhook", "status"), ("silence", "")}
    # who is meant, and what is answered, are no expectations
    meant = {("http", "respond"), ("out", "refused"), ("out", "to"), ("run", "flow"), ("http", "url")}
    assert expecting - meant - failing == set()


def test_every_output_belongs_to_a_case():
    assert {path.stem for path in CASES[0].parent.glob("*.out")} == {path.stem for path in CASES}
