"""How often something happened lately."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.runtime.counts import RecentCounts
from tests.examples import examples

START = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_only_what_is_younger_than_the_span_counts():
    counts: RecentCounts[str] = RecentCounts()
    for seconds in (0, 10, 50):
        counts.note("a", START + timedelta(seconds=seconds))
    assert counts.within("a", MINUTE, START + timedelta(seconds=55)) == 3
    assert counts.within("a", MINUTE, START + timedelta(seconds=60)) == 2
    assert counts.within("a", MINUTE, START + timedelta(seconds=111)) == 0
    assert counts.within("b", MINUTE, START) == 0


@settings(max_examples=examples(100), deadline=None)
@given(
    happened=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 100)), max_size=200),
    spans=st.lists(st.sampled_from([1, 30, 600]), min_size=1, max_size=4),
)
def test_counts_are_those_of_the_plain_definition(happened, spans):
    counts: RecentCounts[str] = RecentCounts()
    counts.within("a", timedelta(seconds=600), START)
    now, times = START, {"a": [], "b": []}
    for position, (key, gap_s) in enumerate(happened):
        now += timedelta(seconds=gap_s)
        counts.note(key, now)
        times[key].append(now)
        span = timedelta(seconds=spans[position % len(spans)])
        for each in "ab":
            expected = sum(when.timestamp() > now.timestamp() - span.total_seconds() for when in times[each])
            assert counts.within(each, span, now) == expected
