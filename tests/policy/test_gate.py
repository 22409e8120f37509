"""May this send happen now?"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from sinchflow.model.project import Brake, Budget, Policy, QuietHours
from sinchflow.policy.gate import Allowed, Ask, Deferred, Refused, gate, spell

NIGHT = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)  # 23:30 in Melbourne
DAY = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)  # 12:00 in Melbourne
MORNING = datetime(2026, 12, 1, 21, 0, tzinfo=UTC)  # 08:00 in Melbourne
QUIET = QuietHours(from_=21 * 60, to=8 * 60)
QUIET_REASON = "quiet hours 21:00-08:00 in Australia/Melbourne (policy.quiet_hours)"
OPTED_OUT = "this contact has opted out (`sinchflow contacts allow` lets messages through again)"
BRAKE_REASON = "10 messages to this contact within 10m (policy.max_sends_per_contact)"

ASK = Ask(recipient="+61491570156", country="AU", now=NIGHT, timezone="Australia/Melbourne")
STRICT = Policy(
    quiet_hours=QUIET,
    max_sends_per_run=50,
    max_sends_per_flow=Budget(max=500, per=timedelta(days=1)),
    max_sends_per_day=2_000,
    allowed_countries=("AU", "NZ"),
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"is_suppressed": True}, OPTED_OUT),
        ({"is_suppressed": True, "is_staff": True, "is_urgent": True}, OPTED_OUT),
        (
            {"country": "LV"},
            "the number is in LV, and only AU, NZ may be texted (policy.allowed_countries)",
        ),
        (
            {"country": None},
            "the number is of no known country, and only AU, NZ may be texted (policy.allowed_countries)",
        ),
        ({"country": "LV", "is_urgent": True, "is_staff": True}, "the number is in LV, and only AU, NZ may be texted"),
        ({"country": "NZ"}, None),
        ({"sent_by_run": 49}, None),
        ({"sent_by_run": 50}, "50 messages by this run (policy.max_sends_per_run)"),
        ({"sent_by_run": 51, "is_urgent": True}, "50 messages by this run (policy.max_sends_per_run)"),
        ({"sent_by_flow": 499}, None),
        ({"sent_by_flow": 500}, "500 messages by this flow within 1d (policy.max_sends_per_flow)"),
        ({"sent_by_flow": 500, "is_staff": True}, "500 messages by this flow within 1d (policy.max_sends_per_flow)"),
        ({"sent_today": 1_999}, None),
        ({"sent_today": 2_000}, "2000 messages today (policy.max_sends_per_day)"),
        ({"sent_to_contact": 9}, None),
        ({"sent_to_contact": 10}, BRAKE_REASON),
        ({"sent_to_contact": 10, "is_urgent": True}, BRAKE_REASON),
        ({"sent_to_contact": 10, "last_inbound_at": DAY}, BRAKE_REASON),
        ({"sent_to_contact": 10_000, "is_staff": True}, None),
    ],
)
def test_message_is_refused_with_setting_and_numbers(changes, reason):
    verdict = gate(STRICT, replace(ASK, **{"now": DAY, **changes}))
    if reason is None:
        assert verdict == Allowed()
    else:
        assert isinstance(verdict, Refused)
        assert verdict.reason.startswith(reason)


@pytest.mark.parametrize("now", [DAY, NIGHT])
def test_defaults_limit_the_run_and_the_contact_only(now):
    everything = replace(ASK, now=now, country=None, sent_by_flow=10**6, sent_today=10**6)
    assert gate(Policy(), everything) == Allowed()
    assert gate(Policy(), replace(everything, sent_by_run=50)) != Allowed()
    assert gate(Policy(), replace(everything, sent_to_contact=10)) != Allowed()


@pytest.mark.parametrize(
    ("brake", "sent", "reason"),
    [
        (Brake(), 9, None),
        (Brake(), 10, BRAKE_REASON),
        (Brake(max=1, per=timedelta(seconds=90)), 1, "1 messages to this contact within 90s"),
        (Brake(max=0, per=timedelta(days=1)), 0, "0 messages to this contact within 1d"),
        (None, 1_000_000, None),
    ],
)
def test_brake_lets_so_many_through_and_names_its_setting(brake, sent, reason):
    verdict = gate(Policy(max_sends_per_contact=brake), replace(ASK, sent_to_contact=sent))
    if reason is None:
        assert verdict == Allowed()
    else:
        assert isinstance(verdict, Refused)
        assert verdict.reason.startswith(reason)


@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        ({}, True),
        ({"now": DAY}, False),
        ({"is_urgent": True}, False),
        ({"is_staff": True}, False),
        ({"last_inbound_at": NIGHT}, False),
        ({"last_inbound_at": NIGHT - timedelta(minutes=30)}, False),
        ({"last_inbound_at": NIGHT - timedelta(minutes=30, microseconds=1)}, True),
        ({"last_inbound_at": NIGHT - timedelta(days=1)}, True),
        ({"last_inbound_at": NIGHT + timedelta(seconds=2)}, False),  # its clock is ahead of ours
        ({"timezone": "UTC"}, False),  # 12:30 there
        ({"timezone": "America/New_York"}, True),  # 07:30 there
        ({"timezone": "Europe/London"}, False),
    ],
)
def test_quiet_hours_hold_what_nobody_waits_for(changes, is_held):
    deferred, dropped = (
        gate(Policy(quiet_hours=replace(QUIET, action=action)), replace(ASK, **changes)) for action in ("defer", "drop")
    )
    assert (isinstance(deferred, Deferred), isinstance(dropped, Refused)) == (is_held, is_held)
    assert (deferred == Allowed(), dropped == Allowed()) == (not is_held, not is_held)


def test_quiet_hours_defer_to_their_end_or_drop():
    assert gate(STRICT, ASK) == Deferred(until=MORNING, reason=QUIET_REASON)
    dropping = replace(STRICT, quiet_hours=replace(QUIET, action="drop"))
    assert gate(dropping, ASK) == Refused(reason=QUIET_REASON)


def test_what_was_deferred_passes_when_its_time_has_come():
    verdict = gate(STRICT, ASK)
    assert isinstance(verdict, Deferred)
    assert gate(STRICT, replace(ASK, now=verdict.until)) == Allowed()
    assert isinstance(gate(STRICT, replace(ASK, now=verdict.until - timedelta(microseconds=1))), Deferred)


def test_what_is_final_is_asked_first():
    worst = replace(
        ASK,
        is_suppressed=True,
        country="LV",
        sent_by_run=50,
        sent_by_flow=500,
        sent_today=2_000,
        sent_to_contact=10,
    )
    mended = [
        {},
        {"is_suppressed": False},
        {"country": "AU"},
        {"sent_by_run": 0},
        {"sent_by_flow": 0},
        {"sent_today": 0},
        {"sent_to_contact": 0},
        {"is_urgent": True},
    ]
    named = []
    for changes in mended:
        worst = replace(worst, **changes)
        verdict = gate(STRICT, worst)
        named.append("" if isinstance(verdict, Allowed) else verdict.reason)
    words = ["opted out", "allowed_countries", "per_run", "per_flow", "per_day", "per_contact", "quiet_hours", ""]
    assert [word for word, reason in zip(words, named, strict=True) if word not in reason] == []
    assert all(first != second for first, second in pairwise(named))
    assert not any(worst.recipient in reason for reason in named)  # reasons outlive the person's number


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
