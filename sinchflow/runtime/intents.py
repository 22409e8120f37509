"""Messages that runs ask for, on their way through policy's gate: stored as intents, deferred, or refused.

A message that must wait for a time is stored as `deferred`; when that time has come the gate is asked again. What may
go is handed to its account's outbox once its intent is on disk.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from sinchflow.journal.journal import Journal
from sinchflow.model.command import Outcome, SendMessage, Skipped
from sinchflow.model.project import Project
from sinchflow.model.run import Run
from sinchflow.model.send import Send
from sinchflow.policy.gate import Allowed, Deferred
from sinchflow.runtime.accounts import Accounts
from sinchflow.runtime.allowances import Allowances
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.outbox import Outbox
from sinchflow.runtime.people import People
from sinchflow.runtime.policy_flows import is_confirmation
from sinchflow.runtime.settled import Settled, too_late, withdrawn
from sinchflow.runtime.stats import Stats


class Intents:
    """See the module's text. settle: told about a message that does not leave in the end. wanted_by: the flow whose run
    still waits for a message to leave."""

    def __init__(
        self, *, journal: Journal, commits: Commits, clock: Clock, stats: Stats, project: Callable[[], Project],
        settle: Callable[[list[Settled]], None], wanted_by: Callable[[Send], str | None],
        lists: Callable[[], Mapping[str, Any]], people: People,
    ) -> None:  # fmt: skip
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._project = project
        self._settle = settle
        self._wanted_by = wanted_by
        self._people = people
        self._accounts: Accounts | None = None
        self._storing_to: Counter[str] = Counter()  # sends by recipient that go to the outbox once they are on disk
        self._deferred: dict[int, dict[int, Send]] = {}  # by run and id
        self.allowances = Allowances(lists, people, clock.steady)
        #: called with each message that policy puts off or refuses
        self.on_held_back: list[Callable[[Send], None]] = []
        clock.on_set_back.append(self._ask_all_again)

    def connect(self, accounts: Accounts) -> None:
        """Where messages go from now on."""
        self._accounts = accounts

    def intend(self, run: Run, command: SendMessage, *, is_alone: bool) -> Send | Outcome | None:
        """Store a message within the unit that is being gathered.

        Gives the send to `take` once that is on disk, None when it is on its way already, or the outcome when policy
        refuses it. is_alone: whether nothing else of the run could travel with it.
        """
        now = self._clock.now()
        send = Send(id=self._journal.new_id(), run=run.id, command=command, state="queued", created_at=now)
        verdict = self.allowances.ask(self._project(), run, command, now)
        unit = self._commits.unit
        match verdict:
            case Allowed():
                if is_alone and command.to not in self._storing_to and self._outbox(command).begin_now(send):
                    return None
            case Deferred(until=until, reason=reason):
                send = replace(send, state="deferred", due=until, reason=reason)
                self._stats.sends["deferred"] += 1
                self._tell(send)
            case _:
                self._stats.sends["skipped"] += 1
                send = replace(send, state="skipped", reason=verdict.reason)
                unit.new_sends.append(send)
                self._tell(send)
                return Skipped(command=command.id, to=command.to, reason=verdict.reason)
        unit.new_sends.append(send)
        self._storing_to[command.to] += 1
        return send

    def _tell(self, send: Send) -> None:
        for tell in self.on_held_back:
            tell(send)

    def take(self, send: Send) -> None:
        """The intent is on disk: the message waits for its time, or for its turn."""
        recipient = send.command.to
        self._storing_to[recipient] -= 1
        if not self._storing_to[recipient]:
            del self._storing_to[recipient]
        self.resume(send)

    def resume(self, send: Send) -> None:
        """A stored message that is not in a call."""
        if send.state == "deferred" and send.due is not None:
            self._deferred.setdefault(send.run, {})[send.id] = send
            self._clock.call_at(send.due, lambda: self._ask_again(send))
        else:
            self._outbox(send.command).put(send)

    def forget_run(self, run_id: int) -> None:
        """The run has ended: what it has put off comes to nothing."""
        self.allowances.forget_run(run_id)
        if sends := self._deferred.pop(run_id, {}):
            self._settle([withdrawn(send) for send in sends.values()])

    def refusal(self, send: Send) -> Settled | None:
        """What becomes of a queued message that must not leave any more; None when it may."""
        flow, to = self._wanted_by(send), send.command.to
        if flow is None:
            return withdrawn(send)
        valid_for = send.command.valid_for or self._project().sends.valid_for
        if self._clock.now() - send.created_at > valid_for:
            return too_late(send, valid_for)
        if not self._people.is_suppressed(to) or is_confirmation(flow):
            return None
        reason = "this contact opted out before the message could leave"
        skipped = Skipped(command=send.command.id, to=to, reason=reason)
        return replace(send, state="skipped", due=None, reason=reason), skipped

    def _ask_all_again(self) -> None:
        """The clock was set back: the times that policy chose may be far off."""
        for sends in list(self._deferred.values()):
            for send in list(sends.values()):
                self._ask_again(send)

    def _ask_again(self, send: Send) -> None:
        """The time that policy chose has come."""
        now = self._clock.now()
        if self._deferred.get(send.run, {}).pop(send.id, None) is None:
            return  # it was withdrawn
        flow = self._wanted_by(send)
        if flow is None:
            self._settle([withdrawn(send)])
            return
        verdict = self.allowances.ask_again(self._project(), flow, send.command, now)
        match verdict:
            case Allowed():
                ready = replace(send, state="queued", due=None, reason=None)
                self._commits.unit.sends.append(ready)
                self._commits.unit.thens.append(lambda: self._outbox(ready.command).put(ready))
            case Deferred(until=until, reason=reason):
                later = replace(send, due=until, reason=reason)
                self._commits.unit.sends.append(later)
                self._commits.unit.thens.append(lambda: self.resume(later))
            case _:
                refused = replace(send, state="skipped", due=None, reason=verdict.reason)
                skipped = Skipped(command=send.command.id, to=send.command.to, reason=verdict.reason)
                self._settle([(refused, skipped)])
        self._commits.flush_soon()

    def _outbox(self, command: SendMessage) -> Outbox:
        assert self._accounts is not None  # connected before anything is taken up
        return self._accounts.outbox(command.account)
