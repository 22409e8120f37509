"""Waits between attempts."""

from datetime import UTC, datetime, timedelta

import pytest

from sinchflow.engine.backoff import is_retried, next_attempt
from sinchflow.model.flow import Retry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def wait_s(retry: Retry, attempt: int, key: str = "7:0:0", after_s: float | None = None) -> float | None:
    due = next_attempt(retry, attempt, key, NOW, None if after_s is None else timedelta(seconds=after_s))
    return None if due is None else (due - NOW).total_seconds()


@pytest.mark.parametrize(
    ("backoff", "longest_s"),
    [("constant", [10, 10, 10, 10]), ("linear", [10, 20, 30, 40]), ("exponential", [10, 20, 40, 60])],
)
def test_wait_grows_as_asked_up_to_max_delay_less_jitter(backoff, longest_s):
    retry = Retry(attempts=5, delay=timedelta(seconds=10), backoff=backoff, max_delay=timedelta(minutes=1))
    for attempt, longest in enumerate(longest_s, start=1):
        waits = [wait_s(retry, attempt, f"7:{n}:0") for n in range(200)]
        assert all(0.75 * longest <= wait <= longest for wait in waits)
        assert max(waits) - min(waits) > 0.2 * longest
    assert wait_s(retry, 5) is None


def test_same_command_always_waits_equally_long():
    assert wait_s(Retry(), 1) == wait_s(Retry(), 1) != wait_s(Retry(), 1, "7:1:0")


def test_very_many_attempts_do_not_overflow():
    assert wait_s(Retry(attempts=10_000), 9_999) <= 600


@pytest.mark.parametrize(
    ("max_delay", "after_s", "expected"),
    [
        (timedelta(minutes=10), 120, 120),
        (timedelta(minutes=10), 1_200, 1_200),  # longer than max_delay: the server knows
        (timedelta(minutes=10), 90_000, 3_600),
        (timedelta(hours=3), 90_000, 10_800),
    ],
)
def test_servers_wish_is_heeded_within_bounds(max_delay, after_s, expected):
    assert wait_s(Retry(max_delay=max_delay), 1, after_s=after_s) == expected


def test_shorter_wish_does_not_shorten_the_wait():
    assert wait_s(Retry(), 1, after_s=0) == wait_s(Retry(), 1)


@pytest.mark.parametrize(
    ("kind", "status", "when", "expected"),
    [
        ("timeout", None, None, True),
        ("connection", None, None, True),
        ("status", 429, None, True),
        ("status", 503, None, True),
        ("status", 404, None, False),
        ("status", 404, ("4xx",), True),
        ("status", 503, ("timeout", "502"), False),
        ("too_large", None, None, False),
        ("parse", 200, ("2xx",), False),
    ],
)
def test_only_what_when_names_is_retried(kind, status, when, expected):
    assert is_retried(Retry(when=when) if when else Retry(), kind, status) is expected
