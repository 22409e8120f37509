"""What the documentation shows is true: its YAML validates, its links lead somewhere, its webhooks are complete."""

import json
import re
from pathlib import Path

import pytest

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


def findings(root: Path) -> str:
    checked = Checker().check(root)
    return present_text(checked.diagnostics, checked.texts)


@pytest.mark.parametrize("block", BLOCKS)
def test_yaml_of_the_docs_validates(block, tmp_path):
    is_flow = re.search(r"^on:", block, re.MULTILINE)
    write_project(tmp_path, PROJECT if is_flow else block)
    if is_flow:
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/sample.yaml").write_text(block)
    assert findings(tmp_path) == ""


def test_example_flows_validate_without_findings():
    checked = Checker().check(ROOT)
    assert present_text(checked.diagnostics, checked.texts) == ""
    assert {flow.name for flow in checked.flows} == {path.stem for path in (ROOT / "flows").glob("*.yaml")}


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.yaml")), ids=lambda path: path.stem)
def test_example_flows_tell_editors_their_schema(path):
    modeline = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / modeline).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text()) if not link.startswith(("http://", "https://"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["inbound", "receipts", "opt-outs"])
def test_webhook_requests_ask_for_what_sinch_needs(name):
    request = json.loads((ROOT / f"docs/webhooks/{name}.json").read_text())
    assert request["url"].endswith(f"/hooks/TOKEN/{name}")
    assert {"url", "method", "encoding", "events", "template", "read_timeout", "retries", "retry_delay"} == set(request)


def test_schemas_and_examples_are_the_top_level_folders():
    for link, target in (("schemas", "schemas"), ("examples", "flows")):
        assert (ROOT / "sinchflow" / link).resolve() == ROOT / target
