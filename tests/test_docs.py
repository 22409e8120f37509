"""What the documentation shows is true: its YAML validates, its links lead somewhere, its webhooks are complete."""

import json
import re
import shutil
from pathlib import Path

import pytest

from sinchflow.expression.answers import SETS
from sinchflow.expression.filters import NAMES
from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import present_text

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")

BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
    if not re.match(r"# \S+\.yaml\n", block)  # a file of a project that its page's own test plays
]


#: What the flows of the docs may name.
PROJECT = """\
lists: {vip: lists/vip.csv, oncall: lists/oncall.csv}
calendars: {office: {weekly: {mon-fri: 08:00-18:00}}}
"""


def write_project(root: Path, settings: str) -> None:
    """The project file, and every CSV file that it names."""
    (root / "sinchflow.yaml").write_text(settings)
    for name in re.findall(r"[\w/-]+\.csv", settings):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("2026-12-24\n" if "closed" in name else "number,name\n+61491570156,Joe\n")


def findings(root: Path, *paths: str) -> str:
    checked = Checker().check(root, [root / path for path in paths], tests=True)
    return present_text(checked.diagnostics, checked.texts)


@pytest.mark.parametrize("block", BLOCKS)
def test_yaml_of_the_docs_validates(block, tmp_path):
    if re.search(r"^tests:", block, re.MULTILINE):  # of one of the examples
        shutil.copytree(ROOT / "flows", tmp_path / "flows")
        (tmp_path / "sample.test.yaml").write_text(block)
        assert findings(tmp_path, "sample.test.yaml") == ""
        return
    is_flow = re.search(r"^on:", block, re.MULTILINE)
    write_project(tmp_path, PROJECT if is_flow else block)
    if is_flow:  # what of the project's it does not use is no matter
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/sample.yaml").write_text(block)
    assert findings(tmp_path, *(["flows"] if is_flow else [])) == ""


def test_example_flows_validate_without_findings():
    checked = Checker().check(ROOT, tests=True)
    assert present_text(checked.diagnostics, checked.texts) == ""
    assert {flow.name for flow in checked.flows} == {
        path.stem for path in (ROOT / "flows").glob("*.yaml") if ".test" not in path.suffixes
    }


@pytest.mark.parametrize("root", sorted(path.parent for path in (ROOT / "flows").glob("*/sinchflow.yaml")), ids=str)
def test_example_projects_validate_without_findings(root):
    checked = Checker().check(root, tests=True)
    assert present_text(checked.diagnostics, checked.texts) == ""
    assert [flow.name for flow in checked.flows] == [root.name]


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("**/*.yaml")), ids=lambda path: path.stem)
def test_example_flows_tell_editors_their_schema(path):
    modeline = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / modeline).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text()) if not link.startswith(("http://", "https://"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_lead_to_one(page):
    for target, heading in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        other = page.parent / target if target else page
        headings = re.findall(r"^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", other.read_text()), re.MULTILINE)
        assert heading in {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", SETS)
def test_answers_are_documented_as_they_are(name):
    page = (ROOT / "docs/conversations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (.+) \|$", page.split(f"\n`{name}`:\n\n")[1].split("\n\n")[0], re.MULTILINE)
    assert {language: tuple(words.split(" · ")) for language, words in rows if language != "language"} == SETS[name]


def test_every_filter_is_documented():
    page = (ROOT / "docs/flows.md").read_text(encoding="utf-8")
    table = page.split("\n| filter | gives |\n")[1].split("\n\n")[0]
    assert (
        set(re.findall(r"`(\w+)(?:\([^`]*\))?`", "".join(line.split(" | ")[0] for line in table.splitlines()))) == NAMES
    )


@pytest.mark.parametrize("name", ["inbound", "receipts", "opt-outs"])
def test_webhook_requests_ask_for_what_sinch_needs(name):
    request = json.loads((ROOT / f"docs/webhooks/{name}.json").read_text())
    assert request["url"].endswith(f"/hooks/TOKEN/{name}")
    assert {"url", "method", "encoding", "events", "template", "read_timeout", "retries", "retry_delay"} == set(request)


def test_schemas_and_examples_are_the_top_level_folders():
    for link, target in (("schemas", "schemas"), ("examples", "flows")):
        assert (ROOT / "sinchflow" / link).resolve() == ROOT / target
