"""The calls of `http` steps that a run made, as its trace tells of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sinchflow.engine.address import step_at
from sinchflow.model.flow import Flow, Http, Step, WaitForReceipt, WaitForReply
from sinchflow.model.run import Record, Run
from sinchflow.model.send import Send
from sinchflow.runtime.secrets import Secrets

_REFERENCE = re.compile(r"\{\{ secrets\.(\w+) \}\}")
_STATUS = re.compile(r"answered (\d{3})")
#: A pause before another attempt is shortened by a quarter at most (engine/backoff.py), and by another part next time.
_JITTER = 1 / 3
#: Of an `http` step that names none.
_PATIENCE = timedelta(seconds=30)


class Item(msgspec.Struct, frozen=True):
    """One step. rank: its place among those of the same millisecond. more: how much later it may come next time."""

    at: datetime
    rank: tuple[int, int]
    step: dict[str, Any]
    more: timedelta = timedelta()
    attempt: tuple[str, int] = ("", 0)  #: of which call of an `http` step, from 1


class Part(msgspec.Struct, frozen=True):
    """A run of the family, with its flow and its messages."""

    run: Run
    flow: Flow | None
    sends: list[Send]


class Calls:
    """The calls of `http` steps of one run. heard: ids of the events that were told to it or its like, in order."""

    def __init__(self, part: Part, heard: Sequence[int]) -> None:
        self._run = part.run
        self._flow = part.flow
        self._sends = part.sends
        self._heard = heard

    def items(self) -> Iterator[Item]:
        """Each with its time; what came before it tells its place among what came at the same time."""
        before, asked = self._run.event_id, dict[str, tuple[Record, datetime, int, tuple[int, int]]]()
        for at, record_ in enumerate(self._run.trace):
            step = self._step(record_.address)
            if step is None or not isinstance(step.action, Http):
                before = self._after(before, record_, step)
                continue
            rank = (before, at + 1)
            if record_.what == "command":
                asked[record_.address] = (record_, record_.at, 0, rank)
            elif record_.what in ("attempt", "outcome", "error") and record_.address in asked:
                first, since, number, place = asked[record_.address]
                is_answer = record_.what == "outcome" and isinstance(record_.detail, int)
                respond = self._answer(record_, step) if is_answer else _refused(str(record_.detail))
                patience = (step.timeout or _PATIENCE) if respond.get("fault") == "timeout" else timedelta()
                began = since if since is first.at else max(since, record_.at - patience)
                more = timedelta() if since is first.at else (began - since) * _JITTER
                attempt = (f"{self._run.id}:{record_.address}", number + 1)
                yield Item(began, place, {"http": self._call(first, respond)}, more, attempt)
                asked[record_.address] = (first, record_.at, number + 1, rank)
                if record_.what != "attempt":
                    del asked[record_.address]

    def _after(self, before: int, record_: Record, step: Step | None) -> int:
        """The id of the message or answer that this line of the trace is about, where there is one."""
        if record_.what == "command":
            own = [each.id for each in self._sends if each.command.id.split(":")[1] == record_.address]
        elif record_.what == "outcome" and step is not None and isinstance(step.action, WaitForReply | WaitForReceipt):
            own = [each for each in self._heard if each > before]
        else:
            own = []
        return min((each for each in own if each > before), default=before)

    def _step(self, address: str) -> Step | None:
        try:
            return None if self._flow is None or not address else step_at(self._flow, address)
        except (LookupError, ValueError):
            return None

    def _call(self, asked: Record, respond: Mapping[str, Any]) -> dict[str, Any]:
        head, _, body = str(asked.detail).partition("\n\n")
        method, _, url = head.partition("\n")[0].partition(" ")
        call: dict[str, Any] = {"method": method, "url": _with_stand_ins(url)}
        if body and not body.endswith("…") and not _REFERENCE.search(body):
            try:
                call["json"] = msgspec.json.decode(body)
            except (ValueError, RecursionError):
                call["body"] = body
        if respond:
            call["respond"] = dict(respond)
        return call

    def _answer(self, outcome: Record, step: Step) -> dict[str, Any]:
        output = {} if step.id is None else self._run.outputs.get(step.id, {})
        respond: dict[str, Any] = {}
        if outcome.detail != 200:
            respond["status"] = outcome.detail
        if output.get("json") is not None:
            respond["json"] = output["json"]
        elif output.get("text"):
            respond["body"] = output["text"]
        return respond


def _with_stand_ins(text: str) -> str:
    """With the values that secrets have where nobody gives them."""
    return _REFERENCE.sub(lambda found: Secrets.stand_in(found[1]), text)


def _refused(words: str) -> dict[str, Any]:
    if found := _STATUS.search(words):
        return {"status": int(found[1])}
    return {"fault": "timeout" if "timed out" in words or "within" in words else "connection"}
