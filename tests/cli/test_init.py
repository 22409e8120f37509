"""`sinchflow init` writes a project that is sound, and never over something."""

import json
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "flows"
PROJECTS = sorted(path.parent.name for path in EXAMPLES.glob("*/sinchflow.yaml"))
TEMPLATES = [*sorted(path.stem for path in EXAMPLES.glob("*.yaml") if ".test" not in path.suffixes), *PROJECTS, "all"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_validates_without_findings(sinchflow, template):
    written = sinchflow("init", "shop", "--template", template)
    assert (written.returncode, written.stderr) == (0, "")
    assert "Next:  sinchflow -C shop test " in written.stdout
    assert "\n       sinchflow -C shop dev " in written.stdout
    validated = sinchflow("-C", "shop", "validate", "--strict", "--format", "json")
    assert (validated.returncode, json.loads(validated.stdout)["findings"]) == (0, [])
    tested = sinchflow("-C", "shop", "test", "--json", "--fail-under", "100")
    told = json.loads(tested.stdout)
    assert (tested.returncode, told["failed"], told["coverage"]["percent"]) == (0, 0, 100.0)
    assert told["passed"] > 2


@pytest.mark.parametrize("template", [TEMPLATES[0], *PROJECTS, "all"])  # the others differ in their flows only
def test_template_starts(sinchflow, template):
    sinchflow("init", "shop", "--template", template)
    played = sinchflow("-C", "shop", "dev", "--port", "0", "--admin-port", "0", stdin="Hello\n")
    assert (played.returncode, played.stderr) == (0, "")
    assert "+61491570156   › Hello" in played.stdout


def test_help_and_refusal_name_every_template(sinchflow):
    shown = sinchflow("init", "--help").stdout
    assert [name for name in TEMPLATES if not re.search(rf"^\W*{name} ", shown, re.MULTILINE)] == []
    assert f"choose from {', '.join(sorted(TEMPLATES[:-1]))}, all" in sinchflow("init", "--template", "x").stderr


@pytest.mark.parametrize("template", [*PROJECTS, "all"])
def test_settings_and_lists_come_with_the_flows_that_need_them(sinchflow, tmp_path, template):
    sinchflow("init", "--template", template)
    for name in PROJECTS if template == "all" else [template]:
        for path in (EXAMPLES / name).glob("[a-z]*/*"):
            assert (tmp_path / path.relative_to(EXAMPLES / name)).is_file()
        needed = (EXAMPLES / name / "sinchflow.yaml").read_text().splitlines()
        written = (tmp_path / "sinchflow.yaml").read_text().splitlines()
        assert [line for line in needed if line and not line.startswith("#") and line not in written] == []


def test_second_init_changes_nothing_and_says_so(sinchflow, tmp_path):
    sinchflow("init", "shop")
    (tmp_path / "shop/sinchflow.yaml").write_text("timezone: Australia/Perth\n")
    again = sinchflow("init", "shop", "--template", "keyword-menu")
    assert again.returncode == 2
    assert "sinchflow.yaml exists already" in again.stderr
    assert (tmp_path / "shop/sinchflow.yaml").read_text() == "timezone: Australia/Perth\n"
    assert not (tmp_path / "shop/flows/keyword-menu.yaml").exists()


def test_editors_find_the_schemas_that_the_files_name(sinchflow, tmp_path):
    sinchflow("init", "--template", "all")
    for path in (*tmp_path.glob("flows/*.yaml"), tmp_path / "sinchflow.yaml"):
        modeline = path.read_text().splitlines()[0]
        assert (path.parent / modeline.removeprefix("# yaml-language-server: $schema=")).is_file()


def test_flows_come_with_their_transcripts(sinchflow, tmp_path):
    written = sinchflow("init", "--template", "all")
    names = {path.name.removesuffix(".test.yaml") for path in tmp_path.glob("flows/*.test.yaml")}
    assert names == {*TEMPLATES} - {"all"}
    for path in tmp_path.glob("flows/*.test.yaml"):
        assert path.read_text().startswith("# yaml-language-server: $schema=../.sinchflow/test.schema.json\n")
    flows = [path for path in tmp_path.glob("flows/*.yaml") if ".test" not in path.suffixes]
    assert f"and {len(flows)} flows in flows/, with tests." in written.stdout


def test_gitignore_that_is_there_is_kept(sinchflow, tmp_path):
    (tmp_path / ".gitignore").write_text("*.bak")
    assert sinchflow("init").returncode == 0
    assert [line for line in (tmp_path / ".gitignore").read_text().splitlines() if line[:1] in "*!"] == [
        "*.bak",
        "!.sinchflow/*.schema.json",
    ]


def test_unknown_template_names_those_there_are(sinchflow, tmp_path):
    refused = sinchflow("init", "--template", "opening-hour")
    assert refused.returncode == 2
    assert 'sinchflow: no template "opening-hour": choose from appointment-confirm, ' in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_one_line(sinchflow, tmp_path):
    (tmp_path / "shop").write_text("a file")
    refused = sinchflow("init", "shop")
    assert refused.returncode == 1
    assert refused.stderr.startswith("sinchflow: cannot write ")
    assert len(refused.stderr.splitlines()) == 1
