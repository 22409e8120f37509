"""What the validator learns of a template: every mistake and every name, each at its place."""

import pytest

from sinchflow.expression.inspect import inspect_condition, inspect_template


def faults(inspection, source):
    return [(each.rule, source[each.offset : each.offset + each.length]) for each in inspection.faults]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain { text }", []),
        ("{{ a.b | default('x') }}", []),
        ("{{ a | uper }} and {{ b | trm(1) }}", [("unknown-filter", "uper"), ("unknown-filter", "trm")]),
        ("{% if a is evn %}x{% endif %}", [("unknown-test", "evn")]),
        ("{{ a is not nun }}", [("unknown-test", "nun")]),
        ("{{ a.b | first.name }}", [("unknown-filter", "first.name")]),
        ("ok {{ a }} bad {{ b c }} bad {{ d + }}", [("template-syntax", "b c"), ("template-syntax", "d +")]),
        ("{{ a b }} {{ c | uper }}", [("template-syntax", "a b"), ("unknown-filter", "uper")]),
        ("start {{ a.b", [("template-syntax", "{{ a.b")]),
        ("{{ }}", [("template-syntax", "{{ }}")]),
        ("{% if a %}x", [("template-syntax", "{% if a %}x")]),
        ("{% include 'x' %}", [("template-not-allowed", "{% include 'x' %}")]),
        ("{% nosuch %}", [("template-not-allowed", "{% nosuch %}")]),
        ("a {% set x = 1 %}", [("template-not-allowed", "{% set x = 1 %}")]),
        ("{{ a.__class__ }}", [("template-not-allowed", "a.__class__")]),
        ("{{ event.content.upper() }}", [("template-not-allowed", "event.content.upper()")]),
        ("Order {#12", [("template-syntax", "Order {#12")]),
        (f"{{{{ {'9' * 5000} }}}}", [("template-syntax", "9" * 5000)]),
    ],
)
def test_faults_of_a_template_are_found_at_their_places(source, expected):
    assert faults(inspect_template(source), source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a == 1 and b is defined", []),
        ("a = 1", [("template-syntax", "a = 1")]),
        ("{{ a }}", [("template-syntax", "{{ a }}")]),
        ("a | lenght > 1", [("unknown-filter", "lenght")]),
        ("  a b ", [("template-syntax", "a b")]),
        ("a && b", [("template-syntax", "a && b")]),
        ("", [("template-syntax", "")]),
        ("9" * 5000, [("template-syntax", "9" * 5000)]),
        ("range(3)", [("template-not-allowed", "range(3)")]),
    ],
)
def test_faults_of_a_condition_are_found_at_their_places(source, expected):
    assert faults(inspect_condition(source), source) == expected


def test_hints_say_what_to_write():
    [unknown] = inspect_template("{{ a | uper }}").faults
    assert unknown.message == 'unknown filter "uper"'
    assert unknown.hint.startswith('did you mean "upper"? filters: abs, capitalize, default')
    [braces] = inspect_condition("{{ a }}").faults
    assert braces.hint == "write it without braces: a"
    [single] = inspect_condition("a = 1").faults
    assert single.hint == "compare with =="
    [dotted] = inspect_template("{{ a | first.name }}").faults
    assert dotted.hint == "for an item of what it gives, write (… | first).name"
    [comment] = inspect_template("Order {#12").faults
    assert "{{ '{#' }}" in comment.hint


def uses(inspection, source):
    """Names as they stand, `?` behind those that are guarded, `|` behind filtered ones, and the path if it differs."""
    found = []
    for use in inspection.uses:
        place, path = source[use.offset : use.offset + use.length], ".".join(use.path)
        marks = "?" * use.guarded + "|" * use.filtered
        found.append(f"{place}{marks}" if place == path else f"{place}{marks} = {path}")
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Hi {{ event.content }}", ["event.content"]),
        ("{{ event['message_id'] }}", ["event['message_id'] = event.message_id"]),
        ("{{ steps.crm.json.items[0].x }}", ["steps.crm.json.items"]),
        ("{{ event.list.0 }}", ["event.list.0"]),
        ("{{ vars.x | default('y') | upper }}", ["vars.x?|"]),
        ("{{ secrets.X | upper }}", ["secrets.X|"]),
        ("{{ 1 if a.b is not none else 2 }}", ["a.b?"]),
        ("{{ now() | local }}", ["now()| = now"]),
        ("{{ a.b if c else 'd.e' }}", ["a.b", "c"]),
        ("{{ event.a | join(', ', attribute='name') }}", ["event.a|"]),
        ("{{ x | replace(vars.a, y) }}", ["x|", "vars.a", "y"]),
        ("{% for p in vars.people if p.ok %}{{ p.name }}{{ loop.index }}{% endfor %}", ["vars.people"]),
        ("{% for k, v in vars.a %}{{ k }}{{ v.x }}{% endfor %}", ["vars.a"]),
        ("{% if event.a %}b{% elif vars.c %}{% endif %}", ["event.a", "vars.c"]),
        ("🙂 {{ event.content }}", ["event.content"]),
        ("{{- event.content -}}\n{{ vars.x }}", ["event.content", "vars.x"]),
        ("{{ {'a': vars.x} }}", ["vars.x"]),
        ("{{ event.content == event.content }}", ["event.content", "event.content"]),
    ],
)
def test_names_of_a_template_are_found_at_their_places(source, expected):
    found = inspect_template(source)
    assert found.faults == ()
    assert uses(found, source) == expected


def test_names_of_a_condition_are_found_at_their_places():
    source = 'event.type == "MMS" and not vars.x is defined or match.n in [1, env.N]'
    assert uses(inspect_condition(source), source) == ["event.type", "vars.x?", "match.n", "env.N"]


def test_names_of_sound_holes_are_found_beside_a_broken_one():
    source = "{{ event.content }} {{ a b }}"
    found = inspect_template(source)
    assert faults(found, source) == [("template-syntax", "a b")]
    assert uses(found, source) == ["event.content"]


@pytest.mark.parametrize("depth", [100, 5_000])
def test_deep_nesting_is_a_fault_not_a_crash(depth):
    for source in ("{{ " + "(" * depth + "1" + ")" * depth + " }}", "{% if 1 %}" * depth + "{% endif %}" * depth):
        assert inspect_template(source).faults
    assert inspect_condition("not " * depth + "a").faults
