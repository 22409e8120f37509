"""The outbox: sends wait here for the account's throttle, travel together, and come back with an outcome.

Each send was stored as an intent before it got here. Before a call, the call's id is stored with each of its sends
(`sending`), so that after a crash exactly those sends are in doubt that were in a call. What may have reached the
provider is never repeated here: `settle` finds out about it. A call is atomic at the provider, so a refused batch can
be taken apart and the good ones sent (sinch-api.md section 3.1).

To one recipient at most one message is in a call at any time, so messages arrive in the order of their intents.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from msgspec.structs import replace

from sinchflow.engine.backoff import is_retried, longest_pause, next_attempt
from sinchflow.journal.journal import Journal
from sinchflow.model.command import Failed
from sinchflow.model.project import DEFAULT_ACCOUNT, Limits
from sinchflow.model.send import Call, Send
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.settle import Settling
from sinchflow.runtime.settled import SEND_ID, Settled, leaves_by, refused, sent, timed_out
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.switch import Switch
from sinchflow.runtime.window import CallWindow
from sinchflow.sinch import messages
from sinchflow.sinch.apart import apart
from sinchflow.sinch.client import Client, NotSent, Unknown

log = structlog.get_logger("sinchflow")

#: Calls under way at once; httpx slows down with many callers.
_CALLS_AT_ONCE = 8
#: While a call is under way, another one that would not be full waits this long after it, and fills up. A provider
#: that answers fast gets large batches one after the other, a slow one gets several at once.
_FILL_UP = timedelta(milliseconds=20)
#: Pause after the first call that failed; doubles up to the longest.
_PAUSE = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=60)
#: With a refused key, one call is tried this often.
_REFUSED_KEY_PAUSE = timedelta(seconds=60)


class Outbox:
    """Sends of one account. `settle` is told what became of them; it stores it and lets the runs go on."""

    def __init__(
        self,
        *,
        account: str,
        client: Client | None,
        window: CallWindow,
        journal: Journal,
        commits: Commits,
        clock: Clock,
        stats: Stats,
        loop: asyncio.AbstractEventLoop,
        settle: Callable[[Sequence[Settled]], None],
        refusal: Callable[[Send], Settled | None],
        settling: Settling,
        switch: Switch,
    ) -> None:
        """settle: told what became of sends. refusal: why a send must not leave any more, asked right before.

        settling: takes the sends of which nobody knows whether they went out.
        """
        self._account = account
        self._client = client
        self._window = window
        self._journal = journal
        self._commits = commits
        self._clock = clock
        self._stats = stats
        self._loop = loop
        self._settle = settle
        self._refusal = refusal
        self._settling = settling
        self._switch = switch
        self._queues: dict[str, list[Send]] = {}  # by recipient, oldest first
        self._ready: deque[str] = deque()  # recipients with something queued and nothing in a call
        self._busy: set[str] = set()  # recipients with a message in a call
        self._parts: deque[list[Send]] = deque()  # of batches taken apart; their recipients are busy
        self._calls: set[asyncio.Task[None]] = set()
        self._starting = 0  # calls being stored
        self._last_began = datetime.min.replace(tzinfo=UTC)
        self._failures = 0  # calls in a row that failed
        self._paused_until: datetime | None = None
        self._limited_until: datetime | None = None  # what the provider asked for: a success of before does not end it
        self._wakes_at: datetime | None = None
        self._is_scheduled = False
        self._is_stopping = False
        #: under which subject this account's trouble is noted
        self.trouble = "provider" if account == DEFAULT_ACCOUNT else f"provider:{account}"

    @property
    def has_ready(self) -> bool:
        """Whether sends would make a call now, had the throttle room."""
        is_paused = self._paused_until is not None and self._paused_until > self._clock.steady()
        is_paused = is_paused or self._switch.paused is not None
        return bool(self._ready or self._parts) and not is_paused and self._client is not None

    @property
    def waits_until(self) -> datetime | None:
        """Until when no call is tried, because calls have failed or the provider asked for it. By the steady time."""
        return self._paused_until

    @property
    def queued(self) -> int:
        """Sends that wait for a call."""
        return sum(map(len, self._queues.values())) + sum(map(len, self._parts))

    @property
    def _calls_under_way(self) -> int:
        return len(self._calls) + self._starting

    def put(self, send: Send) -> None:
        """Take a stored send; it leaves as soon as the throttle, its recipient's earlier messages and `due` allow."""
        if send.due is not None and send.due > self._clock.now():
            ready = replace(send, due=None)
            pause = min(send.due - self._clock.now(), longest_pause(send.command.retry))
            self._clock.call_after(pause, lambda: self.put(ready))
            return
        expires_at = leaves_by(send)
        if expires_at is not None and expires_at <= self._clock.now():  # while no daemon ran
            self._loop.call_soon(lambda: self._settle([timed_out(send)]))
            return
        if expires_at is not None:
            self._clock.call_at(expires_at, lambda: self._expire(send))
        self._enqueue(send)

    def begin_now(self, send: Send) -> bool:
        """Begin a call for a new send that need not wait for anybody; its intent and the call are one unit.

        False when it has to wait: the caller stores it `queued` and then `put`s it.
        """
        recipient, now = send.command.to, self._clock.steady()
        has_to_wait = (
            self._is_stopping
            or self._client is None
            or self._switch.paused is not None
            or self._calls_under_way
            or self._ready
            or self._parts
            or self._failures
            or recipient in self._busy
            or recipient in self._queues
            or (self._paused_until is not None and self._paused_until > now)
            or self._window.opens_at(now, 1) > now
        )
        if not has_to_wait:
            self._busy.add(recipient)
            self._begin([send], now, is_new=True)
        return not has_to_wait

    def reconnect(self, client: Client | None, limits: Limits) -> None:
        """Use other credentials and limits from the next call on; calls made so far still count. None: send nothing."""
        if client is not self._client:
            self._client = client
            self._limited_until = None
            self._resume()
            if client is None and self.queued:
                self._miss_account()
        self._window.limits = limits
        self._pump_soon()

    async def stop(self) -> None:
        """Start no more calls, and wait for those under way; what is queued stays in the journal."""
        self._is_stopping = True
        await self._commits.drain()
        if self._calls:
            await asyncio.wait(self._calls)

    def put_back(self, send: Send) -> None:
        """Take a send again that was in a call: it goes before its recipient's later ones."""
        self._enqueue(send, first=True)

    def look_again(self) -> None:
        """Sends may leave again."""
        self._pump_soon()

    def heard(self) -> None:
        """The provider has answered a question. When no send is there to try it, its trouble is taken for over."""
        is_paused = self._paused_until is not None and self._paused_until > self._clock.now()
        if self._failures and not (self.queued or self._calls_under_way or is_paused):
            self._stats.troubles.pop(self.trouble, None)

    def _enqueue(self, send: Send, *, first: bool = False) -> None:
        recipient = send.command.to
        queue = self._queues.get(recipient)
        if queue is None:
            self._queues[recipient] = [send]
            if recipient not in self._busy:
                self._ready.append(recipient)
        elif first:
            queue.insert(0, send)
        else:
            queue.append(send)
        if self._client is None:
            self._miss_account()
        self._pump_soon()

    def _miss_account(self) -> None:
        self._stats.troubles[self.trouble] = f'account "{self._account}" is not in sinchflow.yaml; its messages wait'

    def _pump_soon(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Start as many calls as throttle, pause and the bound on calls at once allow."""
        self._is_scheduled = False
        while (self._ready or self._parts) and not self._is_stopping and self._client is not None:
            if self._switch.paused is not None:
                return  # `resume` looks again
            if self._calls_under_way >= (1 if self._failures else _CALLS_AT_ONCE):
                return  # a call that ends pumps again
            now = self._clock.steady()
            opens_at = self._window.opens_at(now, len(self._ready))
            if self._calls_under_way and len(self._ready) < self._window.limits.batch and not self._parts:
                opens_at = max(opens_at, self._last_began + _FILL_UP)
            if self._paused_until is not None and self._paused_until > opens_at:
                opens_at = self._paused_until
            if opens_at > now:
                self._wake_at(opens_at)
                return
            batch = self._still_wanted(self._parts.popleft()) if self._parts else self._take()
            if batch:
                self._begin(batch, now)

    def _wake_at(self, when: datetime) -> None:
        if self._wakes_at is None or when < self._wakes_at:
            self._wakes_at = when
            self._clock.call_after(when - self._clock.steady(), self._wake)

    def _wake(self) -> None:
        self._wakes_at = None
        self._pump_soon()

    def _take(self) -> list[Send]:
        """The next batch: the oldest send of each ready recipient. After a call that failed, a single one."""
        size = min(len(self._ready), 1 if self._failures else self._window.limits.batch)
        batch = []
        for _ in range(size):
            recipient = self._ready.popleft()
            queue = self._queues[recipient]
            send = queue.pop(0)
            if not queue:
                del self._queues[recipient]
            refused = self._refusal(send)
            if refused is None:
                batch.append(send)
                self._busy.add(recipient)
                continue
            if queue:
                self._ready.append(recipient)
            self._settle([refused])
        return batch

    def _still_wanted(self, part: list[Send]) -> list[Send]:
        """Those of a part that may leave; the others' recipients are free again."""
        refused = {send.id: settled for send in part if (settled := self._refusal(send)) is not None}
        if refused:
            self._settle([*refused.values()])
            for send in part:
                if send.id in refused:
                    self._release(send.command.to)
        return [send for send in part if send.id not in refused]

    def _begin(self, batch: list[Send], now: datetime, *, is_new: bool = False) -> None:
        """Store that these sends are in a call from now on; the call is made once that is on disk."""
        self._window.note(now)
        self._last_began = now
        call = Call(id=self._journal.new_id(), account=self._account, started_at=self._clock.now())
        sending = [
            replace(send, state="sending", call=call.id, attempt=send.attempt + 1, reason=None) for send in batch
        ]
        unit = self._commits.unit
        unit.calls.append(call)
        (unit.new_sends if is_new else unit.sends).extend(sending)
        unit.thens.append(lambda: self._call(sending))
        self._starting += 1
        self._commits.flush_soon()

    def _call(self, batch: list[Send]) -> None:
        self._starting -= 1
        task = self._loop.create_task(self._exchange(batch))
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        self._window.end(self._clock.steady())
        if not task.cancelled() and (error := task.exception()) is not None:
            # Our bug. The sends stay `sending`: the next start holds them, and none of them is repeated.
            self._stats.internal_errors += 1
            log.error("internal error in a call to the provider", exc_info=error)

    async def _exchange(self, batch: list[Send]) -> None:
        if self._switch.paused is not None:  # since the call was stored
            self._put_back(batch)
            return
        self._settling.begins(batch)
        client = self._client  # a reload may take the account away between the storing of a call and the call
        bodies = [self._body(send) for send in batch]
        result = NotSent(reason="the account is gone") if client is None else await messages.send(client, bodies)
        self._stats.calls[type(result).__name__] += 1
        settled = self._settled(batch, result)
        if not isinstance(result, Unknown):
            self._settling.ended(self._account, batch, is_taken=isinstance(result, messages.Accepted))
        if settled:
            self._settle(settled)
        in_parts = {send.id for part in self._parts for send in part}
        for send in batch:
            if send.id not in in_parts:
                self._release(send.command.to)
        # The task leaves `_calls` only after this coroutine has returned.
        self._loop.call_soon(self._pump_soon)

    def _put_back(self, batch: list[Send]) -> None:
        """Nothing of the call has left: as if it had not begun."""
        waiting = [replace(send, state="queued", call=None, attempt=send.attempt - 1) for send in batch]
        self._settle([self._requeue(send) for send in waiting])
        for send in batch:
            self._release(send.command.to)

    def _body(self, send: Send) -> dict[str, Any]:
        """The Message object, with our id in its metadata."""
        body = send.command.body
        return {**body, "metadata": {**body.get("metadata", {}), SEND_ID: self.send_id(send)}}

    def send_id(self, send: Send) -> str:
        """20 characters that name this send among all of the provider's account: the journal's identity, our key."""
        return self._journal.send_ids.write(send.id)

    def _release(self, recipient: str) -> None:
        self._busy.discard(recipient)
        if recipient in self._queues:
            self._ready.append(recipient)

    def _settled(self, batch: list[Send], result: messages.SendResult) -> list[Settled]:
        """What the call's result means for each send; schedules what has to be tried again."""
        match result:
            case messages.Accepted():
                self._resume()
                return [sent(send, message) for send, message in zip(batch, result.messages, strict=True)]
            case messages.Rejected():
                self._resume()
                return self._rejected(batch, result)
            case messages.Unauthorised():
                reason = f"the provider refused the API key (401: {result.message}); check `credentials`"
                self._stats.troubles[self.trouble] = reason
                self._pause(_REFUSED_KEY_PAUSE)
                return [self._requeue(replace(send, state="held", call=None, reason=reason)) for send in batch]
            case messages.Limited():
                self._pause(result.retry_after or _PAUSE * 5)
                self._limited_until = self._paused_until
                return [self._again(send, "status", 429, "the provider asked to slow down (429)") for send in batch]
            case NotSent():
                self._fail(result.reason)
                return [self._again(send, "connection", None, result.reason) for send in batch]
            case Unknown():
                self._fail(result.reason, is_away=self._failures > 0)  # one alone may be just a broken connection
                return self._settling.doubt(batch, result.reason)

    def _rejected(self, batch: list[Send], result: messages.Rejected) -> list[Settled]:
        """The good go on, the bad fail alone."""
        found = apart(result, len(batch))
        waiting = [settled for part in found.parts for settled in self._apart([batch[index] for index in part])]
        return waiting + [refused(batch[index], words, result.status) for index, words in found.refused.items()]

    def _apart(self, part: list[Send]) -> list[Settled]:
        """Nothing of a refused batch was sent: this part of it travels next."""
        waiting = [replace(send, state="queued", call=None) for send in part]
        self._parts.append(waiting)
        return [(send, None) for send in waiting]

    def _again(self, send: Send, kind: str, status: int | None, reason: str) -> Settled:
        """Nothing was sent: queue it once more, unless its tries or its time are used up."""
        now = self._clock.now()
        retry = send.command.retry
        due: datetime | None = None
        if retry is None:
            is_over = now - send.created_at > self._settling.valid_for(send.command)
        else:
            due = next_attempt(retry, send.attempt, send.command.id, now) if is_retried(retry, kind, status) else None
            is_over = due is None
        if is_over:
            failed = Failed(command=send.command.id, kind=kind, message=reason, status=status, to=send.command.to)
            return replace(send, state="not_sent", reason=reason), failed
        return self._requeue(replace(send, state="queued", call=None, due=due, reason=reason))

    def _requeue(self, waiting: Send) -> Settled:
        expires_at = leaves_by(waiting)
        if expires_at is not None and expires_at <= (waiting.due or self._clock.now()):
            return timed_out(waiting)
        if expires_at is not None:  # it may have come back from its first call without ever having been `put`
            self._clock.call_at(expires_at, lambda: self._expire(waiting))
        if waiting.due is not None:
            self.put(waiting)
        else:
            self._enqueue(waiting, first=True)
        return waiting, None

    def _expire(self, send: Send) -> None:
        """Take a send that is still queued out: its step's timeout has passed."""
        queue = self._queues.get(send.command.to, [])
        for position, queued in enumerate(queue):
            if queued.id == send.id:
                del queue[position]
                if not queue:
                    del self._queues[send.command.to]
                    if send.command.to in self._ready:
                        self._ready.remove(send.command.to)
                self._settle([timed_out(queued)])
                return

    def _fail(self, reason: str, *, is_away: bool = True) -> None:
        """A call got nowhere, or nobody knows where: go on with single messages, ever more rarely, until one arrives.

        So a provider in trouble spoils few sends, and a queue that it cannot take waits instead.
        """
        self._failures += 1
        if is_away:
            self._stats.troubles[self.trouble] = reason
        self._pause(min(_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE))

    def _pause(self, duration: timedelta) -> None:
        until = self._clock.steady() + duration
        if self._paused_until is None or until > self._paused_until:
            self._paused_until = until

    def _resume(self) -> None:
        self._failures = 0
        self._paused_until = self._limited_until
        self._stats.troubles.pop(self.trouble, None)
        self._pump_soon()
