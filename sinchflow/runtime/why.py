"""Why something happened, or did not: the answer first, in a sentence, then what it rests on.

The journal tells what became of an event; the flows, as they are now, tell why. What holds right now (`Live`) is the
daemon's to say; without one it is left out. Nothing in here may be called on the daemon's loop thread: it reads the
journal.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from sinchflow.engine.explain import Considered, explain
from sinchflow.expression.numbers import to_e164
from sinchflow.expression.template import Templates
from sinchflow.journal.clues import Clues
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow
from sinchflow.model.run import Facts, Run
from sinchflow.model.send import Send, SentBy
from sinchflow.runtime.run_words import doing, place_of
from sinchflow.runtime.settled import SEND_ID

#: Of a person.
_MOST_EVENTS, _MOST_RUNS, _MOST_SENDS = 20, 20, 50
#: Flows that were far from taking a message.
_MOST_FAR = 3
_LONGEST_TEXT = 160
_SOURCES = {"keyword": "by a text of their own", "provider": "at the provider", "operator": "by an operator"}
_KINDS = {"opt_out": "an opt-out", "opt_in": "an opt-in", "help": "a call for help"}


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What holds now. flows: enabled and switched off. facts: for the person in question.

    is_daemon: whether it comes from a daemon; without one, `policy` to `in_lane` are not known. policy: why nothing is
    sent to the person right now, or None. paused: since when nothing is sent to anybody.
    """

    flows: tuple[Flow, ...]
    facts: Facts
    now: datetime
    is_daemon: bool = True
    policy: str | None = None
    paused: str | None = None
    troubles: Mapping[str, str] = {}
    in_lane: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about. contact: whom it is about, in E.164."""

    kind: Literal["event", "run", "send", "number"]
    event: Event | None = None
    run: Run | None = None
    send: Send | None = None
    contact: str | None = None


def find(path: Path, asked: str, country: str | None) -> Found | None:
    """What the words mean: an id of ours, one of the provider's, or a phone number; None when nothing has it."""
    asked = asked.strip()
    with Clues(path) as clues:
        if asked.isdecimal() and len(asked) < 19 and (kind := clues.kind_of(int(asked))) is not None:
            return _of_id(clues, kind, int(asked))
        if re.fullmatch(r"\d{1,7}", asked):
            return None  # an id that nothing has: no number is written so short, and few begin without a 0
        if re.fullmatch(r"[+(0-9][0-9\s()./-]*", asked) and (number := to_e164(asked, country)) is not None:
            return Found(kind="number", contact=number)
        if not re.fullmatch(r"[A-Za-z0-9_.:@-]{6,200}", asked):
            return None
        if (send := clues.send_with(asked)) is not None:
            return _of_id(clues, "send", send.id)
        event = clues.event_with(asked)
        return None if event is None else Found(kind="event", event=event, contact=event.contact)


def _of_id(clues: Clues, kind: str, number: int) -> Found:
    if kind == "event":
        event = clues.reader.event(number)
        return Found(kind="event", event=event, contact=None if event is None else event.contact)
    if kind == "run":
        run = clues.reader.run(number)
        return Found(kind="run", run=run, contact=None if run is None else run.contact)
    send = clues.send(number)
    run = None if send is None else clues.reader.run(send.run)
    return Found(kind="send", send=send, run=run, contact=None if send is None else send.command.to)


def tell(path: Path, found: Found, live: Live) -> dict[str, Any]:
    """The story, for JSON: `answer`, `because` (more sentences), and what they rest on."""
    with Clues(path) as clues:
        story = _Story(clues, live)
        if found.event is not None:
            told = story.event(found.event)
        elif found.send is not None:
            told = story.send(found.send, found.run)
        elif found.run is not None:
            told = story.run(found.run)
        else:
            told = story.person(found.contact or "")
        return {
            "about": {"kind": found.kind, "contact": found.contact},
            **told,
            "is_all": clues.is_all,
            "is_daemon": live.is_daemon,
        }


