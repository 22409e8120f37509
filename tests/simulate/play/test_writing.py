"""What is written into a test file is read again as it was, whatever stands in it."""

import pytest

from sinchflow.language.document import compose, documents
from sinchflow.language.script import scripts_of
from sinchflow.simulate.play.writing import flow_style, lines_of_test, written_file, written_span

TEXTS = [
    "HOURS", "yes", "No", "on", "null", "~", "true", "1", "01", "+61491570156", "1e3", "1.5", ".5", "0o17", "0x1F",
    "1_000", "12:30", "2026-12-01", "2026-12-01T09:00", "=", "<<", "...", "---", "-", "- a", "a: b", "a #b", "#a", "'",
    '"', "''", '"a" and \'b\'', "{{ x }}", "{a}", "[b]", "a, b", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "? a",
    ": ", "a\nb", "a\n\n b\n", "a\ttab", " a ", "\\n", "a\\", "früh ☕", "🎉", "🎉\nzwei", "\u00a0", "e\u0301", "עברית",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_as_it_was_written(text):
    steps = [
        {"in": text}, {"out": {"text": text, "to": "anna"}},
        {"http": {"url": "https://x.example", "json": {text: [text, {"a": text}]}, "respond": {"json": text}}},
    ]  # fmt: skip
    written = written_file({"flow": text, "env": {"A": text}}, text, steps)
    [document] = documents(written, "x.test.yaml")
    assert compose(document) == []
    [script] = scripts_of(document)
    assert (script.name, script.flow, script.given) == (text, text, {"env": {"A": text}})
    assert [{step.verb: step.value} for step in script.steps] == steps
    assert len(written.splitlines()) == 9


VALUES = [None, True, False, 0, -5, 10**17, 1.5, 1e300, 1e-7, -0.0, [], {}, [[], {}], {"a": {"b": [1, "1", None]}}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_keeps_its_type(value):
    written = written_file({}, "x", [{"webhook": {"path": "/x", "json": value}}])
    [document] = documents(written, "x.test.yaml")
    assert compose(document) == []
    [step] = scripts_of(document)[0].steps
    assert (step.value["json"], type(step.value["json"])) == (value, type(value))


def test_what_stands_twice_is_written_twice():
    shared = {"a": 1}
    assert flow_style({"x": shared, "y": shared}) == "{x: {a: 1}, y: {a: 1}}"


def test_a_test_has_a_line_for_each_step():
    assert lines_of_test({"name": "a: b", "now": "12:30"}, [{"in": "HI"}, {"run": {"status": "completed"}}]) == [
        "  - name: 'a: b'", "    now: '12:30'", "    script:", "      - in: HI", "      - run: {status: completed}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "written"), [(1, "1s"), (60, "1m"), (90, "90s"), (3600, "1h"), (5400, "90m"), (86400, "1d"), (0, "0d")]
)
def test_a_span_is_written_in_its_largest_whole_unit(seconds, written):
    assert written_span(seconds) == written
