"""`sinchflow explain`."""

import re

import pytest

from sinchflow.language.rules.pages import ALL


def test_rule_is_explained_with_its_finding_and_both_samples(sinchflow):
    shown = sinchflow("explain", "cut-text")
    assert shown.returncode == 0
    assert shown.stdout == (
        "cut-text (error)\n\n"
        "YAML takes ` #` in an unquoted text for a comment: the customer would get the first half.\n\n"
        "For example:\n\n"
        "    on: inbound_sms\n"
        "    steps:\n"
        "      - reply: Order #1 is ready\n\n"
        '    flows/sample.yaml:3:18: YAML ends this text before "#": "Order" is all that is left of it [cut-text]\n'
        "      |\n"
        "    3 |   - reply: Order #1 is ready\n"
        "      |                  ^~~~~~~~~~~\n"
        '      = quote the text: reply: "Order #1 is ready"; or move the comment to a line of its own\n\n'
        "Mended:\n\n"
        "    on: inbound_sms\n"
        "    steps:\n"
        '      - reply: "Order #1 is ready"\n'
    )


def test_rule_without_a_sample_is_explained(sinchflow):
    shown = sinchflow("explain", "encoding")
    assert (shown.returncode, shown.stdout.split("\n\n")[0]) == (0, "encoding (error)")
    assert "For example" not in shown.stdout


def test_name_may_keep_its_brackets(sinchflow):
    assert sinchflow("explain", "[cut-text]").stdout == sinchflow("explain", "cut-text").stdout


def test_all_rules_are_listed_with_their_reason(sinchflow):
    listed = sinchflow("explain")
    assert listed.returncode == 0
    rows = [re.split(r"\s{2,}", line, maxsplit=1) for line in listed.stdout.splitlines()]
    assert [name for name, _ in rows] == sorted(ALL)
    assert all(ALL[name].reason.startswith(why) and why.endswith((".", "…")) for name, why in rows)


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("unkown-key", 'sinchflow: no rule is called "unkown-key"; did you mean "unknown-key"?\n'),
        ("qqq", 'sinchflow: no rule is called "qqq"; `sinchflow explain` lists all\n'),
    ],
)
def test_unknown_rule_is_wrong_usage(sinchflow, rule, line):
    refused = sinchflow("explain", rule)
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", line)
