"""Every rule's own samples: the failing one has its finding, the corrected one has none."""

import pytest

from sinchflow.language import rules
from sinchflow.language.check import Checker
from sinchflow.language.rules import RULES, SET_RULES, TRANSCRIPT_RULES
from sinchflow.language.rules.rule import files_of

ALL = (*RULES, *SET_RULES, *TRANSCRIPT_RULES)


def findings(rule, sample, folder):
    is_project = getattr(rule, "applies_to", "flow") == "project"
    for name, text in files_of(sample, "sinchflow.yaml" if is_project else "flows/sample.yaml").items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return [item.rule for item in Checker().check(folder, tests=True).diagnostics]


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.id)
def test_failing_sample_fails_by_this_rule_alone(rule, tmp_path):
    assert set(findings(rule, rule.failing, tmp_path)) == {rule.id}


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.id)
def test_corrected_sample_has_no_findings(rule, tmp_path):
    assert findings(rule, rule.corrected, tmp_path) == []


@pytest.mark.parametrize("some", [RULES, SET_RULES, TRANSCRIPT_RULES], ids=["of one document", "across files", "of tests"])
def test_rules_have_their_own_ids_and_stand_in_order(some):
    ids = [rule.id for rule in some]
    assert sorted(set(ids)) == ids


def test_no_two_rules_share_an_id():
    assert len({rule.id for rule in ALL}) == len(ALL)


def test_every_rule_file_is_listed():
    from pathlib import Path

    files = {path.stem for path in Path(rules.__file__).parent.glob("*.py")} - {"__init__", "rule"}
    assert files == {rule.check.__module__.rpartition(".")[2] for rule in ALL}
