"""What is done on the phone, turn by turn, on a scene of its own: played, and played again without the last one.

Checks nothing: whoever takes a turn has seen that it can be taken.
"""

import contextlib
from collections.abc import Coroutine, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
import structlog

from sinchflow.language.script import Script, ScriptStep
from sinchflow.model.origin import Origin
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.run_words import place_of
from sinchflow.simulate.play.acts import ACTS, call_webhook
from sinchflow.simulate.play.calling import answer_of, answer_words
from sinchflow.simulate.play.outcome import Line, Off
from sinchflow.simulate.play.scene import Scene
from sinchflow.simulate.play.stage import Answer, Called, Ended
from sinchflow.simulate.play.virtual_time import Stuck, VirtualLoop

#: What an `http` step is answered when nothing else is ready.
FINE: dict[str, Any] = {"json": {}}

_NOWHERE = Origin("", 1, 1)


class Turn(msgspec.Struct, frozen=True):
    """One thing that was done: a step of a script, without names of numbers.

    ready: what the next calls were to be answered before it. unwanted: why the next messages were to be refused.
    catalog: what a `reload` found.
    """

    order: int
    verb: str
    value: Any
    ready: tuple[dict[str, Any], ...] = ()
    unwanted: tuple[str, ...] = ()
    catalog: Catalog | None = None


class Session:
    """The turns since `begin`. contact: whose phone it is. patience_s: of the machine's time, for each turn."""

    def __init__(self, catalog: Catalog, begin: datetime, contact: str, patience_s: float) -> None:
        self.begin = begin
        self.contact = contact
        self.patience_s = patience_s
        self.scene: Scene
        self.turns: list[Turn]
        self.ready: list[dict[str, Any]]  #: answers for the next calls
        self.answers: list[dict[str, Any]]  #: of the calls so far, in their order
        self.unwanted: list[str]  #: why the next messages are refused
        self._refusals: list[str | None]  # of the messages so far, in their order
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

    def take(self, verb: str, value: Any, catalog: Catalog | None = None) -> None:
        """Take a turn. Raises Stuck when it does not come to rest, or KeyboardInterrupt: it is taken back then."""
        turn = Turn(self.scene.stage.next_order(), verb, value, tuple(self.ready), tuple(self.unwanted), catalog)
        turns = [*self.turns]
        try:
            self._play(self._act(turn))
        except (Stuck, KeyboardInterrupt):
            self._replay(turns)
            self.ready, self.unwanted = [*turn.ready], [*turn.unwanted]
            raise
        self.turns.append(turn)
        for fault in self._faults:
            self.scene.say("fault", "", f"an internal error of sinchflow: {fault}")
        self._faults.clear()

    def undo(self) -> Turn:
        """Take the last turn back: all others are taken again. Raises IndexError when there is none."""
        last = self.turns[-1]
        self._replay(self.turns[:-1])
        self.ready, self.unwanted = [*last.ready], [*last.unwanted]
        return last

    def anew(self) -> None:
        """No turn has been taken; the flows are those of now."""
        catalog = self.scene.stage.catalog
        self._put_away()
        self._open(catalog)

    def _open(self, catalog: Catalog) -> None:
        self._first = catalog
        self.turns, self.ready, self.answers, self.statuses = [], [], [], {}
        self.unwanted, self._refusals = [], []
        self._answered = self._asked = 0
        self._shown = 0.0
        given = {"now": self.begin.isoformat(), "contact": self.contact}
        script = Script(name="", origin=_NOWHERE, flow=None, given=given, steps=())
        self.scene = Scene(script, catalog, self._loop, self._answer, self._refuse)
        self._play(self.scene.stage.rest())

    def _replay(self, turns: Iterable[Turn]) -> None:
        """From the beginning, with these turns and the answers that they got; nothing of it is news."""
        answers, refusals, first = self.answers, self._refusals, self._first
        self._put_away()
        self._open(first)
        self.answers, self._refusals = answers, refusals
        for turn in turns:
            self.scene.stage.next_order()
            self._play(self._act(turn))
            self.turns.append(turn)
        del self.answers[self._answered :]
        del self._refusals[self._asked :]
        self.news()

    def _put_away(self) -> None:
        with contextlib.suppress(Stuck):
            self._play(self.scene.stage.close())

    def _play(self, what: Coroutine[Any, Any, None]) -> None:
        self._loop.begin()
        try:
            with self._loop.interruptible():
                self._loop.run_until_complete(what)
        finally:
            self._loop.end()

    async def _act(self, turn: Turn) -> None:
        step = ScriptStep(verb=turn.verb, value=turn.value, origin=_NOWHERE)
        try:
            match turn.verb:
                case "webhook":
                    self._told(turn, *await call_webhook(self.scene, step))
                    await self.scene.stage.rest()
                case "reload":
                    self.scene.say("event", "", "the flows are read again")
                    self.scene.stage.reload(turn.catalog)
                    await self.scene.stage.rest()
                case _:
                    await ACTS[turn.verb](self.scene, step)
        except Off as off:
            self.scene.say("fault", "", str(off))

    def _told(self, turn: Turn, status: int, answer: dict[str, Any]) -> None:
        """What a webhook answers."""
        self.statuses[turn.order] = status
        words = answer.get("error") or answer.get("reason") or f"run {answer.get('run')}"
        problems = [str(each) for each in answer.get("problems", ())]
        text = "\n".join([f"answered {status}: {words}", *problems])
        self.scene.say("event" if status < 300 else "fault", "", text)

    def _answer(self, _called: Called) -> Answer:
        if self._answered == len(self.answers):
            self.answers.append(self.ready.pop(0) if self.ready else FINE)
        answer = self.answers[self._answered]
        self._answered += 1
        if answer != FINE:
            self.scene.say("event", "", answer_words(answer))
        return answer_of(answer)

    def _refuse(self, _to: str) -> str | None:
        if self._asked == len(self._refusals):
            self._refusals.append(self.unwanted.pop(0) if self.unwanted else None)
        self._asked += 1
        return self._refusals[self._asked - 1]

    def _logged(self, _logger: Any, _level: str, entry: structlog.typing.EventDict) -> str:
        """What the daemon would log is not shown, for the chat has it; only our own bugs are."""
        if entry.get("exc_info"):
            self._faults.append(str(entry["event"]))
        raise structlog.DropEvent

    # --- what has come of it -----------------------------------------------------------------------------------------

    def news(self) -> list[Line]:
        """What has happened since this was asked last, in order."""
        lines = [*self.scene.chat(), *map(_end_line, self.scene.stage.ends)]
        new = sorted((line for line in lines if line.order > self._shown), key=lambda line: line.order)
        self._shown = new[-1].order if new else self._shown
        return new

    def calls(self) -> Iterator[tuple[Called, dict[str, Any]]]:
        """The calls of `http` steps so far, with what each was answered."""
        happened = self.scene.stage.happened
        return zip((each for each in happened if isinstance(each, Called)), self.answers, strict=True)


def _end_line(end: Ended) -> Line:
    run, place = end.run, place_of(end.run)
    reason = f": {run.reason}" if run.reason else ""
    words = f"run {run.id} of {run.flow.partition(chr(10))[0]} {run.status}{reason}{f' ({place})' if place else ''}"
    return Line(end.order, end.at, "fault" if run.status == "failed" else "note", "", words)
