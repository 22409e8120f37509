"""Every case of tests/cases/validate: a file or project, and the complete output that `validate` gives for it.

A case is NAME.yaml (checked as flows/NAME.yaml) or a folder NAME (checked as a project). In `err` its output stands
beside it in NAME.out; in `ok` there is none. `UPDATE_CASES=1 pytest tests/test_cases_validate.py` writes the .out files
anew: read what it wrote.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checked, Checker
from sinchflow.language.diagnostic import present_text

CASES = Path(__file__).parent / "cases" / "validate"
#: When the cases are checked: times before it are past.
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def cases(kind: str) -> list[Path]:
    return sorted(path for path in (CASES / kind).iterdir() if path.is_dir() or path.suffix == ".yaml")


def check(case: Path, folder: Path) -> Checked:
    if case.is_dir():
        shutil.copytree(case, folder, dirs_exist_ok=True)
    else:
        (folder / "flows").mkdir()
        shutil.copy(case, folder / "flows")
    return Checker().check(folder, now=NOW, tests=True)


@pytest.mark.parametrize("case", cases("err"), ids=lambda path: path.stem)
def test_mistake_is_explained_where_it_is(case, tmp_path):
    checked = check(case, tmp_path)
    output = present_text(checked.diagnostics, checked.texts)
    expected = case.with_suffix(".out")
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(output, encoding="utf-8")
    assert output == expected.read_text(encoding="utf-8")
    assert checked.diagnostics


@pytest.mark.parametrize("case", cases("ok"), ids=lambda path: path.stem)
def test_sound_flows_have_no_findings_and_are_built_again_from_their_sources(case, tmp_path):
    checked = check(case, tmp_path)
    assert present_text(checked.diagnostics, checked.texts) == ""
    for flow in checked.flows:
        source = checked.sources[flow.digest]
        assert flow_from_source(source.text, source.file, source.line) == flow


def test_every_expected_output_belongs_to_a_case():
    names = {path.stem for path in cases("err")}
    assert {path.stem for path in (CASES / "err").glob("*.out")} - names == set()
