"""Comments that ignore warnings, and what is found in them."""

import pytest

from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.ignores import without_ignored

FILE = "flows/f.yaml"


def warning(line, rule="long-text", **fields):
    return Diagnostic(
        **{"file": FILE, "line": line, "column": 1, "severity": "warning", "message": "m", **fields}, rule=rule
    )


def found(text, *items, is_whole=True):
    """What is left, as line, column, rule."""
    left = without_ignored(items, {FILE: text}, is_whole=is_whole)
    return sorted((item.line, item.column, item.rule) for item in left)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: 2  # sinchflow: ignore[long-text] it is short enough\n",
        "a: 1\n# sinchflow: ignore[long-text] it is short enough\nb: 2\n",
        "a: 1\n# sinchflow: ignore[url, long-text] it is short\nb: 2\n",
        "# sinchflow: ignore[long-text] first of two\n# something else\nb: 2\n",
        "# sinchflow: ignore[long-text] line ends of others\r\n# …\r\nb: 2\r\n",
        "a: 1\nb:  # sinchflow: ignore[long-text] behind a key\n  c: 1\n",
        "a: 1\nb: |  # sinchflow: ignore[long-text] behind the sign of a block\n  text\n",
        'a: 1\nb: "# text"  # sinchflow: ignore[long-text] behind a text with a sign\n',
        "a: 1\n---\n# sinchflow: ignore[long-text] above a document\n",
    ],
    ids=["behind", "above", "two rules", "stacked", "cr lf", "key", "block", "sign", "document"],
)
def test_warning_is_ignored(text):
    items = [warning(3 if text.count("\n#") or text.startswith("#") else 2), *([warning(3, "url")] * ("url" in text))]
    assert found(text, *items) == []


@pytest.mark.parametrize(
    "text",
    [
        'a: 1\nb: "# sinchflow: ignore[long-text] in quotes"\n',
        "a: |\n  text # sinchflow: ignore[long-text] in a block\n",
        "a: |\n  # sinchflow: ignore[long-text] in a block\nb: 2\n",
        'a: "one\n  # sinchflow: ignore[long-text] in quotes\n  two"\n',
        "a: 1\nb: text#sinchflow: ignore[long-text] glued to a text\n",
        "a: 1\nb: 2  # sinchflow: ignored long ago\n",
        "a: 1\nb: 2  # see # sinchflow: ignore[long-text] in the docs\n",
        "a: [\n# sinchflow: ignore[long-text] in what cannot be read\nb: 1\n",
    ],
    ids=["quotes", "block", "block line", "quoted lines", "glued", "another word", "comment", "unread"],
)
def test_what_is_no_such_comment_ignores_nothing(text):
    assert (2, 1, "long-text") in found(text, warning(2), is_whole=False)


def test_finding_inside_of_a_text_is_ignored_where_the_text_begins():
    text = "# sinchflow: ignore[cut-link] it is whole\nb: |\n  one\n  two\n"
    text += "c: 'three\n  four'  # sinchflow: ignore[url] so be it\n"
    assert found(text, warning(4, "cut-link"), warning(5, "url")) == []


def test_only_the_named_rules_are_ignored_and_only_there():
    text = "a: 1  # sinchflow: ignore[long-text] because\nb: 2\n"
    assert found(text, warning(1), warning(1, "url"), warning(2)) == [(1, 1, "url"), (2, 1, "long-text")]


def test_findings_of_other_files_stay():
    text = "a: 1  # sinchflow: ignore[long-text] because\n"
    assert found(text, warning(1), warning(1, file="flows/a.yaml")) == [(1, 1, "long-text")]


@pytest.mark.parametrize(
    ("comment", "column"),
    [
        ("# sinchflow: ignore", 7),
        ("# sinchflow: ignore this", 7),
        ("# sinchflow: ignore[] because", 7),
        ("# sinchflow: ignore[long-text", 7),
        ("# sinchflow: ignore[long-text]", 7),
        ("# sinchflow: ignore[long-text] …", 7),
        ("# sinchflow: ignore[nonsense] because", 27),
        ("# sinchflow: ignore[long-text, nonsense] because", 38),
    ],
)
def test_comment_says_which_rule_and_why(comment, column):
    item = [warning(1)] if "[long-text" in comment and "]" in comment else []
    assert found(f"a: 1  {comment}\n", *item) == [(1, column, "ignore-comment")]


def test_misspelt_rule_is_one_mistake():
    left = without_ignored([warning(1)], {FILE: "a: 1  # sinchflow: ignore[long-txt] because\n"}, is_whole=True)
    assert [(item.rule, item.hint) for item in left] == [("ignore-comment", 'did you mean "long-text"?')]


def test_errors_cannot_be_ignored():
    text = "a: 1  # sinchflow: ignore[url] because\n"
    assert found(text, warning(1, "url", severity="error")) == [(1, 1, "url"), (1, 27, "ignore-comment")]


def test_unused_comment_is_found():
    text = "# sinchflow: ignore[url] because\na: 1  # sinchflow: ignore[long-text] because\n"
    assert found(text) == [(1, 21, "unused-ignore"), (2, 27, "unused-ignore")]


def test_comment_may_have_its_use_while_something_cannot_be_read():
    text = "a: 1  # sinchflow: ignore[long-text] because\n"
    assert found(text, is_whole=False) == []
    assert found(text, warning(9, "url", severity="error")) == [(9, 1, "url")]


def test_other_files_than_yaml_have_no_such_comments():
    text = "number\n+61491570156 # sinchflow: ignore[list-row] because\n"
    item = warning(2, "list-row", file="vip.csv")
    assert without_ignored([item], {"vip.csv": text}, is_whole=True) == [item]
