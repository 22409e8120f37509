"""What a contact has had lately: runs against a flow's throttle, messages against policy's brake.

Counts in memory, rebuilt from the journal at start; the verdicts are `policy`'s.
"""

from datetime import datetime

from sinchflow.journal.journal import Snapshot
from sinchflow.model.flow import Flow
from sinchflow.model.project import Policy
from sinchflow.model.run import Run
from sinchflow.policy.gate import Allowed, Ask, gate
from sinchflow.runtime.counts import RecentCounts


class Allowances:
    """Asking is using: what is let through is counted."""

    def __init__(self) -> None:
        self._starts: RecentCounts[tuple[str, str, str]] = RecentCounts()
        self._messages: RecentCounts[str] = RecentCounts()

    def restore(self, snapshot: Snapshot) -> None:
        """Count what a former process let through."""
        for flow_name, account, contact, when in snapshot.run_starts:
            self._starts.note((flow_name, account, contact), when)
        for recipient, when in snapshot.send_times:
            self._messages.note(recipient, when)

    def admit_run(self, flow: Flow, run: Run, now: datetime) -> bool:
        """Whether the flow's throttle lets this run start."""
        throttle = flow.throttle
        if throttle is None or run.contact is None:
            return True
        key = (flow.name, run.account, run.contact)
        if self._starts.within(key, throttle.per, now) >= throttle.max:
            return False
        self._starts.note(key, now)
        return True

    def refusal(self, policy: Policy, recipient: str, now: datetime) -> str | None:
        """Why policy refuses a message to this number now; None when it may go."""
        brake = policy.max_sends_per_contact
        if brake is None:
            return None
        sent = self._messages.within(recipient, brake.per, now)
        verdict = gate(policy, Ask(recipient=recipient, now=now, sent_to_contact=sent))
        if not isinstance(verdict, Allowed):
            return verdict.reason
        self._messages.note(recipient, now)
        return None
