"""What is read without Jinja is read as Jinja would."""

import pytest

from sinchflow.expression.inspect import inspect_template
from sinchflow.expression.inspection import inspect_plain

HOLES = [
    "{{ a }}", "{{a.b}}", "{{ a.b.c }}", "{{ a.b | default('c') }}", '{{ a.b|default("c") }}', "{{ a | default(3) }}",
    "{{ a | d('x') }}", "{{\n a.b\n}}", "{{ steps.one.json.a_b.c2 | default('') }}", "{{ a.b.default('c') }}",
    "{{ none }}", "{{ true }}", "{{ not }}", "{{ a.true }}", "{{ loop.index }}", "{{ calendars.office }}", "{{ now }}",
    "{{ self.x }}", "{{ a._b }}", "{{ _a }}", "{{ a.1 }}", "{{ a..b }}", "{{ a.b | upper }}", "{{ a | default() }}",
    "{{ a | default('x' ~ b) }}", "{{ a | default('it\\'s') }}", "{{ a | default(-1) }}", "{{ a b }}", "{{ 3 }}",
    "{{ }}", "{{- a.b -}}", "{{ a.if }}", "{{ for }}", "{{ in }}", "{{ and }}", "{{ a.in.b }}", "{{ is }}",
    "{{ else }}",
]  # fmt: skip


@pytest.mark.parametrize("hole", HOLES)
def test_plain_hole_is_read_as_jinja_reads_it(hole):
    plain = inspect_plain(hole)
    assert plain is None or plain == inspect_template(hole)


def test_plainest_holes_need_no_jinja():
    assert [hole for hole in HOLES if inspect_plain(hole)][:6] == HOLES[:6]
