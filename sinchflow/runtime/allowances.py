"""What a contact, a run and a flow have had lately: what throttle and policy are decided on.

Counts in memory, rebuilt from the journal at start; the verdicts are `policy`'s.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sinchflow.journal.journal import Snapshot
from sinchflow.model.command import SendMessage
from sinchflow.model.flow import Flow
from sinchflow.model.project import Policy, Project
from sinchflow.model.run import Run, otherwise_of
from sinchflow.policy.countries import country_of
from sinchflow.policy.gate import Allowed, Ask, Deferred, Refused, gate
from sinchflow.policy.quiet_hours import zone_name
from sinchflow.runtime.counts import RecentCounts, believed
from sinchflow.runtime.people import People
from sinchflow.runtime.policy_flows import is_confirmation

#: A day on which the clock is put back has 25.
_LONGEST_DAY = timedelta(hours=26)

Verdict = Allowed | Deferred | Refused


class Allowances:
    """Asking is using: what is let through, or put off, is counted."""

    def __init__(self, lists: Callable[[], Mapping[str, Any]], people: People, steady: Callable[[], datetime]) -> None:
        """lists: the live ones, as `Facts.lists`; `policy.staff` may name one. steady: see `Clock.steady`."""
        self._lists = lists
        self._people = people
        self._steady = steady
        self._starts: RecentCounts[tuple[str, str, str]] = RecentCounts()
        self._messages: RecentCounts[str] = RecentCounts()
        self._by_flow: RecentCounts[str] = RecentCounts()
        self._of_day: RecentCounts[str] = RecentCounts()
        self._by_run: Counter[int] = Counter()

    def restore(self, snapshot: Snapshot, now: datetime) -> None:
        """Count what a former process let through. now: by the wall clock, which its times are by."""
        ahead = self._steady() - now
        starts, sends = snapshot.run_starts, snapshot.send_times
        times = believed((when for *_, when in starts), now)
        for (flow_name, account, contact, _), when in zip(starts, times, strict=True):
            self._starts.note((flow_name, account, contact), when + ahead)
        times = believed((when for *_, when in sends), now)
        for (recipient, flow_name, _), at in zip(sends, times, strict=True):
            when = at + ahead
            self._messages.note(recipient, when)
            self._by_flow.note(flow_name.partition("\n")[0], when)
            self._of_day.note("", when)
        for run in snapshot.runs:
            self.take_up(run)

    def take_up(self, run: Run) -> None:
        """The run goes on after it had ended."""
        self._by_run[run.id] = run.let_through

    def admit_run(self, flow: Flow, run: Run) -> bool:
        """Whether the flow's throttle lets this run start."""
        throttle, now = flow.throttle, self._steady()
        if throttle is None or run.contact is None:
            return True
        key = (flow.name, run.account, run.contact)
        if self._starts.within(key, throttle.per, now) >= throttle.max:
            return False
        self._starts.note(key, now)
        return True

    def free_in(self, flow: Flow, run: Run) -> timedelta | None:
        """How long until the flow's throttle lets the next run of this contact start; None: it does."""
        throttle = flow.throttle
        if throttle is None or run.contact is None:
            return None
        key = (flow.name, run.account, run.contact)
        return self._starts.free_in(key, throttle.max, throttle.per, self._steady())

    def admit_otherwise(self, flow: Flow, run: Run) -> bool:
        """Whether a match that is throttled gets the steps of `otherwise`: once per contact within the time."""
        if flow.throttle is None or run.contact is None:
            return False
        key, now = (otherwise_of(flow.name), run.account, run.contact), self._steady()
        if self._starts.within(key, flow.throttle.per, now):
            return False
        self._starts.note(key, now)
        return True

    def ask(self, project: Project, run: Run, command: SendMessage, now: datetime) -> Verdict:
        """Whether policy lets this message leave now, later or not at all."""
        policy, steady = project.policy, self._steady()
        brake, budget, day = policy.max_sends_per_contact, policy.max_sends_per_flow, policy.max_sends_per_day
        ask = self._ask_about(
            project,
            run.flow,
            command,
            now,
            sent_to_contact=0 if brake is None else self._messages.within(command.to, brake.per, steady),
            sent_by_run=self._by_run[run.id],
            sent_by_flow=0 if budget is None else self._by_flow.within(run.flow, budget.per, steady),
            sent_today=0 if day is None else self._of_day.within("", since_midnight(now, project.timezone), steady),
        )
        verdict = gate(policy, ask)
        if not isinstance(verdict, Refused):
            if brake is not None:
                self._messages.note(command.to, steady)
            if budget is not None:
                self._by_flow.note(run.flow, steady)
            if day is not None:
                self._of_day.note("", steady)
            self._by_run[run.id] += 1
        return verdict

    def peek(self, project: Project, number: str, now: datetime) -> Verdict:
        """Whether policy would let a message to this person leave now; nothing is counted."""
        policy, steady = project.policy, self._steady()
        brake, day = policy.max_sends_per_contact, policy.max_sends_per_day
        command = SendMessage(id="", account="", to=number, body={})
        ask = self._ask_about(
            project, "", command, now,
            sent_to_contact=0 if brake is None else self._messages.within(number, brake.per, steady),
            sent_today=0 if day is None else self._of_day.within("", since_midnight(now, project.timezone), steady),
        )  # fmt: skip
        return gate(policy, ask)

    def brake_ends_in(self, project: Project, number: str) -> timedelta | None:
        """How long until the brake lets the next message to this person through; None: it does."""
        brake = project.policy.max_sends_per_contact
        return None if brake is None else self._messages.free_in(number, brake.max, brake.per, self._steady())

    def ask_again(self, project: Project, flow: str, command: SendMessage, now: datetime) -> Verdict:
        """The same for a message that was put off: it was counted then."""
        return gate(project.policy, self._ask_about(project, flow, command, now))

    def _ask_about(self, project: Project, flow: str, command: SendMessage, now: datetime, **counts: int) -> Ask:
        policy, to = project.policy, command.to
        person = None if policy.quiet_hours is None else self._people.known(to)
        return Ask(
            recipient=to,
            now=now,
            country=country_of(to) if policy.allowed_countries else None,
            timezone=zone_name(person.timezone, project.timezone) if person is not None else project.timezone,
            is_suppressed=self._people.is_suppressed(to) and not is_confirmation(flow),
            is_staff=self._is_staff(policy, to),
            is_urgent=command.is_urgent,
            last_inbound_at=None if person is None else person.last_inbound_at,
            **counts,
        )

    def of_run(self, run_id: int) -> int:
        """How many messages of a run were let through, or put off."""
        return self._by_run.get(run_id, 0)

    def forget_run(self, run_id: int) -> None:
        """The run has ended."""
        self._by_run.pop(run_id, None)

    def _is_staff(self, policy: Policy, number: str) -> bool:
        return number in policy.staff or (
            policy.staff_list is not None and number in self._lists().get(policy.staff_list, ())
        )


def since_midnight(now: datetime, timezone: str) -> timedelta:
    """How long the day has lasted there."""
    there = now.astimezone(ZoneInfo(timezone))
    return now - there.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def longest_memory(policy: Policy) -> timedelta:
    """How far back messages have to be known."""
    spans = [each.per for each in (policy.max_sends_per_contact, policy.max_sends_per_flow) if each is not None]
    if policy.max_sends_per_day is not None:
        spans.append(_LONGEST_DAY)
    return max(spans, default=timedelta())
