"""Each example has transcript tests, of its own and with all others, and they walk every way through it."""

import shutil
from pathlib import Path

import pytest

from sinchflow.language.diagnostic import present_text
from sinchflow.simulate.play.coverage import coverage
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject

FLOWS = Path(__file__).parents[2] / "flows"
ALONE = sorted(path.stem for path in FLOWS.glob("*.yaml") if ".test" not in path.suffixes)
PROJECTS = sorted(path.parent.name for path in FLOWS.glob("*/sinchflow.yaml"))


def missing(root: Path, paths=()) -> list[str]:
    """What is wrong at `root`: findings, tests that fail, ways that no test walks, and flows without tests."""
    project = TestProject(root, paths)
    found = present_text(project.checked.diagnostics, project.checked.texts).splitlines()
    scripts = [*project.scripts()]
    troupe = Troupe(project, walks=True)
    try:
        found += [str(each.failure) for each in troupe.play_all(scripts) if each.failure is not None]
    finally:
        troupe.close()
    covered = coverage(project.checked.flows, project.policy_points(), troupe.met)
    found += [f"{point.origin}: {point.words}" for each in covered for point in each.missing]
    tested = {script.flow for script in scripts}
    return found + [f"no test of {flow.name}" for flow in project.checked.flows if flow.name not in tested]


@pytest.mark.parametrize("name", ALONE)
def test_example_alone(name, tmp_path):
    (tmp_path / "flows").mkdir()
    for ending in (".yaml", ".test.yaml"):
        shutil.copy(FLOWS / f"{name}{ending}", tmp_path / "flows")
    assert missing(tmp_path) == []


def test_all_examples_together():
    assert missing(FLOWS.parent, [Path("flows")]) == []


@pytest.mark.parametrize("zone", ["Australia/Melbourne", "America/Los_Angeles"])
def test_all_examples_together_in_another_time_zone(zone, tmp_path):
    shutil.copytree(FLOWS, tmp_path / "flows")
    (tmp_path / "sinchflow.yaml").write_text(f"timezone: {zone}\n")
    assert missing(tmp_path) == []


@pytest.mark.parametrize("name", PROJECTS)
def test_example_that_is_a_project(name):
    assert missing(FLOWS / name) == []


@pytest.mark.parametrize("path", sorted(FLOWS.rglob("*.test.yaml")), ids=lambda path: path.stem)
def test_transcripts_are_named_as_their_flow(path):
    text = path.read_text()
    assert f"\nflow: {path.name.removesuffix('.test.yaml')}\n" in text
    assert text.splitlines()[0].endswith("schemas/test.schema.json")
