"""Every rule's own samples: the failing one has its finding, the corrected one has none."""

import pytest

from sinchflow.language import rules
from sinchflow.language.check import Checker
from sinchflow.language.rules import RULES


def findings(rule, source, folder):
    if rule.applies_to == "project":
        (folder / "sinchflow.yaml").write_text(source)
    else:
        (folder / "flows").mkdir()
        (folder / "flows" / "sample.yaml").write_text(source)
    return [item.rule for item in Checker().check(folder).diagnostics]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_failing_sample_fails_by_this_rule_alone(rule, tmp_path):
    assert set(findings(rule, rule.failing, tmp_path)) == {rule.id}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_corrected_sample_has_no_findings(rule, tmp_path):
    assert findings(rule, rule.corrected, tmp_path) == []


def test_rules_have_their_own_ids_and_stand_in_order():
    ids = [rule.id for rule in RULES]
    assert sorted(set(ids)) == ids


def test_every_rule_file_is_listed():
    from pathlib import Path

    across_files = {"duplicate_flow", "unknown_flow", "webhook_path"}
    files = {path.stem for path in Path(rules.__file__).parent.glob("*.py")} - {"__init__", "rule"} - across_files
    assert files == {rule.check.__module__.rpartition(".")[2] for rule in RULES}
