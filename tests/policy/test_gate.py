"""May this send happen now?"""

from datetime import timedelta

import pytest

from sinchflow.model.project import Brake, Policy
from sinchflow.policy.gate import gate, spell


@pytest.mark.parametrize(
    ("brake", "sent", "reason"),
    [
        (Brake(), 9, None),
        (Brake(), 10, "10 messages to this contact within 10m (policy.max_sends_per_contact)"),
        (Brake(max=1, per=timedelta(seconds=90)), 1, "1 messages to this contact within 90s"),
        (Brake(max=0, per=timedelta(days=1)), 0, "0 messages to this contact within 1d"),
        (None, 1_000_000, None),
    ],
)
def test_brake_lets_so_many_through_and_names_its_setting(brake, sent, reason):
    refusal = gate(Policy(max_sends_per_contact=brake), sent)
    if reason is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.reason.startswith(reason)


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(seconds=90), "90s"),
        (timedelta(minutes=10), "10m"),
        (timedelta(hours=36), "36h"),
        (timedelta(days=2), "2d"),
        (timedelta(), "0s"),
    ],
)
def test_durations_are_spelled_as_flows_write_them(duration, words):
    assert spell(duration) == words
