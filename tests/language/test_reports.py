"""Findings for other programs: GitHub's workflow commands and SARIF."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from sinchflow import __version__
from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import Diagnostic, Edit
from sinchflow.language.reports import present_github, present_sarif
from sinchflow.language.rules.pages import ALL

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "tests/data/sarif-2.1.0.schema.json").read_text(encoding="utf-8"))


def diagnostic(**fields):
    return Diagnostic(
        **{"file": "flows/f.yaml", "line": 3, "column": 5, "rule": "unknown-key", "message": "m", **fields}
    )


def in_shop(file):
    return f"shop/{file}"


def log(*items, locate=in_shop):
    shown = json.loads(present_sarif(items, locate))
    Draft4Validator(SCHEMA).validate(shown)
    return shown["runs"][0]


def test_github_gets_a_command_for_each_finding():
    items = [diagnostic(length=6, hint="did you mean?"), diagnostic(line=9, severity="warning", rule="long-text")]
    assert present_github(items, in_shop) == (
        "::error file=shop/flows/f.yaml,line=3,col=5,endColumn=11,title=unknown-key::m%0Adid you mean?\n"
        "::warning file=shop/flows/f.yaml,line=9,col=5,endColumn=6,title=long-text::m\n"
    )


def test_github_gets_no_findings_as_nothing():
    assert present_github([], in_shop) == ""


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        (
            {"message": "100%: a,\x1b[2J", "hint": "one\ntwo"},
            "::error file=flows/f.yaml,line=3,col=5,endColumn=6,title=unknown-key::100%25: a,\\u001b[2J%0Aone%0Atwo\n",
        ),
        (
            {"file": "a,b:c%d\ne.yaml"},
            "::error file=a%2Cb%3Ac%25d%0Ae.yaml,line=3,col=5,endColumn=6,title=unknown-key::m\n",
        ),
        (
            {"file": "\udcff.yaml"},
            "::error file=\N{REPLACEMENT CHARACTER}.yaml,line=3,col=5,endColumn=6,title=unknown-key::m\n",
        ),
    ],
    ids=["in the message", "in the file's name", "file's name is no text"],
)
def test_github_commands_cannot_be_broken_by_what_stands_in_them(fields, command):
    assert present_github([diagnostic(**fields)], str) == command


def test_sarif_log_without_findings_is_one():
    assert log() == {
        "tool": {"driver": {"name": "sinchflow", "version": __version__, "rules": []}},
        "columnKind": "unicodeCodePoints",
        "results": [],
    }


def test_sarif_result_says_where_and_how_bad():
    [result] = log(diagnostic(length=6, severity="warning", message="bad", hint="mend\nit"))["results"]
    assert result == {
        "ruleId": "unknown-key",
        "ruleIndex": 0,
        "level": "warning",
        "message": {"text": "bad\nmend\nit"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "shop/flows/f.yaml", "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": 3, "startColumn": 5, "endColumn": 11},
                }
            }
        ],
    }


def test_sarif_describes_each_rule_once():
    run = log(diagnostic(rule="url"), diagnostic(rule="long-text", severity="warning"), diagnostic(rule="url", line=9))
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["long-text", "url"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["url", "long-text", "url"]
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["warning", "error"]
    assert rules[0]["fullDescription"]["text"] == ALL["long-text"].reason
    assert ALL["long-text"].failing in rules[0]["help"]["markdown"]


def test_sarif_gives_the_edits_that_mend():
    edits = (Edit(3, 5, 6, "message"), Edit(4, 1, 0, " "))
    [result] = log(diagnostic(hint="did you mean?", edits=edits))["results"]
    assert result["fixes"] == [
        {
            "description": {"text": "did you mean?"},
            "artifactChanges": [
                {
                    "artifactLocation": {"uri": "shop/flows/f.yaml", "uriBaseId": "%SRCROOT%"},
                    "replacements": [
                        {
                            "deletedRegion": {"startLine": 3, "startColumn": 5, "endColumn": 11},
                            "insertedContent": {"text": "message"},
                        },
                        {
                            "deletedRegion": {"startLine": 4, "startColumn": 1, "endColumn": 1},
                            "insertedContent": {"text": " "},
                        },
                    ],
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("file", "location"),
    [
        ("flows/a b#ü.yaml", {"uri": "flows/a%20b%23%C3%BC.yaml", "uriBaseId": "%SRCROOT%"}),
        ("flows/a:b.yaml", {"uri": "flows/a%3Ab.yaml", "uriBaseId": "%SRCROOT%"}),
        ("\udcff.yaml", {"uri": "%FF.yaml", "uriBaseId": "%SRCROOT%"}),
        ("/tmp/a b.yaml", {"uri": "file:///tmp/a%20b.yaml"}),
    ],
)
def test_sarif_encodes_names_of_files(file, location):
    [result] = log(diagnostic(file=file), locate=str)["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == location


def test_sarif_of_every_expected_finding_is_valid(tmp_path):
    (tmp_path / "flows").symlink_to(ROOT / "tests/cases/validate/err")
    found = Checker(builds=False).check(tmp_path).diagnostics
    run = log(*found)
    assert len(run["results"]) == len(found) > 100
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {item.rule for item in found}
