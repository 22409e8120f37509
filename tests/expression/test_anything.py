"""Whatever is written as a template and whatever the scope holds: a value or an ExpressionError, soon."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.expression import filters
from sinchflow.expression.filters import TIMEZONE
from sinchflow.expression.inspect import inspect_condition, inspect_template
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Condition, Text
from sinchflow.model.origin import Origin
from tests.examples import examples

ORIGIN = Origin("a.yaml", 1, 1)
NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
SOON = settings(max_examples=examples(200), deadline=timedelta(seconds=3))

PIECES = [
    "{{ ", " }}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{% if ", "{% endif %}", "{% for x in ", "{% endfor %}",
    "{% else %}", "{% raw %}", "{% endraw %}", "{% set x = 1 %}", "event", "vars", "x", ".content", ".n", ".l", "['a']",
    "[0]", "[1:]", "[", "]", "(", ")", "{", "}", ",", ":", "|", "~", "+", "-", "*", "**", "//", "/", "%", "==", "=",
    "<", " in ", " is ", " not ", " and ", " or ", " if ", " else ", "defined", "none", "true", "1", "0", "9999999",
    "1e308", "0.5", "-1", "'a'", '"', "'", "\\", "\n", " ", "é", "👍", "\ufdd0", "\x00", "_", "__class__", "now()",
    "now", "secrets.A", "loop", "self", "range(", "attribute=", "default(", "'%Y'", "('x' * 9999)",
    *(f"|{name}" for name in sorted(filters.NAMES)), *(f" is {name}" for name in filters.TESTS),
]  # fmt: skip

soup = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
holes = st.lists(st.sampled_from(PIECES), max_size=12).map(lambda pieces: f"{{{{ {''.join(pieces)} }}}}")
#: Sound calls of filters with odd arguments.
operands = st.sampled_from([
    "event.content", "event.n", "event.l", "event.m", "event.t", "vars", "nope", "1", "-0.0", "1e308", "''", "[]",
    "[none]", "[[1], 'a']", "now()", "'9' * 9999", "{'a': none}", "2 ** 62", "'2026-01-01'", "'9999-12-31T23:59-23:59'",
    "'0001-01-01T00:00+23:00'", "'%' * 99", "true", "1 // 1",
])  # fmt: skip
calls = st.builds(
    lambda value, name, arguments: f"{{{{ ({value}) | {name}({', '.join(arguments)}) }}}}",
    operands,
    st.sampled_from(sorted(filters.FILTERS)),
    st.lists(st.one_of(operands, operands.map("attribute={}".format), operands.map("default={}".format)), max_size=3),
)
binary = st.builds(
    "{{{{ ({}) {} ({}) }}}}".format,
    operands,
    st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "~", "<", "==", "in", "and", "is divisibleby", "is eq"]),
    operands,
)
sources = st.one_of(st.text(), soup, holes, calls, binary)

data = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
        st.sampled_from([NOW, NOW.replace(tzinfo=None)]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip
scopes = st.fixed_dictionaries({
    "event": st.fixed_dictionaries({
        "content": st.one_of(st.text(), st.none()), "n": st.none(), "l": st.lists(data, max_size=3), "m": data,
        "t": st.just(NOW),
    }),
    "vars": st.dictionaries(st.sampled_from(["x", "a"]), data),
})  # fmt: skip

TEMPLATES = Templates()


def outcome(evaluate, source, scope):
    """What it gives, or the one error that it may raise."""
    try:
        return evaluate(source, scope)
    except ExpressionError as error:
        return error


@SOON
@given(sources, scopes)
def test_text_gives_text_or_an_expression_error(source, scope):
    scope = {**scope, "now": lambda: NOW, TIMEZONE: "Australia/Melbourne"}
    rendered = outcome(TEMPLATES.text, Text(source, ORIGIN), scope)
    if isinstance(rendered, ExpressionError):
        assert rendered.origin == ORIGIN
    else:
        assert type(rendered) is str
        assert len(rendered) <= filters.LONGEST_TEXT or "{" not in source
        assert rendered == TEMPLATES.text(Text(source, ORIGIN), scope)


@SOON
@given(sources, scopes)
def test_value_is_plain_or_an_expression_error(source, scope):
    scope = {**scope, "now": lambda: NOW, TIMEZONE: "Australia/Melbourne"}
    value = outcome(TEMPLATES.value, Text(source, ORIGIN), scope)
    assert isinstance(value, ExpressionError) or filters.plain(value) == value
    holds = outcome(TEMPLATES.holds, Condition(source.strip("{} "), ORIGIN), scope)
    assert isinstance(holds, (ExpressionError, bool))


@SOON
@given(sources)
def test_inspection_finds_places_inside_the_source(source):
    for inspected in (inspect_template(source), inspect_condition(source)):
        for fault in inspected.faults:
            assert fault.length >= 1
            assert 0 <= fault.offset <= len(source)
            assert fault.offset + fault.length <= max(len(source), 1) or fault.offset == len(source)
        for use in inspected.uses:
            assert source[use.offset : use.offset + use.length].startswith(use.path[0])


@SOON
@given(sources)
def test_inspection_and_compiler_speak_the_same_language(source):
    """But for unknown filters in a branch that is never taken: Jinja lets them pass until they are needed."""
    rules = {fault.rule for fault in inspect_template(source).faults}
    found = outcome(TEMPLATES.text, Text(source, ORIGIN), {"now": lambda: NOW, TIMEZONE: "UTC"})
    refused = isinstance(found, ExpressionError) and " is no template: " in found.message
    assert refused <= bool(rules)
    assert refused >= bool(rules - {"unknown-filter", "unknown-test"})
