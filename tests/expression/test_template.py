"""Texts, values and conditions over a scope: what they give, and what they refuse in which words."""

from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.expression.filters import NAMES, TIMEZONE
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Condition, Text
from sinchflow.model.origin import Origin

ORIGIN = Origin("a.yaml", 3, 9)
NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
MENDING = "; use `default` to say what stands there then"
SCOPE = {
    "event": {
        "content": "Hi there",
        "message_id": None,
        "metadata": {"order": "12", "items": "of metadata"},
        "list": ["b", "a", "b"],
        "paid": True,
    },
    "vars": {"n": 3, "people": [{"name": "Ada", "age": 36}, {"name": "Bo", "age": 5}]},
    "run": {"started_at": NOW - timedelta(minutes=90)},
    "now": lambda: NOW,
    TIMEZONE: "Australia/Melbourne",
}


def text(source: str, templates: Templates | None = None) -> str:
    return (templates or Templates()).text(Text(source, ORIGIN), SCOPE)


def value(source: str):
    return Templates().value(Text(source, ORIGIN), SCOPE)


def refused(call, source: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        call(source)
    assert caught.value.origin == ORIGIN
    return caught.value.message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("no holes: { } %", "no holes: { } %"),
        ("{{ event.content }}\n", "Hi there\n"),
        ("{{ event.paid }} {{ 1.5 }} {{ event.list }}", 'true 1.5 ["b", "a", "b"]'),
        ("{{ event.metadata.items }}", "of metadata"),  # the item, never dict.items
        ("{{ event['content'][0:2] }}{{ event.list.1 }}", "Hia"),
        ("{{ now() }}", "2026-03-02T22:30:00+00:00"),
        ("{{ now() | local }}", "2026-03-03 09:30"),
        ("{{ now() | local('%a %d %b %H:%M') }}", "Tue 03 Mar 09:30"),
        (
            "{{ '2026-12-03T10:00+11:00' | local }} {{ '2026-12-03T10:00' | local }}",
            "2026-12-03 10:00 2026-12-03 10:00",
        ),
        ("{{ now().year }}-{{ now().weekday }} {{ now() | timestamp }}", "2026-1 1772490600"),
        ("{{ now() - run.started_at }}", "5400"),
        ("{{ event.metadata.none | default('x') }}{{ event.message_id | default('y') }}", "xy"),
        ("{{ '' | default('z', true) }}{{ event.a.b.c | default('!') }}", "z!"),
        ("{{ 'A b' | lower }}{{ 'a b' | title }}{{ ' a ' | trim }}{{ 'ab' | upper | reverse }}", "a bA BaBA"),
        ("{{ event.list | unique | sort | join(', ') }}", "a, b"),
        ("{{ vars.people | join(' & ', attribute='name') }}", "Ada & Bo"),
        ("{{ vars.people | sum(attribute='age') }} {{ event.list | length }}", "41 3"),
        ("{{ event.list | first }}{{ event.list | last }}{{ [3, 1] | min }}{{ [3, 1] | max }}", "bb13"),
        ("{{ '12' | int + 1 }} {{ '1.9' | int }} {{ 'x' | int(7) }} {{ '1.5' | float }}", "13 1 7 1.5"),
        ("{{ 2.345 | round(2) }} {{ -3 | abs }} {{ event.paid | string }}", "2.35 3 true"),
        ("{{ 'a b&c' | urlencode }} {{ {'a': 'b c'} | urlencode }}", "a%20b%26c a=b%20c"),
        ("{{ 'a/../b' | urlencode }} {{ '...' | urlencode }}", "a%2F..%2Fb ..."),
        ("{{ 'one two three' | truncate(8) }} {{ 'a,b' | split(',') | tojson }}", 'one... ["a", "b"]'),
        ("{{ 'a-b' | replace('-', '+') | capitalize }}", "A+b"),
        ("{{ now() | plus('24h') | local }} {{ now() | minus('1d') | local }}", "2026-03-04 09:30 2026-03-02 09:30"),
        ("{{ '2026-04-05T01:30' | plus('2h') }}", "2026-04-05T02:30:00+10:00"),  # the clock was put back
        ("{{ '+61491570156' | phone }} {{ '+61491570156' | phone('national') }}", "+61 491 570 156 0491 570 156"),
        ("{{ '0061 491 570 156' | phone('e164') if false else '+1 202-555-0143' | phone }}", "+1 202-555-0143"),
        ("{{ '+61491570156' | mask }} {{ '+61491570156' | mask(0) }}", "+********156 +***********"),
        ("{{ '4711' | mask(4) }} {{ 'Ada' | mask }} {{ '' | mask }}", "**11 **a "),
        ("{{ 'Zażółć – “ok” 👍🏽 Łódź… ½' | gsm7 }} {{ '日本 5€' | gsm7 }}", 'Zazolc - "ok"  Lodz... 1/2 ?? 5€'),
        (
            "{{ ('word ' * 60) | truncate_sms | length }} {{ ('żółw ' * 60) | truncate_sms(2, '…') | length }}",
            "157 130",
        ),
        ("{{ 'as it is' | truncate_sms(1, end='') }}", "as it is"),
        ("{{ event.paid ~ 1 ~ 'x' }} {{ 'ab' * 2 }} {{ 7 % 4 }} {{ 2 ** 8 }}", "true1x abab 3 256"),
        ("{% if event.paid %}paid{% elif 1 %}{% else %}open{% endif %}", "paid"),
        ("{% for p in vars.people %}{{ loop.index }}{{ p.name }} {% endfor %}", "1Ada 2Bo "),
        ("{{ 'y' if event.message_id is none and event.x is not defined else 'n' }}", "y"),
        ("{{ 'Hi' in event.content }} {{ 4 is divisibleby(2) }} {{ event.list is sequence }}", "true true true"),
        ("{% raw %}{{ as it is }}{% endraw %}{# unseen #}", "{{ as it is }}"),
        ("ünïcödé 👍 {{ '👍' }}", "ünïcödé 👍 👍"),
    ],
)
def test_text_is_rendered(source, expected):
    assert text(source) == expected


