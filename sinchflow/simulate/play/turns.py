"""What is done on the phone, turn by turn, on a stage of its own: played, and played again without the last one.

Knows numbers only, and checks nothing: whoever takes a turn has seen that it can be taken.
"""

import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import structlog

from sinchflow.expression.durations import parse_duration
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.flow_hooks import PREFIX
from sinchflow.runtime.run_words import place_of
from sinchflow.simulate.play.calling import answer_of, answer_words, proof
from sinchflow.simulate.play.stage import Answer, Called, Ended, Stage, Texted
from sinchflow.simulate.play.virtual_time import Stuck, VirtualLoop

#: What an `http` step is answered when nothing else is ready.
FINE: dict[str, Any] = {"json": {}}

LineKind = Literal["in", "out", "call", "time", "event", "note", "fault"]


class Line(msgspec.Struct, frozen=True):
    """One line of the chat. who: the customer's number for texts and receipts. order: of all that happens."""

    order: int
    at: datetime
    kind: LineKind
    who: str
    text: str


class Turn(msgspec.Struct, frozen=True):
    """One thing that was done: a step of a script with all its members.

    ready: what the next calls were to be answered before it. catalog: what a `reload` found.
    """

    order: int
    verb: str
    step: dict[str, Any]
    ready: tuple[dict[str, Any], ...] = ()
    catalog: Catalog | None = None


