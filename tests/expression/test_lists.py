"""Lists in templates: rows in order, and whose number is in them."""

import pytest

from sinchflow.expression.lists import ListData
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Condition, Text
from sinchflow.model.origin import Origin

ORIGIN = Origin("a.yaml", 1, 1)
VIP = ListData([{"number": "+61491570156", "name": "Joe"}, {"number": "+61491570157", "name": "Ann"}])
SCOPE = {"lists": {"vip": VIP, "empty": ListData()}, "contact": {"number": "+61491570157"}}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("contact.number in lists.vip", True),
        ("'+61491570158' in lists.vip", False),
        ("'Joe' in lists.vip", False),
        ("5 in lists.vip", False),
        ("none in lists.vip", False),
        ("contact.number in lists.empty", False),
        ("lists.vip", True),
        ("lists.empty", False),
        ("lists.vip | length == 2", True),
        ("lists['vip'][1].name == 'Ann'", True),
        ("lists.vip[0].phone is defined", False),
        ("lists.vip[5] is defined", False),
    ],
)
def test_condition_on_a_list(source, value):
    assert Templates().holds(Condition(source, ORIGIN), SCOPE) is value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ lists.vip }}", [dict(row) for row in VIP]),
        ("{{ lists.vip[:1] }}", [VIP[0]]),
        ("{{ lists.vip | join(', ', attribute='name') }}", "Joe, Ann"),
        ("{% for row in lists.vip %}{{ row.name }} {% endfor %}", "Joe Ann "),
        ("{{ (lists.vip | last).number }}", "+61491570157"),
    ],
)
def test_value_of_a_list(source, value):
    assert Templates().value(Text(source, ORIGIN), SCOPE) == value


@pytest.mark.parametrize("source", ["{{ lists.vip.rows }}", "{{ lists.vip.numbers }}", "{{ lists.gone[0].name }}"])
def test_list_has_no_other_parts(source):
    with pytest.raises(ExpressionError, match="is missing"):
        Templates().text(Text(source, ORIGIN), SCOPE)


def test_number_is_found_as_fast_in_a_long_list():
    long = ListData([{"number": f"+6149{n:07}"} for n in range(20_000)])
    assert all(f"+6149{n:07}" in long for n in range(20_000))
    assert "+61480000000" not in long