@pytest.mark.parametrize("filter_", sorted(NAMES - {"default"}))
def test_no_filter_makes_text_of_none(filter_):
    arguments = {"replace": "('a', 'b')", "plus": "('1h')", "minus": "('1h')"}.get(filter_, "")
    for nothing in ("event.message_id", "event.metadata.nothing"):
        if filter_ == "tojson" and nothing == "event.message_id":
            assert text("{{ event.message_id | tojson }}") == "null"
            continue
        message = refused(text, f"{{{{ {nothing} | {filter_}{arguments} }}}}")
        assert message.startswith(f"`{nothing} | {filter_}{arguments}` has no value: ")
        assert message.endswith(MENDING)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ event.message_id }}", "`event.message_id` has no value: it is none"),
        ("{{ event.paid }} {{ event.metadata.x }}", '`event.metadata.x` has no value: "x" is missing'),
        ("{{ nowhere.at.all }}", '`nowhere.at.all` has no value: "nowhere" is missing'),
        ("{{ 'a' ~ event.message_id }}", "`'a' ~ event.message_id` has no value: it is none"),
        ("{{ ['a', event.message_id] | join }}", "`['a', event.message_id] | join` has no value: it is none"),
        ("{{ [] | first }}", "`[] | first` has no value: No first item, sequence was empty."),
        ("{{ event.content.upper }}", '`event.content.upper` has no value: "upper" is missing'),
        ("{{ '..' | urlencode }}", '`\'..\' | urlencode` has no value: ".." cannot be a part of an address'),
        ("{{ 'x' | int }}", '`\'x\' | int` has no value: "x" is not a number; say what counts instead: int(0)'),
        (
            "{{ 'soon' | local }}",
            "`'soon' | local` has no value: \"soon\" is not a time; write it as 2026-12-03T10:00+11:00",
        ),
        ("{{ 5 | local }}", "`5 | local` has no value: a number is not a time"),
        ("{{ 5 | plus('1h') }}", "`5 | plus('1h')` has no value: a number is not a time"),
        (
            "{{ now() | plus('soon') }}",
            "`now() | plus('soon')` has no value: \"soon\" is no duration; write it as 30s, 15m, 24h or 2d",
        ),
        ("{{ 'boss' | phone }}", "`'boss' | phone` has no value: \"boss\" is not a phone number"),
        (
            "{{ '+61491570156' | phone('short') }}",
            "`'+61491570156' | phone('short')` has no value: phone takes international, national, e164, not short",
        ),
        ("{{ 'x' | truncate_sms(0) }}", "`'x' | truncate_sms(0)` has no value: truncate_sms takes 1 to 32 SMS"),
        (
            "{{ ('a ' * 99) | truncate_sms(1, 'b' * 161) }}",
            "`('a ' * 99) | truncate_sms(1, 'b' * 161)` has no value: "
            f'"{"b" * 40}" alone does not fit into 1 SMS',
        ),
        (
            "{{ 'x' | mask(-1) }}",
            "`'x' | mask(-1)` has no value: mask takes how many characters are shown, such as mask(3)",
        ),
        ("{{ event.message_id[:5] }}", "`event.message_id[:5]` has no value: it is none"),
        ("{{ event[:5] }}", "`event[:5]` has no value: a mapping has no parts to cut out"),
        ("{{ none[:] }}", "`none[:]` has no value: it is none"),
        ("{{- - event.content -}}", "`- event.content` has no value: bad operand type for unary -: a text"),
        ("{{ now }}", "`now` has no value: a function (write it with parentheses) is no value"),
        ("{{ 1 / 0 }}", "`1 / 0` has no value: division by zero"),
        ("{{ '\\ud800' }}", "`{{ '\\ud800' }}` has no value: it holds half a character (a lone surrogate)"),
        ("{{ a b }}", "`{{ a b }}` is no template: expected token 'end of print statement', got 'b'"),
        ("{{ event.__class__ }}", '`{{ event.__class__ }}` is no template: "__class__": names do not begin with _'),
        (
            "{{ event.content.upper() }}",
            "`{{ event.content.upper() }}` is no template: "
            "`upper(…)` cannot be called; the only function is now(): use the filter, `| upper`",
        ),
        ("{% set a = 1 %}", "`{% set a = 1 %}` is no template: templates have no `set`: use a `set` step"),
    ],
)  # fmt: skip
def test_text_without_a_value_says_which_hole_and_why(source, expected):
    assert refused(text, source).removesuffix(MENDING) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10001 }}",
        "{{ [1] * 2 }}",
        "{{ 2 ** 65 }}",
        "{{ (10 ** 64) ** 64 }}",
        "{{ 'x' * 10000 | replace('x', 'y' * 100) }}",
        "{{ ('x' * 10000) | list | join('y' * 100) }}",
        "{{ ('x' * 10000) | replace('', 'y' * 100) }}",
        "{{ 1.5 | round(1000000000, 'ceil') }}",
        "{{ 1.5 | round(1, '__class__') }}",
        "{% for i in 'x' * 101 %}{% for j in 'x' * 100 %}{% endfor %}{% endfor %}",
        "{% for i in 'x' * 10000 %}{{ 'y' * 100 }}{% endfor %}",
        "{{ 1e400 }}",
        "{{ '%9999s' % 1 }}",
        "{{ range(9) }}",
        "{{ lipsum() }}",
        "{{ event['__class__'] }}",
        "{{ event.list | sort(attribute='__class__') }}",
        "{{ event.content | __text }}",
        "{{ self }}",
        "{{ __timezone }}",
        "{% macro a() %}{% endmacro %}",
        "{% include 'a' %}",
        "{% import 'a' as b %}",
        "{% extends 'a' %}",
        "{% block a %}{% endblock %}",
        "{% call a() %}{% endcall %}",
        "{% filter upper %}{% endfilter %}",
        "{% with a = 1 %}{% endwith %}",
        "{% for a in [1] recursive %}{% endfor %}",
        "{{ event" + ".a" * 300 + " }}",
        "{{ event.content" + " | upper" * 300 + " }}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ " + "not " * 300 + "1 }}",
        "{% if 1 %}" * 50 + "{% endif %}" * 50,
        "{% for a in [1] %}" * 25 + "{% endfor %}" * 25,
        "{{ 1" + " + 1" * 500 + " }}",
    ],
)
def test_what_could_do_harm_is_refused(source):
    refused(text, source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("12", "12"),
        ("{{ vars.n }}", 3),
        (" {{ vars.n }}", " 3"),
        ("{{ event.paid }}", True),
        ("{{ event.message_id }}", None),
        ("{{ event.list | reverse }}", ["b", "a", "b"]),
        ("{{ (1, event.list | unique) }}", [1, ["b", "a"]]),
        ("{{ {1: {'a': none}} }}", {"1": {"a": None}}),
        ("{{ now() }}", NOW),
        ("{{ now() - run.started_at }}", 5400),
        ("{{ event.metadata }}", {"order": "12", "items": "of metadata"}),
    ],
)
def test_value_of_a_single_hole_keeps_its_type(source, expected):
    result = value(source)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("source", ["{{ x }}", "{{ [event.x] }}", "{{ 10 ** 30 }}", "{{ now }}", "{{ {none: 1} }}"])
