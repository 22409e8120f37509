"""Messages of which nobody knows whether they went out: finds out, or does what the step or the project wants.

Theory of operation
-------------------
A call to the provider may end without telling whether it was acted upon: a timeout after the request was written, a
reset, a 5xx, a 2xx that cannot be read, a crash of ours. The provider knows no idempotency key, so such a message is
never simply sent again. What is done is its `on_unknown`:

- `hold`: it waits for a person. `resend`: it is sent again. `skip`: its run goes on without it.
- `check`: it is looked up by its send id, which it carries as metadata, in what the provider tells anyway (receipts and
  replies) and in the provider's detail report. A call is atomic: one message that is found proves its whole batch,
  unless it was in an earlier call as well, which may be the one that was acted upon.
  That the report lacks a message means something only when the report is known to have got that far: when it shows a
  message of ours that was taken later (the watermark), and the settling time has passed. Then it is sent once more.
  What is neither found nor known to be lacking after `unknown_after` is held.

A message that is held for that reason is still proven by a receipt, and a person may resolve it (`by_hand`).

A look-up is not stored: what it finds out is, in one unit with what follows for the run. After a crash the look-ups
begin anew, with receipts that came in between; a message is in doubt until its resolution is on disk.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import structlog

from sinchflow.journal.journal import Act, Journal
from sinchflow.model.command import SendMessage
from sinchflow.model.project import Sends
from sinchflow.model.send import Send
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.lanes import LONGEST_WAIT
from sinchflow.runtime.line import RankedCalls
from sinchflow.runtime.look_up import Evidence, LookUp
from sinchflow.runtime.settled import (
    SEND_ID,
    Settled,
    again,
    given_up,
    passed_over,
    proven,
    too_late,
    withdrawn,
)
from sinchflow.runtime.stats import Stats

log = structlog.get_logger("sinchflow")

#: How a person resolves: it went out; send it again; go on without it; let its step fail.
ByHand = Literal["sent", "resend", "skip", "fail"]

_LOOKED_UP = "; being looked up"
#: A message is in this many calls at most; who never answers may have sent each.
_MOST_CALLS = 5
_STOPPED = "the daemon stopped while this message was in a call to the provider"


class Doubt(msgspec.Struct):
    """A message in doubt. since: when the doubt began, by the steady time; later after a restart. reason: why.

    after: an id of the journal's from then: calls with a higher one began later, whatever was done to the clock.
    is_proven: another message of its call was found, so it went out; only its message id is still looked for.
    is_held: it waits for a person.
    """

    send: Send
    since: datetime
    after: int
    reason: str
    is_proven: bool = False
    is_held: bool = False


class Settling:
    """See the module's text. On the loop's thread only.

    settle: told what became of messages. requeue: takes one that is to be sent again. work: told of a run's message
    whose call begins. rest: told of one that nothing is heard of soon. wanted_by: the flow whose run still waits for a
    message, None when none does.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        rules: Callable[[], Sends],
        settle: Callable[[Sequence[Settled]], None],
        work: Callable[[Send], None],
        rest: Callable[[Send], None],
        wanted_by: Callable[[Send], str | None],
    ) -> None:
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._rules = rules
        self._settle = settle
        self._work = work
        self._rest = rest
        self._wanted_by = wanted_by
        self._requeue: Callable[[Send], None] = lambda _send: None
        self._calls: Callable[[str], RankedCalls] | None = None
        self._doubts: dict[int, Doubt] = {}
        self._by_call: dict[int, dict[int, Doubt]] = {}
        self._in_calls: set[int] = set()  # sends whose call is under way
        self._heard: dict[int, Mapping[str, Any]] = {}  # receipts and replies of those, by send
        self._taken_up: list[Send] = []
        self._look_ups: dict[str, LookUp] = {}

    def connect(self, calls: Callable[[str], RankedCalls], requeue: Callable[[Send], None]) -> None:
        """How an account is asked, and where messages go that are to be sent again."""
        self._calls = calls
        self._requeue = requeue

    @property
    def rules(self) -> Sends:
        """The project's, as they are now."""
        return self._rules()

    def __len__(self) -> int:
        return len(self._doubts)

    @property
    def looked_up(self) -> int:
        """Messages that are being looked up."""
        return sum(not each.is_held for each in self._doubts.values())

    def doubt_of(self, send_id: int) -> Doubt | None:
        """What is not known of a message; None when nothing is in doubt."""
        return self._doubts.get(send_id)

    async def stop(self) -> None:
        """Look nothing up any more; the next start does."""
        for look_up in self._look_ups.values():
            await look_up.stop()

    # --- what is told -----------------------------------------------------------------------------------------------

    def begins(self, batch: Iterable[Send]) -> None:
        """A call with these begins: what is heard of them from now on counts."""
        for send in batch:
            self._in_calls.add(send.id)
            self._work(send)

    def ended(self, account: str, batch: Sequence[Send], *, is_taken: bool) -> None:
        """The call's outcome is known. is_taken: whether the provider has taken its messages."""
        ids = [send.id for send in batch]
        self._in_calls.difference_update(ids)
        for send_id in ids:
            self._heard.pop(send_id, None)
        look_up, mark = self._look_ups.get(account), next(filter(_is_witness, batch), None)
        if is_taken and look_up is not None and mark is not None and mark.call is not None:
            look_up.note_taken(mark.id, mark.call)

    def doubt(self, batch: Sequence[Send], reason: str) -> list[Settled]:
        """The call's outcome is not known: what becomes of each of its messages for now."""
        now = self._clock.steady()
        self._in_calls.difference_update(send.id for send in batch)
        heard = {send.id: self._heard.pop(send.id) for send in batch if send.id in self._heard}
        words, after = f"outcome unknown: {reason}", self._journal.new_id()
        doubts = [Doubt(send=send, since=now, after=after, reason=words) for send in batch]
        return self._weighed(doubts, heard, self._decided)

    def take_up(self, send: Send) -> None:
        """A message that a former process left in a call, in doubt, or held because of that."""
        if not self._taken_up:
            self._loop.call_soon(self._take_up_all)
        self._taken_up.append(send)

    def hear(self, fields: Mapping[str, Any]) -> bool:
        """A receipt or a reply: it proves that the message it is about was taken. Whether a run goes on with that."""
        if not self._doubts and not self._in_calls:
            return False
        send_id = self._journal.send_ids.read((fields.get("metadata") or {}).get(SEND_ID))
        if send_id is None:
            return False
        if send_id in self._in_calls:
            self._heard[send_id] = fields
        elif (doubt := self._doubts.get(send_id)) is not None:
            call = doubt.send.call
            batch = [*self._by_call[call].values()] if call is not None and _is_witness(doubt.send) else [doubt]
            for each in batch:
                self._forget(each)
            self._settle(self._weighed(batch, {send_id: fields}, self._decided))
            return True
        return False

    def by_hand(self, send_id: int, how: ByHand, by: str, message_id: str | None = None) -> str | None:
        """A person's word. Why it cannot be done, or None once it is decided and about to be stored."""
        doubt = self._doubts.get(send_id)
        if doubt is None:
            return "nothing about it is in doubt"
        send, now = doubt.send, self._clock.now()
        if how == "resend" and self._wanted_by(send) is None:
            return "its run has ended, nobody waits for it any more: send a new message, or resolve it otherwise"
        self._forget(doubt)
        words = f"resolved by {by}: {_WORDS[how]}"
        match how:
            case "sent":
                self._settle([proven(send, message_id, None, words)])
            case "resend":
                self._send_again(again(send, words))
            case "skip":
                self._settle([passed_over(send, words)])
            case "fail":
                self._settle([given_up(send, words)])
        self._stats.resolved[f"by_hand_{how}"] += 1
        act = Act(id=self._journal.new_id(), at=now, what="resolve", subject=str(send_id), detail=f"{by}: {how}")
        self._commits.unit.acts.append(act)
        self._commits.flush_soon()
        return None

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _take_up_all(self) -> None:
        """With what was heard of them before the former process stopped."""
        sends, self._taken_up = self._taken_up, []
        now, after = self._clock.steady(), self._journal.new_id()
        by_text = {self._journal.send_ids.write(send.id): send.id for send in sends}
        first = min(send.call or send.id for send in sends)
        heard = {by_text[text]: fields for text, fields in self._journal.heard_of(by_text, first).items()}
        batches: dict[int, list[Send]] = {}
        for send in sends:
            batches.setdefault(send.call or -send.id, []).append(send)
        settled: list[Settled] = []
        for batch in batches.values():
            reason = f"outcome unknown: {_STOPPED}"
            doubts = [Doubt(send=each, since=now, after=after, reason=_plain(each.reason) or reason) for each in batch]
            known = {each.id: heard[each.id] for each in batch if each.id in heard}
            settled += self._weighed(doubts, known, self._still_held)
        if settled:
            self._settle(settled)

    def _still_held(self, doubt: Doubt) -> Settled | None:
        """What was held stays so; the others are doubted anew."""
        if doubt.send.state != "held":
            return self._decided(doubt)
        doubt.is_held = True
        self._keep(doubt)
        self._rest(doubt.send)
        return None

    def _decided(self, doubt: Doubt) -> Settled:
        """What a new doubt means for its message."""
        match doubt.send.command.on_unknown or self.rules.on_unknown:
            case "check":
                return self._looked_up(doubt)
            case "hold":
                return self._held(doubt)
            case "resend":
                return self._repeated(doubt, "resend")
            case "skip":
                self._stats.resolved["skip"] += 1
                return passed_over(doubt.send, doubt.reason)

    def _looked_up(self, doubt: Doubt) -> Settled:
        doubt.send = msgspec.structs.replace(doubt.send, state="unknown", reason=doubt.reason + _LOOKED_UP)
        self._keep(doubt)
        send = doubt.send
        self._clock.call_after(LONGEST_WAIT, lambda: self._rest_if_unknown(send))
        look_up = self._look_ups.get(send.command.account)
        if look_up is None:
            look_up = self._look_ups[send.command.account] = self._open(send.command.account)
        look_up.begin()
        return send, None

    def _open(self, account: str) -> LookUp:
        assert self._calls is not None  # connected before anything is taken up
        return LookUp(
            account=account, calls=self._calls(account), clock=self._clock, stats=self._stats, loop=self._loop,
            write=self._journal.send_ids.write,
            wanted=lambda: [
                each for each in self._doubts.values() if not each.is_held and each.send.command.account == account
            ],
            settling_time=lambda: self.rules.settling_time, deadline=self._deadline, judge=self._judge,
        )  # fmt: skip

    def _rest_if_unknown(self, send: Send) -> None:
        if send.id in self._doubts:
            self._rest(send)

    def _deadline(self, doubt: Doubt) -> datetime:
        return doubt.since + (doubt.send.command.unknown_after or self.rules.unknown_after)

    def _judge(self, account: str, evidence: Evidence | None) -> None:
        """A look-up has come back, or failed (None)."""
        now, settling_time = self._clock.steady(), self.rules.settling_time
        settled: list[Settled] = []
        for call in {each.send.call for each in self._doubts.values() if each.send.command.account == account}:
            batch = [each for each in self._by_call.get(call or 0, {}).values() if not each.is_held]
            found = {} if evidence is None else {
                each.send.id: evidence.found[each.send.id] for each in batch if each.send.id in evidence.found
            }  # fmt: skip
            is_acted_upon = any(_is_witness(each.send) for each in batch if each.send.id in found)
            is_new = is_acted_upon and not any(each.is_proven for each in batch)
            for each in batch:
                each.is_proven = each.is_proven or is_acted_upon
                if each.send.id in found:
                    row = found[each.send.id]
                    settled.append(self._known(each, row.message_id, row.status, "found in the provider's report"))
                elif each.is_proven and now >= self._deadline(each):
                    settled.append(self._known(each, None, None, "others of its call were found at the provider"))
                elif not each.is_proven and evidence is not None and evidence.is_absent(each, settling_time):
                    settled.append(self._absent(each))
                elif not each.is_proven and now >= self._deadline(each):
                    self._forget(each)
                    settled.append(self._held(each, "; it was neither found at the provider nor known to be missing"))
            if is_new:
                log.info("a call of unknown outcome was acted upon: found at the provider", call=call)
        if settled:
            self._settle(settled)

    def _known(self, doubt: Doubt, message_id: str | None, status: str | None, how: str) -> Settled:
        self._forget(doubt)
        self._stats.resolved["found"] += 1
        return proven(doubt.send, message_id, status, f"{doubt.reason}; {how}")

    def _weighed(
        self, doubts: Sequence[Doubt], heard: Mapping[int, Mapping[str, Any]],
        otherwise: Callable[[Doubt], Settled | None],
    ) -> list[Settled]:  # fmt: skip
        """What becomes of a call's messages: those that a receipt or a reply has come to went out, and with a witness
        all of them. otherwise: decides about those of which nothing is proven; None: nothing changes."""
        settled: list[Settled] = []
        is_acted_upon = any(_is_witness(each.send) for each in doubts if each.send.id in heard)
        for doubt in doubts:
            fields = heard.get(doubt.send.id)
            if fields is not None:
                message_id = fields.get("message_id")
                status = (
                    fields.get("status") if fields.get("delivery_report_id") else None
                )  # a reply has one of its own
                how = "the provider told of it"
                settled.append(self._known(doubt, message_id, status, how))
            elif is_acted_upon:
                doubt.is_proven, doubt.is_held = True, False
                settled.append(self._looked_up(doubt))
            elif (decided := otherwise(doubt)) is not None:
                settled.append(decided)
        return settled

    def _absent(self, doubt: Doubt) -> Settled:
        self._forget(doubt)
        return self._repeated(doubt, "absent")

    def _repeated(self, doubt: Doubt, why: str) -> Settled:
        """Send it once more, if somebody still wants it and it is of use."""
        send, now = doubt.send, self._clock.now()
        if send.attempt >= _MOST_CALLS:
            return self._held(doubt, f"; it was in {send.attempt} calls, and is not sent again by itself")
        self._stats.resolved[why] += 1
        if self._wanted_by(send) is None:
            return withdrawn(send)
        valid_for = self.valid_for(send.command)
        words = "it is not at the provider" if why == "absent" else "it may have gone out"
        if now - send.created_at > valid_for:
            return too_late(send, valid_for, f"{doubt.reason}; {words}; ")
        ready = again(send, f"{doubt.reason}; {words} and is sent once more")
        self._loop.call_soon(self._requeue, ready)
        return ready, None

    def _send_again(self, ready: Send) -> None:
        self._settle([(ready, None)])
        self._commits.unit.thens.append(lambda: self._requeue(ready))
        self._commits.flush_soon()

    def valid_for(self, command: SendMessage) -> timedelta:
        """How long after its intent a message is of use."""
        return command.valid_for or self.rules.valid_for

    def _held(self, doubt: Doubt, more: str = "") -> Settled:
        doubt.is_held = True
        doubt.send = msgspec.structs.replace(doubt.send, state="held", reason=f"{doubt.reason}{more}")
        self._keep(doubt)
        self._stats.resolved["held"] += 1
        return doubt.send, None

    def _keep(self, doubt: Doubt) -> None:
        send = doubt.send
        self._doubts[send.id] = doubt
        if send.call is not None:
            self._by_call.setdefault(send.call, {})[send.id] = doubt

    def _forget(self, doubt: Doubt) -> None:
        send = doubt.send
        self._doubts.pop(send.id, None)
        if send.call is not None and (batch := self._by_call.get(send.call)) is not None:
            batch.pop(send.id, None)
            if not batch:
                del self._by_call[send.call]


def _is_witness(send: Send) -> bool:
    """Whether its call must have been acted upon when the provider has the message: it was in no other."""
    return send.attempt == 1


def _plain(reason: str | None) -> str:
    return (reason or "").removesuffix(_LOOKED_UP)


_WORDS: dict[ByHand, str] = {
    "sent": "it went out",
    "resend": "to be sent again",
    "skip": "the run goes on without it",
    "fail": "its step fails",
}