class _Story:
    def __init__(self, clues: Clues, live: Live) -> None:
        self._clues = clues
        self._live = live
        self._templates = Templates()

    # --- an event ---------------------------------------------------------------------------------------------------

    def event(self, event: Event) -> dict[str, Any]:
        """What became of an event, and which flows were asked."""
        runs = self._clues.runs_of_event(event)
        note = self._clues.reader.note(event.id)
        considered = self._considered(event, note)
        answer, because = self._fate(event, runs, note, considered)
        if event.kind == "delivery_receipt" and (sender := self._sent_by(event)) is not None:
            because.append(f"it is about a message of run {sender.run} (flow {sender.flow}, step {sender.step})")
        return {
            "answer": answer,
            "because": because,
            "event": _event(event),
            "note": note,
            "runs": [self._run(run) for run in runs],
            "flows": msgspec.to_builtins(considered),
        }

    def _fate(
        self, event: Event, runs: Sequence[Run], note: Mapping[str, Any] | None, considered: Sequence[Considered]
    ) -> tuple[str, list[str]]:
        because = [each for run in runs for each in self._of_run(run)]
        refused = [_refusal(each) for each in (note or {}).get("refused", ())]
        if event.ignored is not None:
            return f"it started nothing: {event.ignored}", because
        if self._clues.is_unrouted(event.id):
            return f"it is stored and waits to be routed: {self._waits_for()}", because
        match (note or {}).get("outcome"):
            case "wait":
                run = self._clues.reader.run(note["run"]) if note else None
                flow = "a flow" if run is None else f"flow {run.flow}"
                fitted = note["category"] if note else None
                fitting = f'as its "{fitted}"' if fitted else "as an answer that fits none of its categories"
                return (
                    f"run {note['run'] if note else '?'} of {flow} waited for an answer, and took it {fitting}",
                    because,
                )
            case "policy" if note is not None:
                words = _KINDS.get(note["word"], note["word"])
                again = "; it had been said before, so nobody is answered" if note.get("again") else ""
                return f"policy took it: its words are {words}{again}", because
        if runs:
            names = ", ".join(f"{run.flow} (run {run.id}, {run.status})" for run in runs)
            return f"it started {names}", because + refused
        if refused:
            return refused[0], refused[1:]
        near = [
            f"flow {each.flow}: its filters fit, and {each.reason}" for each in considered if each.verdict == "near"
        ]
        if not near:
            near = [
                f"flow {each['flow']}: its filters fitted, and {each.get('reason') or 'its `if` was false'}"
                for each in (note or {}).get("near", ())
            ]
        if near:
            return near[0], near[1:]
        takers = [each.flow for each in considered if each.verdict == "takes"]
        if takers:
            return f"nothing started; as flows are now, {', '.join(takers)} would take it", because
        if considered:
            return "no flow took it: of each, a filter does not fit", because
        return f"no flow is there for such events ({event.kind})", because

    def _considered(self, event: Event, note: Mapping[str, Any] | None) -> list[Considered]:
        is_wanted = bool(note and note.get("outcome") == "wait" and note.get("category") is None)
        return explain(
            event, self._live.flows, self._live.facts, event.received_at, self._templates,
            lambda: self._sent_by(event), is_wanted=is_wanted,
        )  # fmt: skip

    def _sent_by(self, event: Event) -> SentBy | None:
        value = (event.fields.get("metadata") or {}).get(SEND_ID)
        send_id = self._clues.send_ids.read(value)
        origin = None if send_id is None else self._clues.reader.send_origin(send_id)
        if origin is None:
            return None
        return SentBy(flow=origin.flow, step=origin.command.split(":")[1], run=origin.run)

    def _waits_for(self) -> str:
        if not self._live.is_daemon:
            return "no daemon is there to do it"
        return "its turn comes when the runs of its contact rest, 30 s later at the most"

    # --- a run, a message -------------------------------------------------------------------------------------------

    def run(self, run: Run) -> dict[str, Any]:
        """What began a run, and where it stands."""
        event = self._clues.reader.event(run.event_id)
        said = "an event that is no longer kept" if event is None else f"event {event.id}, {_in_words(event)}"
        because = [f"it began with {said}", *self._of_run(run)]
        return {
            "answer": f"run {run.id} of flow {run.flow} {_state(run)}",
            "because": because,
            "event": None if event is None else _event(event),
            "runs": [self._run(run)],
            "flows": [] if event is None else msgspec.to_builtins(self._considered(event, None)),
            "more": f"sinchflow runs show {run.id}",
        }

    def send(self, send: Send, run: Run | None) -> dict[str, Any]:
        """What became of a message."""
        because = [] if run is None else [f"run {run.id} of flow {run.flow} asked for it; that {_state(run)}"]
        because += self._holding(send)
        return {
            "answer": f"message {send.id} to {send.command.to} {_fate_of(send)}",
            "because": because,
            "sends": [_send(send)],
            "runs": [] if run is None else [self._run(run)],
            "more": f"sinchflow runs show {send.run}",
        }

    def _of_run(self, run: Run) -> Iterator[str]:
        """What a run's messages came to, where that is not what one would expect, and why it failed."""
        if run.status == "failed":
            where = f" at {place}" if (place := place_of(run)) else ""
            yield f"run {run.id} failed{where}: {run.reason}"
        elif run.status in ("stopped", "cancelled"):
            yield f"run {run.id} was {run.status}: {run.reason}"
        elif not run.is_final:
            for wait in doing(run, None, ())[1]:
                yield f"run {run.id} waits for {wait['for']}"
        for send in self._clues.sends_of(run, _MOST_SENDS):
            yield f"message {send.id} to {send.command.to} {_fate_of(send)}"
            yield from self._holding(send)

    def _holding(self, send: Send) -> Iterator[str]:
        """What keeps a message that waits for its turn."""
        if send.state not in ("queued", "sending"):
            return
        if self._live.paused is not None:
            yield self._live.paused
        account = send.command.account
        trouble = self._live.troubles.get("provider" if account == "default" else f"provider:{account}")
        if trouble is not None:
            yield f"the provider: {trouble}"

    # --- a person ---------------------------------------------------------------------------------------------------

    def person(self, number: str) -> dict[str, Any]:
        """The last that was heard of a person and sent to them, and why they hear nothing now."""
        events = self._clues.events_of(number, _MOST_EVENTS)
        runs = list(self._clues.reader.runs_of(number, _MOST_RUNS))
        sends = self._clues.sends_to(number, _MOST_SENDS)
        silences = [*dict.fromkeys(self._silences(number, events, runs, sends))]
        return {
            "answer": silences[0] if silences else _talk(number, events, sends),
            "because": silences[1:],
            "timeline": _timeline(events, runs, sends, self._clues),
            "more": f"sinchflow contacts show {number}",
        }

    def _silences(
        self, number: str, events: Sequence[Event], runs: Sequence[Run], sends: Sequence[Send]
    ) -> Iterator[str]:
        """Why the person hears nothing, the most final first."""
        live = self._live
        if (suppression := self._clues.suppression(number)) is not None:
            said = f' ("{suppression.reason}")' if suppression.reason else ""
            how = _SOURCES.get(suppression.source, suppression.source)
            yield f"{number} has opted out: since {_clock(suppression.since)}, {how}{said}"
        elif live.policy is not None:
            yield f"policy lets nothing through to {number} right now: {live.policy}"
        if live.paused is not None:
            yield live.paused
        for send in sends:
            if send.is_open:
                yield f"message {send.id} {_fate_of(send)}"
                yield from (each for each in self._holding(send) if each != live.paused)
        yield from (f"the provider: {words}" for subject, words in live.troubles.items() if subject == "provider")
        if live.in_lane:
            yield f"{live.in_lane} of their messages wait until what they started before rests"
        last = next((event for event in events if event.kind == "inbound_sms"), None)
        answered = last is not None and any(send.created_at >= last.received_at for send in sends)
        if last is not None and not answered:
            yield from self._last(last)
        for run in runs[:5]:
            if run.status == "failed":
                yield from list(self._of_run(run))[:1]

    def _last(self, event: Event) -> Iterator[str]:
        told = self.event(event)
        yield f'their last message ({_clock(event.received_at)}, "{_text(event)}"): {told["answer"]}'
        yield from told["because"]
        if not told["runs"] and not (told["note"] or {}).get("refused"):
            for each in [each for each in told["flows"] if each["verdict"] == "no"][:_MOST_FAR]:
                yield f"flow {each['flow']}: {each['reason']}"

    def _run(self, run: Run) -> dict[str, Any]:
        return {
            "id": run.id, "flow": run.flow, "status": run.status, "reason": run.reason, "place": place_of(run),
            "started_at": run.started_at.isoformat(), "is_current": self._is_current(run),
            "sends": [_send(send) for send in self._clues.sends_of(run, _MOST_SENDS)],
        }  # fmt: skip

    def _is_current(self, run: Run) -> bool:
        """Whether its flow is still what it was."""
        return any(flow.digest == run.digest for flow in self._live.flows)