def test_value_that_cannot_be_stored_is_refused(source):
    refused(value, source)


def test_data_is_evaluated_in_depth():
    tree = {"a": (Text("{{ vars.n }}", ORIGIN), 1, None), "b": {"c": Text("n={{ vars.n }}", ORIGIN), "d": True}}
    assert Templates().data(tree, SCOPE) == {"a": [3, 1, None], "b": {"c": "n=3", "d": True}}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("vars.n > 2 and event.paid", True),
        ("event.message_id", False),
        ("not event.list", False),
        ("event.metadata.x is defined", False),
        ("event.metadata.x | default(0) == 0", True),
        ("now().hour in [22, 23]", True),
        ("'12' == event.metadata.order", True),
    ],
)
def test_condition_holds_or_not(source, expected):
    assert Templates().holds(Condition(source, ORIGIN), SCOPE) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("event.metadata.x", '`event.metadata.x` has no value: "x" is missing'),
        ("vars.n > 'a'", "`vars.n > 'a'` has no value: '>' not supported between instances of a number and a text"),
        ("vars.n =", "`vars.n =` is no template: expected the end of the condition, found \"=\""),
    ],
)  # fmt: skip
def test_condition_without_a_value_is_refused(source, expected):
    assert (
        refused(lambda given: Templates().holds(Condition(given, ORIGIN), SCOPE), source).removesuffix(MENDING)
        == expected
    )


def test_compiled_templates_are_forgotten_when_there_are_too_many():
    templates = Templates(capacity=2)
    assert [text(f"{{{{ vars.n }}}}{n}", templates) for n in (1, 2, 3, 1)] == ["31", "32", "33", "31"]


def test_same_source_in_another_place_names_that_place():
    templates = Templates()
    for line in (1, 2):
        with pytest.raises(ExpressionError) as caught:
            templates.text(Text("{{ event.x }}", Origin("a.yaml", line, 1)), SCOPE)
        assert caught.value.origin == Origin("a.yaml", line, 1)
