"""The gate that every send passes before its intent is stored, and again when a deferral has ended.

It knows nothing of the journal: the caller looks up and counts, the gate decides. The order of its questions is the
order of what is most final: who must get nothing at all, what the project may not spend, what must only wait.
"""

from datetime import datetime, timedelta

import msgspec

from sinchflow.model.project import Brake, Policy
from sinchflow.policy.quiet_hours import is_quiet, quiet_until

#: How long after a person's own message an answer may come in quiet hours.
GRACE = timedelta(minutes=30)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """May this message to `recipient` leave now?

    country: the recipient's (`countries.country_of`), needed where the policy lists countries. timezone: where the
    recipient is (`quiet_hours.zone_name`). last_inbound_at: when the recipient last texted us. The counts are of what
    has gone through the gate before: sent_to_contact within the brake's `per`, sent_by_flow within its budget's `per`,
    sent_today since midnight in the project's time zone.
    """

    recipient: str
    now: datetime
    country: str | None = None
    timezone: str = "UTC"
    is_suppressed: bool = False
    is_staff: bool = False
    is_urgent: bool = False
    last_inbound_at: datetime | None = None
    sent_to_contact: int = 0
    sent_by_run: int = 0
    sent_by_flow: int = 0
    sent_today: int = 0


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """The message may leave now."""


class Deferred(msgspec.Struct, frozen=True, kw_only=True):
    """The message must wait; at `until` (UTC) the gate is to be asked again. `reason` is shown to people."""

    until: datetime
    reason: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The message must not be sent; `reason` is shown to people."""

    reason: str


_ALLOWED = Allowed()


def gate(policy: Policy, ask: Ask) -> Allowed | Deferred | Refused:
    """Whether the message may leave now, later or not at all."""
    if ask.is_suppressed:
        return Refused(reason="this contact has opted out (`sinchflow contacts allow` lets messages through again)")
    reason = _country(policy, ask) or _budgets(policy, ask) or _brake(policy, ask)
    return Refused(reason=reason) if reason else _quiet_hours(policy, ask)


def _country(policy: Policy, ask: Ask) -> str | None:
    allowed = policy.allowed_countries
    if not allowed or ask.country in allowed:
        return None
    where = "is of no known country" if ask.country is None else f"is in {ask.country}"
    return f"the number {where}, and only {', '.join(allowed)} may be texted (policy.allowed_countries)"


def _budgets(policy: Policy, ask: Ask) -> str | None:
    most = policy.max_sends_per_run
    if ask.sent_by_run >= most:
        return f"{most} messages by this run (policy.max_sends_per_run)"
    budget = policy.max_sends_per_flow
    if budget is not None and ask.sent_by_flow >= budget.max:
        return f"{budget.max} messages by this flow within {spell(budget.per)} (policy.max_sends_per_flow)"
    day = policy.max_sends_per_day
    if day is not None and ask.sent_today >= day:
        return f"{day} messages today (policy.max_sends_per_day)"
    return None


def _brake(policy: Policy, ask: Ask) -> str | None:
    brake = policy.max_sends_per_contact
    if brake is None or ask.is_staff or ask.sent_to_contact < brake.max:
        return None
    return brake_reason(brake)


def _quiet_hours(policy: Policy, ask: Ask) -> Allowed | Deferred | Refused:
    hours = policy.quiet_hours
    if hours is None or ask.is_urgent or ask.is_staff or not is_quiet(hours, ask.now, ask.timezone):
        return _ALLOWED
    if ask.last_inbound_at is not None and abs(ask.now - ask.last_inbound_at) <= GRACE:
        return _ALLOWED
    reason = f"quiet hours {_clock(hours.from_)}-{_clock(hours.to)} in {ask.timezone} (policy.quiet_hours)"
    if hours.action == "drop":
        return Refused(reason=reason)
    return Deferred(until=quiet_until(hours, ask.now, ask.timezone), reason=reason)


def brake_reason(brake: Brake) -> str:
    """Why the brake refused, and which setting it is."""
    return f"{brake.max} messages to this contact within {spell(brake.per)} (policy.max_sends_per_contact)"


def _clock(minutes: int) -> str:
    """Minutes after midnight as `21:00`."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def spell(duration: timedelta) -> str:
    """A duration as flows write it: `90s`, `10m`, `24h`, `2d`."""
    seconds = duration.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"