def _refusal(entry: Mapping[str, Any]) -> str:
    until = f" until {_clock(datetime.fromisoformat(entry['until']))}" if "until" in entry else ""
    return f"flow {entry['flow']} matched and did not begin: {entry['reason']}{until}"


def _state(run: Run) -> str:
    reason = f": {run.reason}" if run.reason else ""
    return "is open" if run.status == "running" else f"is {run.status}{reason}"


def _fate_of(send: Send) -> str:
    """What became of a message, in words."""
    due = f" until {_clock(send.due)}" if send.due is not None else ""
    words = {
        "queued": f"waits for its turn{due}", "deferred": f"is put off{due}", "sending": "is on its way",
        "sent": f"was accepted by the provider as {send.message_id or 'an unknown id'}", "not_sent": "was given up",
        "unknown": "may or may not have gone out, which is being looked up", "held": "is held and waits for a person",
        "refused": "was refused", "expired": "expired", "skipped": "was not sent",
    }[send.state]  # fmt: skip
    return f"{words}: {send.reason}" if send.reason and send.state != "sent" else words


def _talk(number: str, events: Sequence[Event], sends: Sequence[Send]) -> str:
    if sends:
        last = max(sends, key=lambda send: send.created_at)
        return f"nothing keeps messages from {number}: the last one, of {_clock(last.created_at)}, {_fate_of(last)}"
    return f"{'nothing was sent to' if events else 'nothing is known of'} {number}"


