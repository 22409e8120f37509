"""Every page's own samples: the failing one has its finding, the corrected one has none; every finding has a page."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinchflow.cli.explain import NOW
from sinchflow.language import rules
from sinchflow.language.check import Checker
from sinchflow.language.manual import sample_files
from sinchflow.language.rules import RULES, SET_RULES, TRANSCRIPT_RULES
from sinchflow.language.rules.pages import ALL, PAGES

ROOT = Path(__file__).parents[2]
SHOWN = [page for page in ALL.values() if page.failing]
FLOW = "on: inbound_sms\nsteps:\n  - reply: "
#: What stands in for samples that cannot be shown as text: files of bytes that fail.
UNSHOWN = {
    "depth": FLOW.encode() + b"[" * 101 + b"]" * 101,
    "document-size": FLOW.encode() + b"[" + b"1," * 50_000 + b"]",
    "encoding": f"{FLOW}Grüß Gott!\n".encode("latin-1"),
    "file-size": FLOW.encode() + b"x" * 1_048_577,
}
#: Which argument of these functions is a rule's id.
GIVEN_AS = {"finding": 1, "_report": 2, "add": 1, "add_if_clean": 0, "_at_value": 0}


def findings(page, sample, folder):
    for name, text in sample_files(page, sample).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [item.rule for item in Checker().check(folder, now=NOW, tests=True).diagnostics]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.id)
def test_failing_sample_fails_by_this_rule_alone(page, tmp_path):
    assert set(findings(page, page.failing, tmp_path)) == {page.id}


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.id)
def test_corrected_sample_has_no_findings(page, tmp_path):
    assert findings(page, page.corrected, tmp_path) == []


@pytest.mark.parametrize("rule", UNSHOWN)
def test_what_cannot_be_shown_as_text_is_found(rule, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/sample.yaml").write_bytes(UNSHOWN[rule])
    assert [item.rule for item in Checker().check(tmp_path).diagnostics] == [rule]


def test_only_what_cannot_be_shown_as_text_has_no_sample():
    assert {page.id for page in ALL.values() if not (page.failing and page.corrected)} == set(UNSHOWN)


def given_ids() -> Iterator[str]:
    """The ids that are written out where findings are made."""
    for path in (ROOT / "sinchflow/language").glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                given = node.args[GIVEN_AS[name] :][:1] if name in GIVEN_AS else []
                yield from (each.value for each in given if isinstance(each, ast.Constant))


def test_every_id_of_the_source_has_a_page():
    assert set(given_ids()) - set(ALL) == set()
    assert {page.id for page in PAGES} - set(given_ids()) == set()


def expected_severities() -> dict[str, set[str]]:
    """How bad the findings of each rule are in the cases, by its id."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests/cases/validate/err").glob("*.out"):
        lines = re.findall(r"^\S.*?:\d+:\d+: (warning: )?.* \[([\w-]+)\]$", path.read_text(), re.MULTILINE)
        for warning, rule in lines:
            found.setdefault(rule, set()).add("warning" if warning else "error")
    return found


def test_every_id_in_expected_outputs_has_a_page():
    assert set(expected_severities()) - set(ALL) == set()


def test_pages_say_whether_their_findings_are_errors_or_warnings():
    both = {rule for rule, severities in expected_severities().items() if len(severities) > 1}
    assert {page.id for page in ALL.values() if page.is_mixed} == both, "is_mixed of a rule and its cases differ"


@pytest.mark.parametrize(
    "some", [RULES, SET_RULES, TRANSCRIPT_RULES], ids=["of one document", "across files", "of tests"]
)
def test_rules_have_their_own_ids_and_stand_in_order(some):
    ids = [rule.id for rule in some]
    assert sorted(set(ids)) == ids


def test_no_two_rules_share_an_id():
    assert len(ALL) == len((*RULES, *SET_RULES, *TRANSCRIPT_RULES, *PAGES))


def test_every_rule_file_is_listed():
    files = {path.stem for path in Path(rules.__file__).parent.glob("*.py")} - {"__init__", "rule"}
    found = {rule.check.__module__.rpartition(".")[2] for rule in (*RULES, *SET_RULES, *TRANSCRIPT_RULES)}
    assert {name for name in files if not name.startswith("pages")} == found
