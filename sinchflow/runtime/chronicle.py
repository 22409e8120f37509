"""The log lines about events, runs, messages, troubles and what operators do, written by whoever is told of these.

At level info only what a person would look for at night; with `is_detailed` every step of the normal course, too. For
that the chronicle hooks itself in where things are told anyway, so that a level that is off costs nothing.

Names of a line: `run flow event_id send message_id contact account step`. Texts of messages are in no line.
"""

from collections.abc import Callable, Mapping, Sequence

import structlog

from sinchflow.journal.journal import Act
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Send
from sinchflow.runtime.commits import Commits
from sinchflow.runtime.run_words import place_of
from sinchflow.runtime.settled import Settled
from sinchflow.runtime.stats import Stats
from sinchflow.runtime.worker import Worker

log = structlog.get_logger("sinchflow")

#: Subjects of troubles that nobody else logs when they begin.
_UNSAID = frozenset({"provider", "journal"})
#: Troubles whose end is logged as what ends them.
_SAID_ELSEWHERE = frozenset({"reload", "paused"})
#: What operators do and is logged where it is done.
_LOGGED_ACTS = frozenset({"pause", "resume"})
_WORDS = {
    "sent": "message sent",
    "not_sent": "message given up: the provider could not be reached in time",
    "unknown": "outcome of a message is unknown",
    "held": "message held: it needs a person",
    "refused": "message refused by the provider",
    "expired": "message expired before it could leave",
    "skipped": "message not sent",
    "queued": "message waits for another call",
    "deferred": "message put off by policy",
}


class Chronicle:
    """See the module's text."""

    def __init__(self, *, is_detailed: bool) -> None:
        self._is_detailed = is_detailed

    def follow(self, worker: Worker, commits: Commits, stats: Stats) -> None:
        """Be told of what happens from now on."""
        commits.on_acts.append(self._acted)
        stats.troubles.on_change.append(self._troubled)
        worker.people.on_opt_out.append(self._opted_out)
        worker.on_end.append(self._ended)
        worker.on_settled.append(self._settled)
        if self._is_detailed:
            worker.on_advanced.append(self._advanced)
            worker.on_routed.append(self._routed)
            worker.on_answered.append(self._answered)
            worker.on_held_back.append(self._held_back)

    def taking(self, take: Callable[[Event], None]) -> Callable[[Event], None]:
        """`take`, with a line for each accepted event where that is wanted."""
        if not self._is_detailed:
            return take

        def noted(event: Event) -> None:
            log.debug("event accepted", kind=event.kind, **_about(event))
            take(event)

        return noted

    # --- events -----------------------------------------------------------------------------------------------------

    def _routed(self, event: Event, matched: Sequence[str], refused: Mapping[str, str]) -> None:
        started = [name for name in matched if name not in refused]
        log.debug("event routed", kind=event.kind, **_about(event), matched=matched, started=started)

    def _answered(self, event: Event, run_id: int) -> None:
        log.debug("event taken by a wait", kind=event.kind, **_about(event), run=run_id)

    # --- runs -------------------------------------------------------------------------------------------------------

    def _advanced(self, before: Run | None, after: Run) -> None:
        if before is None:
            log.debug("run started", **_of(after))

    def _ended(self, run: Run) -> None:
        if run.status == "failed":
            problem = run.handled or run.error
            step = None if problem is None else problem.step
            log.warning("run failed", **_of(run), step=step, reason=run.reason, place=place_of(run))
        elif self._is_detailed:
            log.debug("run ended", **_of(run), status=run.status, reason=run.reason)

    # --- messages ---------------------------------------------------------------------------------------------------

    def _settled(self, settled: Sequence[Settled]) -> None:
        for send, _ in settled:
            if send.state == "held":
                log.warning(_WORDS[send.state], **_with(send))
            elif self._is_detailed:
                log.debug(_WORDS[send.state], **_with(send), message_id=send.message_id)

    def _held_back(self, send: Send) -> None:
        log.debug(_WORDS[send.state], **_with(send), due=None if send.due is None else send.due.isoformat())

    def _opted_out(self, number: str, source: str) -> None:
        if source != "list":  # told as one line for the whole list
            log.info("opted out", contact=number, source=source)

    # --- the whole --------------------------------------------------------------------------------------------------

    def _troubled(self, subject: str, reason: str | None) -> None:
        about, _, account = subject.partition(":")
        where = {"account": account} if account else {}
        if reason is None:
            if about not in _SAID_ELSEWHERE:
                log.info(f"trouble with the {about} is over", **where)
        elif about in _UNSAID:
            log.warning(f"trouble with the {about} begins", reason=reason, **where)

    def _acted(self, act: Act) -> None:
        if act.what not in _LOGGED_ACTS:
            log.info(f"operator: {act.what}", subject=act.subject, detail=act.detail)


def _about(event: Event) -> dict[str, object]:
    return {
        "event_id": event.id, "account": event.account, "contact": event.contact,
        "message_id": event.fields.get("message_id"),
    }  # fmt: skip


def _of(run: Run) -> dict[str, object]:
    return {"run": run.id, "flow": run.flow, "event_id": run.event_id, "contact": run.contact, "account": run.account}


def _with(send: Send) -> dict[str, object]:
    return {
        "send": send.id, "run": send.run, "contact": send.command.to, "account": send.command.account,
        "step": send.command.id.split(":")[1], "reason": send.reason,
    }  # fmt: skip
