"""What is said of expressions from the types of their names, and that it agrees with what evaluating them does."""

from datetime import UTC, datetime

import pytest

from sinchflow.expression.filters import FILTERS, NAMES
from sinchflow.expression.inference import remarks_of
from sinchflow.expression.kinds import (
    A_FILLED_TEXT,
    A_LIST,
    A_NUMBER,
    A_TEXT,
    A_TIME,
    A_TRUTH,
    ANY,
    LIST,
    MAPPING,
    NONE,
    NUMBER,
    TEXT,
    TRUTH,
    Type,
    list_of,
    mapping_of,
    or_none,
)
from sinchflow.expression.placed import expressions
from sinchflow.expression.signatures import SIGNATURES
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Condition, Text
from sinchflow.model.origin import Origin

NAMES_OF = {
    "number": A_NUMBER,
    "text": A_TEXT,
    "maybe": or_none(A_TEXT),
    "word": A_FILLED_TEXT,
    "choice": Type(frozenset({TEXT}), frozenset({"a", "b"}), True),
    "flag": A_TRUTH,
    "when": A_TIME,
    "rows": list_of(mapping_of({"name": A_TEXT})),
    "some": A_LIST,
    "row": mapping_of({"name": A_TEXT}),
}

REMARKS = [
    # condition, rule, what is underlined
    ("number == '3'", "constant", "number == '3'"),
    ("number != '3'", "constant", "number != '3'"),
    ("text == 'a' or 'b'", "constant", "'b'"),
    ("flag and word", "constant", "word"),
    ("word", "constant", "word"),
    ("not word", "constant", "word"),
    ("choice == 'c'", "constant", "choice == 'c'"),
    ("text is none", "constant", "text"),
    ("when", "constant", "when"),
    ("number in ['a', 'b']", "constant", "number in ['a', 'b'"),
    ("number not in ['a', 'b']", "constant", "number not in ['a', 'b'"),
    ("'x' if word else 'y'", "constant", "word"),
    ("number + text > 3", "operand-type", "number + text"),
    ("number < text", "operand-type", "number < text"),
    ("number in text", "operand-type", "number in text"),
    ("text in number", "operand-type", "text in number"),
    ("-text == 1", "operand-type", "text"),
    ("text * text == 'x'", "operand-type", "text * text"),
    ("when + 1 == when", "operand-type", "when + 1"),
    ("text | round > 2", "filter-type", "round"),
    ("number | first == 1", "filter-type", "first"),
    ("number | local == ''", "filter-type", "local"),
    ("when | local('a', 'b') == ''", "filter-type", "local"),
    ("when | local(3) == ''", "filter-type", "local"),
    ("when | local(format='%H') == ''", "filter-type", "local"),
    ("row.nam == 'x'", "unknown-item", "nam"),
    ("row['nam'] == 'x'", "unknown-item", "nam"),
    ("rows[0].nam == 'x'", "unknown-item", "nam"),
    ("rows.name == 'x'", "unknown-item", "name"),
    ("text.length > 3", "unknown-item", "length"),
    ("maybe.length > 3", "unknown-item", "length"),
]

NOTHING = [
    "number == 3", "number > 3 and text == 'a'", "maybe == 'a' or maybe is none", "choice == 'a'",
    "choice in ['a', 'z']", "text", "flag", "some", "rows and rows[0].name == 'x'", "when > when",
    "when - when == when - when", "unknown.x > 3", "unknown + 1 == 'a'", "text | int(0) > 3", "text | length > 3",
    "maybe | default('') | length > 3", "maybe | default(0) | int > 3", "number | string == '3'",
    "number ~ text == 'x'", "text * 3 == 'x'", "[1] + some == some", "when | plus('1h') > when",
    "when | local('%H') | int > 3", "when.hour > 3", "rows | length > 3", "text[0] == 'a'", "text[1:] == 'a'",
    "(number if flag else text) == 'a'", "[text, number] | first == 3", "flag == true", "not flag",
    "{'a': number}.a + 1 > 3", "(rows | first).name == 'x'", "word == 'a' and text", "number in some", "'a' in row",
]  # fmt: skip


def remarks(source, *, is_condition=True):
    body = expressions(source, is_condition=is_condition)
    assert body
    return list(remarks_of(body, source, lambda name: NAMES_OF.get(name, ANY), is_condition=is_condition))


@pytest.mark.parametrize(("source", "rule", "part"), REMARKS)
def test_what_cannot_work_is_said_at_its_place(source, rule, part):
    found = remarks(source)
    assert [(each.rule, source[each.start : each.end]) for each in found] == [(rule, part)]


@pytest.mark.parametrize("source", NOTHING)
def test_nothing_is_said_of_what_can_work(source):
    assert remarks(source) == []


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("Hi {{ number | first }}, {{ text | round }}", ["first", "round"]),
        ("{% if word %}a{% elif number == 'x' %}b{% endif %}", ["word", "number == 'x'"]),
        ("{% for one in rows %}{{ one.nam }}{{ loop.indx }}{% endfor %}", ["nam", "indx"]),
        ("{% for one in number %}{{ one }}{% endfor %}", ["number"]),
        ("{% for a, b in some %}{{ a.x }}{% endfor %}{{ a.x }}", []),
    ],
)
def test_templates_are_looked_through(source, parts):
    assert [source[each.start : each.end] for each in remarks(source, is_condition=False)] == parts


SAMPLES = {TEXT: "ab", NUMBER: 3, TRUTH: True, LIST: [1, 2], MAPPING: {"a": 1}, NONE: None}
KINDS = [(name, kind) for name in SIGNATURES for kind in SAMPLES if name not in ("plus", "minus", "replace", "phone")]


@pytest.mark.parametrize(("name", "kind"), KINDS, ids=str)
def test_filter_that_is_said_to_fail_does(name, kind):
    source = f"x | {name} == 1"
    body = expressions(source, is_condition=True)
    said = [each.rule for each in remarks_of(body, source, lambda _: Type(frozenset({kind})), is_condition=True)]
    if "filter-type" in said:
        scope = {"x": SAMPLES[kind], "__timezone": "UTC", "__country": None}
        with pytest.raises(ExpressionError):
            Templates().value(Text(f"{{{{ x | {name} }}}}", Origin("f", 1, 1)), scope)


def test_every_filter_but_default_has_its_signature():
    assert set(SIGNATURES) == NAMES - {"default"}
    assert set(FILTERS) - {"d", "default"} == set(SIGNATURES)


@pytest.mark.parametrize(("source", "rule", "part"), [each for each in REMARKS if each[1] == "operand-type"])
def test_operation_that_is_said_to_fail_does(source, rule, part):
    scope = {"number": 3, "text": "x", "when": datetime(2026, 1, 1, tzinfo=UTC), "flag": True}
    with pytest.raises(ExpressionError):
        Templates().holds(Condition(source, Origin("f", 1, 1)), scope)