class Session:
    """The turns since `begin`. patience_s: of the machine's time, for each turn."""

    def __init__(self, catalog: Catalog, begin: datetime, patience_s: float) -> None:
        self.begin = begin
        self.stage: Stage
        self.turns: list[Turn]
        self.ready: list[dict[str, Any]]  #: answers for the next calls
        self.answers: list[dict[str, Any]]  #: of the calls so far, in their order
        self.statuses: dict[int, int]  #: with which webhooks were answered, by the turn's order
        self._loop = VirtualLoop(patience_s)
        self._faults: list[str] = []
        structlog.configure(processors=[self._logged])
        self._open(catalog)

    def close(self) -> None:
        """Put everything away."""
        self._put_away()
        self._loop.close()
        structlog.reset_defaults()

    # --- turns -------------------------------------------------------------------------------------------------------

    def take(self, verb: str, step: dict[str, Any], catalog: Catalog | None = None) -> None:
        """Take a turn. Raises Stuck when it does not come to rest: it is taken back then."""
        turn = Turn(self.stage.next_order(), verb, step, tuple(self.ready), catalog)
        turns = [*self.turns]
        try:
            self._play(_DO[verb](self, turn))
        except Stuck:
            self._replay(turns)
            self.ready = [*turn.ready]
            raise
        self.turns.append(turn)
        for fault in self._faults:
            self._say("fault", "", f"an internal error of sinchflow: {fault}")
        self._faults.clear()

    def undo(self) -> Turn:
        """Take the last turn back: all others are taken again. Raises IndexError when there is none."""
        last = self.turns[-1]
        self._replay(self.turns[:-1])
        self.ready = [*last.ready]
        return last

    def anew(self) -> None:
        """No turn has been taken; the flows are those of now."""
        catalog = self.stage.catalog
        self._put_away()
        self._open(catalog)

    def _open(self, catalog: Catalog) -> None:
        self._first = catalog
        self.turns, self.ready, self.answers, self.statuses = [], [], [], {}
        self._answered = 0
        self._said: list[Line] = []
        self._shown = 0
        self.stage = Stage(catalog, self._loop, self.begin.astimezone(UTC), self._answer)
        self._play(self.stage.rest())

    def _replay(self, turns: Iterable[Turn]) -> None:
        """From the beginning, with these turns and the answers that they got; nothing of it is news."""
        answers, first, shown = self.answers, self._first, self._shown
        self._put_away()
        self._open(first)
        self.answers = answers
        for turn in turns:
            self.stage.next_order()
            self._play(_DO[turn.verb](self, turn))
            self.turns.append(turn)
        del self.answers[self._answered :]
        self._shown = min(shown, max((line.order for line in self.lines()), default=0))

    def _put_away(self) -> None:
        with contextlib.suppress(Stuck):
            self._play(self.stage.close())

    def _play(self, what: Coroutine[Any, Any, None]) -> None:
        self._loop.begin()
        try:
            self._loop.run_until_complete(what)
        finally:
            self._loop.end()

    def _answer(self, _called: Called) -> Answer:
        if self._answered == len(self.answers):
            self.answers.append(self.ready.pop(0) if self.ready else FINE)
        self._answered += 1
        return answer_of(self.answers[self._answered - 1])

    def _logged(self, _logger: Any, _level: str, entry: structlog.typing.EventDict) -> str:
        """What the daemon would log is not shown, for the chat has it; only our own bugs are."""
        if entry.get("exc_info"):
            self._faults.append(str(entry["event"]))
        raise structlog.DropEvent

    # --- what a turn does --------------------------------------------------------------------------------------------

    async def _text_in(self, turn: Turn) -> None:
        step = turn.step
        self._say("in", step["from"], step["text"])
        account = step.get("account") or DEFAULT_ACCOUNT
        await self.stage.text_in(step["from"], step["text"], to=step.get("to"), account=account)
        await self.stage.rest()

    async def _advance(self, turn: Turn) -> None:
        self._say("time", "", f"{turn.step['advance']} later")
        await self.stage.rest(parse_duration(turn.step["advance"]) or timedelta())

    async def _go_to(self, turn: Turn) -> None:
        when = datetime.fromisoformat(turn.step["now"])
        self._say("time", "", f"until {when:%a %d %b %Y %H:%M}")
        await self.stage.rest(when - self.stage.clock.now())

    async def _report(self, turn: Turn) -> None:
        step, code = turn.step, turn.step.get("status_code")
        message = [each for each in self.texted() if each.to == step["to"]][-1]
        words = f"{step['status']} ({code})" if code else step["status"]
        self._say("event", step["to"], f"receipt: {words}")
        await self.stage.report(message, step["status"], code, None)
        await self.stage.rest()

    async def _start(self, turn: Turn) -> None:
        step = turn.step
        begun: list[int | Exception] = []
        self._say("event", "", f"start {step['flow']}")
        self.stage.start(self.stage.catalog.flows[step["flow"]], step.get("inputs") or {}, None, begun.append)
        await self.stage.rest()
        if begun and isinstance(begun[0], Exception):
            self._say("fault", "", f"it does not start: {begun[0]}")

    async def _call_in(self, turn: Turn) -> None:
        path, method = turn.step["path"], turn.step["method"]
        body = msgspec.json.encode(turn.step["json"]) if "json" in turn.step else b""
        headers = {"content-type": "application/json"} if body else {}
        headers |= proof(self.stage.catalog.flow_hooks.find(f"{PREFIX}{path}", method), body)
        self._say("event", "", f"{method} {PREFIX}{path}")
        status, answer = await self.stage.call_in(method, path, query=b"", headers=headers, body=body)
        self.statuses[turn.order] = status
        words = answer.get("error") or answer.get("reason") or "accepted"
        problems = [str(each) for each in answer.get("problems", ())]
        self._say("event" if status < 300 else "fault", "", "\n".join([f"answered {status}: {words}", *problems]))
        await self.stage.rest()

    async def _restart(self, _turn: Turn) -> None:
        self._say("event", "", "the daemon is killed and started again")
        await self.stage.restart()
        await self.stage.rest()

    async def _reload(self, turn: Turn) -> None:
        self._say("event", "", "the flows are read again")
        self.stage.reload(turn.catalog)
        await self.stage.rest()

    # --- what has come of it -----------------------------------------------------------------------------------------

    def news(self) -> list[Line]:
        """What has happened since this was asked last, in order."""
        new = sorted((line for line in self.lines() if line.order > self._shown), key=lambda line: line.order)
        self._shown = new[-1].order if new else self._shown
        return new

    def lines(self) -> Iterator[Line]:
        """All that has happened, in no order."""
        yield from self._said
        for text in self.texted():
            message = "\n".join([text.message.content, *(f"[{url}]" for url in text.message.media or ())])
            yield Line(text.order, text.at, "out", text.to, message.removeprefix("\n"))
        for called, answer in self.calls():
            body = called.body.decode("utf-8", "replace")
            answered = "" if answer == FINE else f"\n{answer_words(answer)}"
            words = f"{called.method} {called.url}{f' {body}' if body else ''}{answered}"
            yield Line(called.order, called.at, "call", "", words)
        for note in self.stage.notes:
            yield Line(note.order, note.at, "note", "", note.words)
        for end in self.stage.ends:
            yield _end_line(end)

    def texted(self) -> list[Texted]:
        """The messages so far."""
        return [each for each in self.stage.happened if isinstance(each, Texted)]

    def calls(self) -> Iterator[tuple[Called, dict[str, Any]]]:
        """The calls of `http` steps so far, with what each was answered."""
        return zip((each for each in self.stage.happened if isinstance(each, Called)), self.answers, strict=True)

    def _say(self, kind: LineKind, who: str, text: str) -> None:
        self._said.append(Line(self.stage.next_order(), self.stage.clock.now(), kind, who, text))


def _end_line(end: Ended) -> Line:
    run, place = end.run, place_of(end.run)
    reason = f": {run.reason}" if run.reason else ""
    words = f"run {run.id} of {run.flow.partition(chr(10))[0]} {run.status}{reason}{f' ({place})' if place else ''}"
    return Line(end.order, end.at, "fault" if run.status == "failed" else "note", "", words)


_DO: dict[str, Callable[[Session, Turn], Coroutine[Any, Any, None]]] = {
    "in": Session._text_in, "advance": Session._advance, "now": Session._go_to, "receipt": Session._report,
    "start": Session._start, "webhook": Session._call_in, "restart": Session._restart, "reload": Session._reload,
}  # fmt: skip
