"""Calls of `http` steps and questions to the provider: one task per attempt, and the timers of those that wait.

It makes calls and decides, by `engine.backoff`, whether there is another attempt. What must survive (which attempt,
when it is due, the outcome) is the worker's to store before anything follows from it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Protocol

import structlog
from msgspec.structs import replace

from sinchflow.engine.backoff import is_retried, longest_pause, next_attempt
from sinchflow.engine.repeating import REPEATS, on_crash
from sinchflow.model.command import Answered, AskProvider, Attempt, CallUrl, Failed, Skipped, Told
from sinchflow.model.flow import OnUnknownCall
from sinchflow.runtime.clock import Clock
from sinchflow.runtime.dialler import Dialler
from sinchflow.runtime.places import Places
from sinchflow.runtime.secrets import Secrets, show_references
from sinchflow.runtime.stats import Stats

if TYPE_CHECKING:
    from sinchflow.runtime.attempted import Attempted

log = structlog.get_logger("sinchflow")

#: How a person resolves a call: make it again; go on without its answer; let its step fail.
CallByHand = Literal["resend", "skip", "fail"]


class HoldsRuns(Protocol):
    """Who stores what the calls lead to."""

    def called(self, run_id: int, outcome: Answered | Told | Failed | Skipped) -> None:
        """The last attempt's outcome."""
        ...

    def backs_off(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt, failure: str = "") -> None:
        """The next attempt and when it is due; the run rests until then. failure: of the attempt before it."""
        ...

    def begins(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt, then: Callable[[], None]) -> None:
        """The attempt is due: store that it begins, then call `then`."""
        ...

    def holds(self, run_id: int, command: CallUrl, attempt: Attempt) -> None:
        """Nobody knows what came of the attempt, and a person is to say what becomes of the call."""
        ...

    def on_failure(self, run_id: int, command: CallUrl) -> OnUnknownCall | None:
        """What becomes of a call of which nobody knows whether it was acted upon; None: it has failed."""
        ...


class Calls:
    """See the module's text."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        stats: Stats,
        dialler: Dialler,
        secrets: Callable[[], Secrets],
        ask: Callable[[AskProvider], Awaitable["Attempted"]],
        holder: HoldsRuns,
    ) -> None:
        """ask: puts one question to the provider."""
        self._loop = loop
        self._clock = clock
        self._stats = stats
        self._dialler = dialler
        self._secrets = secrets
        self._ask = ask
        self._holder = holder
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = Places()
        self._is_stopping = False

    def call(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        """Make this attempt now, or when it is due."""
        if attempt.due is not None:
            begun = replace(attempt, due=None)
            pause = min(attempt.due - self._clock.now(), longest_pause(command.retry))
            self._clock.call_after(pause, lambda: self._begin(run_id, command, begun))
        elif self._is_stopping:
            self._leave(run_id, command, attempt)
        else:
            task = self._loop.create_task(self._attempt(run_id, command, attempt))
            self._tasks.add(task)
            task.add_done_callback(lambda ended: self._ended(run_id, ended))

    def resume(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        """Take up a call of a former process. One that may have been under way is repeated only where that is safe."""
        if isinstance(command, AskProvider) or attempt.due is not None:
            self.call(run_id, command, attempt)
        elif attempt.held is not None:
            self._holder.holds(run_id, command, attempt)
        elif (policy := on_crash(command)) == "resend":
            self.call(run_id, command, attempt)
        else:
            words = f"the daemon stopped during {command.method} {show_references(command.url)}"
            self._doubt(run_id, command, attempt, policy, words)

    def resolve(self, run_id: int, command: CallUrl, attempt: Attempt, how: CallByHand) -> None:
        """A person's word on a call that is held."""
        words = attempt.held or ""
        if how == "fail":
            self._holder.called(run_id, Failed(command=command.id, kind="unknown", message=words, is_unknown=True))
        elif how == "skip":
            self._holder.called(run_id, Skipped(command=command.id, to="", reason=words))
        else:
            again = Attempt(number=attempt.number + 1)
            self._holder.begins(run_id, command, again, lambda: self.call(run_id, command, again))

    def _doubt(self, run_id: int, command: CallUrl, attempt: Attempt, policy: OnUnknownCall, words: str) -> None:
        words = f"{words}; whether it was done is not known"
        self._stats.calls_in_doubt[policy] += 1
        match policy:
            case "hold":
                step = command.id.split(":")[1]
                log.warning("call held: nobody knows whether it was done", run=run_id, step=step, reason=words)
                self._holder.holds(run_id, command, replace(attempt, held=words))
            case "skip":
                self._holder.called(run_id, Skipped(command=command.id, to="", reason=words))
            case "resend":
                due = next_attempt(command.retry or REPEATS, attempt.number, command.id, self._clock.now())
                if due is None:
                    words = f"{words} (after {attempt.number} attempts)"
                    failed = Failed(command=command.id, kind="unknown", message=words, is_unknown=True)
                    self._holder.called(run_id, failed)
                else:
                    self._holder.backs_off(run_id, command, Attempt(number=attempt.number + 1, due=due), words)

    async def stop(self, grace: timedelta) -> None:
        """Begin no more attempts and wait for those under way, at most `grace`."""
        self._is_stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, run_id: int, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:  # our bug: the next start calls again
            self._stats.internal_errors += 1
            log.error("internal error in a call; its run stays where it was", run=run_id, exc_info=error)

    def _leave(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        """Keep an attempt that was not begun for the next start, which must not take it for one that was."""
        self._holder.backs_off(run_id, command, replace(attempt, due=self._clock.now()))

    def _begin(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        if self._is_stopping:
            return  # it is stored as due; the next start makes it
        self._holder.begins(run_id, command, attempt, lambda: self.call(run_id, command, attempt))

    async def _attempt(self, run_id: int, command: CallUrl | AskProvider, attempt: Attempt) -> None:
        if isinstance(command, AskProvider):
            attempted = await self._ask(command)
        else:
            host = _host_of(command.url)
            if (later := self._places.come_again(host)) is not None:
                self._holder.backs_off(run_id, command, replace(attempt, due=self._clock.now() + later))
                return
            async with self._places.place(host):
                if self._is_stopping:
                    self._leave(run_id, command, attempt)
                    return
                attempted = await self._dialler.call(command, self._secrets())
            self._stats.http_calls[getattr(attempted.outcome, "kind", "answered")] += 1
        outcome, retry = attempted.outcome, command.retry
        if isinstance(outcome, Failed) and retry is not None and is_retried(retry, outcome.kind, outcome.status):
            now = self._clock.now()
            due = next_attempt(retry, attempt.number, command.id, now, attempted.retry_after)
            if due is not None:
                step = command.id.split(":")[1]
                log.debug("call is tried again", run=run_id, step=step, reason=outcome.message, due=due.isoformat())
                self._holder.backs_off(run_id, command, Attempt(number=attempt.number + 1, due=due), outcome.message)
                return
            outcome = replace(outcome, message=f"{outcome.message} (after {attempt.number} attempts)")
        if isinstance(outcome, Failed) and outcome.is_unknown and isinstance(command, CallUrl):
            policy = self._holder.on_failure(run_id, command)
            if policy is not None:
                self._doubt(run_id, command, attempt, policy, outcome.message)
                return
        self._holder.called(run_id, outcome)


def _host_of(url: str) -> str:
    """Whose place a call takes. Secrets in a URL are not filled in, so that hosts in secrets are told apart by name."""
    authority = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return authority.rpartition("@")[2].lower()