def _timeline(
    events: Sequence[Event], runs: Sequence[Run], sends: Sequence[Send], clues: Clues
) -> list[dict[str, Any]]:
    """What happened, oldest first."""
    told: list[tuple[datetime, dict[str, Any]]] = []
    for event in events:
        note = clues.reader.note(event.id) or {}
        told.append((event.received_at, {"what": "event", "id": event.id, "kind": event.kind, "text": _text(event),
                                         "outcome": note.get("outcome")}))  # fmt: skip
    for run in runs:
        told.append((run.started_at, {"what": "run", "id": run.id, "flow": run.flow, "text": _state(run)}))
    for send in sends:
        content = _cut(str(send.command.body.get("content", "")))
        told.append((send.created_at, {"what": "message", "id": send.id, "state": send.state, "text": content,
                                       "reason": send.reason}))  # fmt: skip
    return [{"at": at.isoformat(), **each} for at, each in sorted(told, key=lambda each: (each[0], each[1]["id"]))]


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id, "kind": event.kind, "received_at": event.received_at.isoformat(), "contact": event.contact,
        "our_number": event.our_number, "account": event.account, "text": _text(event),
    }  # fmt: skip


def _send(send: Send) -> dict[str, Any]:
    return {
        "id": send.id, "state": send.state, "to": send.command.to,
        "text": _cut(str(send.command.body.get("content", ""))), "message_id": send.message_id, "reason": send.reason,
        "created_at": send.created_at.isoformat(),
    }  # fmt: skip


def _in_words(event: Event) -> str:
    text = _text(event)
    said = f' "{text}"' if text else ""
    who = f" of {event.contact}" if event.contact else ""
    return f"{event.kind}{who}{said} at {_clock(event.received_at)}"


def _text(event: Event) -> str:
    value = event.fields.get("status" if event.kind == "delivery_receipt" else "content")
    return "" if value is None else _cut(str(value))


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def nothing_has(about: str) -> str:
    """Nothing is known of it."""
    return (
        f'"{about[:50]}" is no id of an event, a run or a message that is still known, and no phone number: '
        "write a number with + and the country's code, or look with `sinchflow runs list`, `sends list`, `events list`"
    )
