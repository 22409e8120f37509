"""How findings are shown."""

import json

from sinchflow.language.diagnostic import Diagnostic, in_order, present_json, present_text


def diagnostic(**fields):
    return Diagnostic(**{"file": "f.yaml", "line": 1, "column": 1, "rule": "r", "message": "m", **fields})


def test_finding_shows_source_line_mark_and_hint():
    text = "steps:\n" * 11 + '        mesage: "See you"\n'
    item = diagnostic(
        line=12,
        column=9,
        length=6,
        rule="unknown-key",
        message='unknown key "mesage" in send_sms',
        hint="did you mean?",
    )
    assert present_text([item], {"f.yaml": text}) == (
        'f.yaml:12:9: unknown key "mesage" in send_sms [unknown-key]\n'
        "   |\n"
        '12 |         mesage: "See you"\n'
        "   |         ^~~~~~\n"
        "   = did you mean?\n"
    )


def test_warning_says_so():
    assert present_text([diagnostic(severity="warning")], {}) == "f.yaml:1:1: warning: m [r]\n"


def test_control_characters_are_escaped_everywhere():
    item = diagnostic(file="f\x1b[2J.yaml", message='bad "\x1b[2J"', hint="not \x07", column=4, length=1)
    assert present_text([item], {"f\x1b[2J.yaml": "a: \x1b[2J\u202e"}) == (
        'f\\u001b[2J.yaml:1:4: bad "\\u001b[2J" [r]\n  |\n1 | a: \\u001b[2J\\u202e\n  |    ^~~~~~\n  = not \\u0007\n'
    )


def test_mark_stands_under_its_text_after_tabs_and_wide_characters():
    shown = present_text([diagnostic(column=5, length=2)], {"f.yaml": "\t日本 xy"}).splitlines()
    assert shown[2].index("xy") + 2 == shown[3].index("^~")  # two characters before are two columns wide


def test_long_line_is_cut_around_the_mark():
    line = "a" * 500 + "HERE" + "b" * 500
    shown = present_text([diagnostic(column=501, length=4)], {"f.yaml": line}).splitlines()
    at = shown[3].index("^~~~")
    assert shown[2][at : at + 4] == "HERE"
    assert len(shown[2]) < 160


def test_place_behind_the_end_of_the_file_shows_no_line():
    assert present_text([diagnostic(line=9)], {"f.yaml": "a\n"}) == "f.yaml:9:1: m [r]\n"


def test_findings_are_sorted_and_told_once():
    items = [diagnostic(line=2), diagnostic(file="a.yaml", line=9), diagnostic(line=2), diagnostic(line=1, column=7)]
    assert [(item.file, item.line, item.column) for item in in_order(items)] == [
        ("a.yaml", 9, 1),
        ("f.yaml", 1, 7),
        ("f.yaml", 2, 1),
    ]


def test_json_has_the_designed_keys():
    shown = json.loads(present_json([diagnostic(hint="h")], flows=3))
    assert shown == {
        "findings": [
            {"file": "f.yaml", "line": 1, "column": 1, "rule": "r", "severity": "error", "message": "m", "hint": "h"}
        ],
        "flows": 3,
    }
