"""The throttle's sliding window: when the next call may start."""

import heapq
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchflow.model.project import Limits
from sinchflow.runtime.window import CallWindow
from tests.examples import examples

START = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("calls", "made", "now", "waiting", "opens"),
    [
        (4, [], 0, 1, 0),  # nothing counted yet
        (4, [0], 1, 1, 1),  # more than half of the window is free
        (4, [0, 1], 2, 1, 16),  # half is used: spaced by 60 s / 4 from the last
        (4, [0, 1], 20, 1, 20),  # spaced enough already
        (4, [0, 1], 2, 10, 2),  # a full batch does not wait for its place
        (4, [0, 1, 2, 3], 4, 10, 60.001),  # used up: when the oldest leaves the window
        (4, [0, 1, 2, 3], 60, 1, 60),  # the oldest has left; spaced from the last
        (4, [0, 1, 2, 3, 4, 5], 6, 1, 62.001),  # the limit was lowered: the two oldest have to go
        (1, [0], 1, 1, 60.001),
        (None, [0, 0, 0], 0, 1, 0),
    ],
)
def test_next_call_opens_when_the_rule_says(calls, made, now, waiting, opens):
    limits = Limits(calls=calls, per=timedelta(seconds=60), batch=10)
    window = CallWindow(limits, [at(second) for second in made])
    assert (window.opens_at(at(now), waiting) - START).total_seconds() == opens


def test_calls_of_a_former_process_count_in_any_order():
    window = CallWindow(Limits(calls=2), [at(5), at(0)])
    assert window.used(at(10)) == 2
    assert window.opens_at(at(10), 1) == at(60.001)


def test_switching_the_limit_on_counts_the_calls_made_without_it():
    window = CallWindow(Limits(calls=None))
    for second in range(5):
        window.note(at(second))
        window.end(at(second))
    window.limits = Limits(calls=2)
    assert window.opens_at(at(5), 100) == at(63.001)


@pytest.mark.parametrize(
    ("ended", "now", "opens"),
    [
        ([], 30, 90.001),  # nobody knows yet: look again
        ([20], 30, 80.001),
        ([20, 25], 30, 80.001),
        ([20, 25], 81, 81),
    ],
)
def test_call_counts_until_a_window_after_its_answer(ended, now, opens):
    window = CallWindow(Limits(calls=2, per=timedelta(seconds=60)))
    window.note(at(0))
    window.note(at(1))
    for second in ended:
        window.end(at(second))
    assert (window.opens_at(at(now), 100) - START).total_seconds() == opens


@settings(max_examples=examples(200), deadline=None)
@given(
    calls=st.integers(1, 12),
    batch=st.integers(1, 4),
    gaps=st.lists(
        st.tuples(st.floats(0, 30), st.integers(1, 6), st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=60
    ),
)
def test_provider_never_gets_more_calls_than_allowed_in_any_window(calls, batch, gaps):
    """Wherever between a call's start and its answer it arrives."""
    per = timedelta(seconds=60)
    window = CallWindow(Limits(calls=calls, per=per, batch=batch))
    now, arrived, ends = START, [], []
    for gap_s, waiting, there_s, back_s in gaps:
        now += timedelta(seconds=gap_s)
        while True:
            while ends and ends[0] <= now:
                window.end(heapq.heappop(ends))
            opens = window.opens_at(now, waiting)
            if opens <= now:
                break
            now = min([opens, *ends[:1]])
        window.note(now)
        arrived.append(now + timedelta(seconds=there_s))
        heapq.heappush(ends, now + timedelta(seconds=there_s + back_s))
    arrived.sort()
    for first, over in zip(arrived, arrived[calls:], strict=False):
        assert over - first >= per
