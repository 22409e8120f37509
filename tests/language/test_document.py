"""Reading YAML: values, places, and what is refused."""

import pytest

from sinchflow.language.document import MAX_BYTES, compose, decode, documents
from sinchflow.language.nodes import Mapping, Scalar, plain
from sinchflow.language.scalars import place, resolve


def one(text):
    (document,) = documents(text, "f.yaml")
    assert compose(document) == []
    return document


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        ("true", True), ("false", False), ("null", None), ("~", None), ("", None), ("True", "True"), ("yes", "yes"),
        ("on", "on"), ("OFF", "OFF"), ("Null", "Null"), ("0", 0), ("7", 7), ("-7", -7), ("+7", "+7"), ("07", "07"),
        ("-07", "-07"), ("0.5", 0.5), ("00.5", "00.5"), (".5", 0.5), ("5.10", 5.1), ("1e3", 1000.0), ("1e999", "1e999"),
        ("0x1F", 31), ("0o17", 15), ("1_000", "1_000"), ("21:00", "21:00"), ("1:2", "1:2"), (".inf", ".inf"),
        (".nan", ".nan"), ("2026-12-01", "2026-12-01"), ("+61491570156", "+61491570156"), ("0491570156", "0491570156"),
        ("9" * 70, "9" * 70), ("1.2.3", "1.2.3"), ("-", "-"), ("=", "="), ("٣", "٣"),
    ],
)  # fmt: skip
def test_unquoted_scalar_means_what_it_looks_like(spelling, value):
    assert resolve(spelling) == value
    assert type(resolve(spelling)) is type(value)


def test_quoted_and_block_scalars_are_texts():
    document = one("a: 'true'\nb: \"1\"\nc: |\n  null\nd: >-\n  1\n")
    assert plain(document.root) == {"a": "true", "b": "1", "c": "null\n", "d": "1"}


def test_scalar_keeps_its_spelling_beside_its_value():
    value = one("a: 5.10\n").root.get("a")
    assert (value.text, value.value) == ("5.10", 5.1)


def test_documents_of_a_file_know_their_first_line_and_own_text():
    text = "# intro\n---\nname: a\n--- # next\nname: b\n...\n--- {name: c}\n---\n# nothing\n"
    found = list(documents(text, "f.yaml"))
    assert [(item.line, item.text) for item in found] == [
        (3, "name: a\n"),
        (5, "name: b\n"),
        (7, "--- {name: c}\n"),
    ]


def test_digest_names_the_text_alone():
    first, second = documents("name: a\n---\nname: a\n", "f.yaml")
    assert first.digest == second.digest
    assert len(first.digest) == 64


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: plain {{ x }}\n", 1, 10),
        ("a: plain\n  goes on {{ x }}\n", 2, 11),
        ("a: 'it''s {{ x }}'\n", 1, 11),
        ("a: 'folded\n\n  twice {{ x }}'\n", 3, 9),
        ('a: "\\u00e9\\n\\"{{ x }}"\n', 1, 15),
        ('a: "cut \\\n     here {{ x }}"\n', 2, 11),
        ("a: |\n  one\n\n  two {{ x }}\n", 4, 7),
        ("a: |2-\n    indented\n   {{ x }}\n", 3, 4),
        ("a: >-\n  one\n  two {{ x }}\n", 3, 7),
        ("a: >\n\n  one\n\n\n    more {{ x }}\n", 6, 10),
        ("a: 😀 é {{ x }}\n", 1, 8),
        ("a: &name b {{ x }}\nc: *name\n", 1, 12),
        ("- [b, {c: 'd {{ x }}'}]\n", 1, 14),
    ],
)
def test_place_in_a_text_is_found_again_in_the_file(text, line, column, end):
    document = one(text.replace("\n", end))
    scalar = next(node for node in scalars(document.root) if "{{" in node.text)
    origin = place(document, scalar, scalar.text.index("{{"), 7)
    assert (origin.line, origin.column, origin.length) == (line, column, 7)


def scalars(node):
    match node:
        case Scalar():
            yield node
        case Mapping():
            for _, value in node.entries:
                yield from scalars(value)
        case _:
            for item in node.items:
                yield from scalars(item)


def test_places_count_from_the_line_of_the_file():
    (document,) = documents("a: b\nc: d\n", "f.yaml", line=41)
    compose(document)
    assert str(document.origin_of(document.root.get("c"))) == "f.yaml:42:4"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"a: \xff\n", "encoding"),
        ("a: b\n".encode("utf-16"), "encoding"),
        (b"a: \x00\n", "control-character"),
        (b"a: \x1b[31m\n", "control-character"),
        ("a: b\u2029c\n".encode(), "control-character"),
        ("a: \ufdd0x\ufdd1\n".encode(), "control-character"),
        (b"#" * (MAX_BYTES + 1), "file-size"),
    ],
)
def test_bytes_that_are_no_clean_text_are_a_finding(data, rule):
    _, findings = decode(data, "f.yaml")
    assert [item.rule for item in findings] == [rule]


def test_byte_order_mark_is_dropped():
    assert decode(b"\xef\xbb\xbfa: b\n", "f.yaml") == ("a: b\n", [])


def test_largest_file_is_refused_or_read_in_reasonable_time():
    (document,) = documents("a: [" + "x," * 60_000 + "]\n", "f.yaml")
    assert [item.rule for item in compose(document)] == ["document-size"]


def test_depth_counts_through_aliases():
    text = "a: &a " + "[" * 60 + "]" * 60 + "\nb: " + "[" * 60 + "*a" + "]" * 60 + "\n"
    (document,) = documents(text, "f.yaml")
    assert [item.rule for item in compose(document)] == ["depth"]


def test_aliases_are_the_nodes_that_they_name():
    document = one("a: &x {b: [1]}\nc: *x\nd: [*x, *x]\n")
    assert plain(document.root)["d"] == [{"b": [1]}, {"b": [1]}]
