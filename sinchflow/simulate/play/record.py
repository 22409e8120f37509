"""A real run of the journal as a transcript test: what came in and what went out, when, with other numbers and names.

What the journal does not keep cannot be told: answers of URLs to steps without an `id`, long bodies, and the trace of
runs that ended well so long ago that it was let go.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sinchflow.engine.address import all_steps
from sinchflow.errors import SinchflowError
from sinchflow.journal.aftermath import Aftermath
from sinchflow.journal.stories import Stories
from sinchflow.language.build import flow_from_source
from sinchflow.language.check import Checked
from sinchflow.model.event import Event
from sinchflow.model.flow import WaitForReceipt
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Run
from sinchflow.model.send import Send
from sinchflow.runtime.policy_flows import PREFIX
from sinchflow.runtime.settled import REFUSED
from sinchflow.simulate.play.disguise import Disguise
from sinchflow.simulate.play.outcome import failures
from sinchflow.simulate.play.project import OUR_NUMBER
from sinchflow.simulate.play.recorded_calls import Calls, Item, Part
from sinchflow.simulate.play.stage import MESSAGE_IDS
from sinchflow.simulate.play.writing import written_file, written_span

#: Headers that every client sends: they say nothing about the test.
_USUAL_HEADERS = frozenset(
    {
        "host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "content-type",
        "x-forwarded-for", "x-forwarded-proto", "x-real-ip", "traceparent",
    }
)  # fmt: skip
#: Receipts that something may follow from, also where no step waits for one.
_UNWANTED = frozenset({"failed", "expired", "rejected", "undeliverable"})
_LATER = timedelta(days=7)  #: receipts after the end of the run


#: Runs that an event begins are stored within so many ids of it.
_BESIDE = 200
#: Of a longer list only the rows of those who were texted are written down.
_LONG_LIST = 100
#: Why policy refuses a message to somebody who has opted out (policy/gate.py).
_OPTED_OUT = "this contact has opted out"
_MANY_ATTEMPTS = 6
#: What is known of people that says nothing of who they are.
_SETTINGS = frozenset({"language", "timezone"})
_MILLISECOND = timedelta(milliseconds=1)


class Recording(msgspec.Struct, frozen=True):
    """A transcript test. text: the file. flow: the run's. gaps: what the journal does not keep of it, for people."""

    flow: str
    text: str
    gaps: tuple[str, ...] = ()


def record(journal: Path, run_id: int, checked: Checked) -> Recording:
    """The run as a test, with all that its event began. Raises SinchflowError when too little of it is known.

    checked: the project, for its time zone, country, number and lists.
    """
    with Stories(journal) as stories:
        run = _wanted(stories, run_id)
        event = stories.event(run.event_id)
        if event is None:
            raise SinchflowError(f"the event that run {run_id} began with is no longer in the journal")
        with Aftermath(journal, event.id) as aftermath:
            gaps: list[str] = []
            family = [_part(stories, each, gaps) for each in _family(stories, aftermath, run, event, gaps)]
            heard = _heard(aftermath, run, family)
            if not aftermath.is_whole:
                gaps.append("not all that came in since was looked at: answers, receipts or runs may be missing")
        public = "\n".join(_source(stories, each.run) for each in family)
    recording = _Recorder(run, event, family, heard, checked, public).recording()
    return msgspec.structs.replace(recording, gaps=(*recording.gaps, *gaps))


def _wanted(stories: Stories, run_id: int) -> Run:
    run = stories.run(run_id)
    if run is None:
        raise SinchflowError(f"there is no run {run_id}: `sinchflow runs list` shows those that there are")
    if run.is_slim:
        raise SinchflowError(
            f"run {run_id} ended well and its trace is no longer kept: take a newer one (`sinchflow runs list`), "
            "or keep more traces (`retention.traces` in sinchflow.yaml)"
        )
    if run.flow.startswith(PREFIX):
        words = f"run {run_id} is of the policy ({run.flow.removeprefix(PREFIX)}), not of a flow that could have a test"
        raise SinchflowError(f"{words}: record another run of the same event (`sinchflow why {run.event_id}`)")
    return run


def _source(stories: Stories, run: Run) -> str:
    source = stories.source(run.digest)
    return "" if source is None else source.source


def _part(stories: Stories, run: Run, gaps: list[str]) -> Part:
    source = stories.source(run.digest)
    flow = None if source is None else flow_from_source(source.source, source.file, source.line)
    sends, are_all = stories.sends_of(run)
    if not are_all:
        gaps.append(f"not all messages of run {run.id} were found")
    return Part(run, flow, sends)


def _family(stories: Stories, aftermath: Aftermath, run: Run, event: Event, gaps: list[str]) -> list[Run]:
    """The run, those that the same event began, and those that they started."""
    beside = stories.ids(range(event.id + 1, event.id + _BESIDE))
    found = {each.id: each for each in (run, *beside) if each.event_id == event.id}
    if any("run_flow" in _source(stories, each) for each in found.values()):
        found |= {each.id: each for each in aftermath.runs()}
    slim = [each for each in found.values() if each.is_slim]
    gaps += [f"the trace of run {each.id} of {each.flow} is no longer kept: what it did is missing" for each in slim]
    return [found[each] for each in sorted(found) if not found[each].is_slim]


def _heard(aftermath: Aftermath, run: Run, family: Sequence[Part]) -> list[Event]:
    """What people answered to the runs, and the receipts of their messages."""
    until = None if run.ended_at is None else run.ended_at + _LATER
    ids = {send.message_id for part in family for send in part.sends if send.message_id is not None}
    answers = aftermath.answers({part.run.id for part in family}, until)
    return sorted([*answers, *aftermath.receipts(ids, until)], key=lambda each: each.id)


class _Recorder:
    def __init__(
        self, run: Run, event: Event, family: Sequence[Part], heard: list[Event], checked: Checked, public: str
    ) -> None:
        self._run = run
        self._event = event
        self._family = family
        self._heard = heard
        self._checked = checked
        self._zone = ZoneInfo(checked.project.timezone)
        self._sends = sorted((send for part in family for send in part.sends), key=lambda send: send.id)
        self._contact = event.contact or run.contact
        #: of the first run about the contact: a later one may know what that one has remembered
        self._known = next((part.run.known for part in family if part.run.contact == self._contact), {})
        self._disguise = Disguise(checked.project.country, public)
        for number in (self._contact, run.contact, *(send.command.to for send in self._sends)):
            if number is not None:
                self._disguise.number(number)
        if event.our_number:
            self._disguise.keep(event.our_number)
        self._disguise.personal(event.fields)
        for each in heard:
            self._disguise.personal(each.fields)
        for part in family:
            self._disguise.personal(part.run.outputs)
        self._disguise.personal({k: v for k, v in self._known.items() if k not in _SETTINGS}, all_of=True)
        records = [record for part in family for record in part.run.trace if record.what == "outcome"]
        self._left = {record.detail: record.at for record in records if isinstance(record.detail, str)}
        self._in_order = sorted((self._left_at(each), each.id, each) for each in self._sends if each.message_id)
        self._foretell_ids()

    def _foretell_ids(self) -> None:
        """What a flow tells others of messages by their ids: when it is played, they have the ids of the stage."""
        taken = [send.message_id for send in self._sends if send.message_id is not None]
        for number, message_id in enumerate(taken, 1):
            self._disguise.note(message_id, f"{MESSAGE_IDS}{number:012x}")
        names = {"inbound_sms": ("reply_id", "reply"), "delivery_receipt": ("message_id", "message")}
        for number, event in enumerate((self._event, *self._heard), 1):
            key, name = names.get(event.kind, ("", ""))
            if key in event.fields and event.fields[key] not in taken:
                self._disguise.note(str(event.fields[key]), f"{name}-{number}")

    def recording(self) -> Recording:
        """All of it."""
        began = self._event.received_at
        if self._event.kind == "schedule":  # what is due as a test begins has been
            began -= timedelta(minutes=1)
        now = began.astimezone(self._zone).replace(microsecond=0)
        given = self._given(now)  # before the steps: it finds names
        found = [*self._first(), *self._out(), *self._calls(), *self._in()]
        items = sorted(found, key=lambda item: ((item.at - began) // _MILLISECOND, item.rank))
        steps: list[dict[str, Any]] = []
        reached, late = began, timedelta()
        for place, item in enumerate(items):
            late += item.more
            last = _last_attempt(items, place)
            if "now" in item.step:
                reached = item.at
            elif last is None:
                reached = self._pass(steps, reached, item.at + late)
            elif item.attempt[1] == 2:
                late += sum((each.more for each in items[place + 1 : last + 1]), timedelta())
                reached = self._pass(steps, reached, items[last].at + late)
            steps.append(item.step)
        steps += self._end(steps, reached, late)
        name = f"as in run {self._run.id} of {now:%d %B %Y}"
        text = written_file(given, name, [self._disguise.data(step) for step in steps])
        return Recording(given["flow"], text, tuple(self._gaps()))

    def _gaps(self) -> Iterator[str]:
        for part in self._family:
            if any(each.what == "left_out" for each in part.run.trace):
                yield f"lines of the trace of run {part.run.id} were left out: calls may be missing"
            if part.run.is_otherwise:
                yield f"run {part.run.id} was throttled: what had filled the throttle before it is missing"
            if part.flow is None:
                yield f"the flow of run {part.run.id} is no longer in the journal: its calls are missing"

    def _pass(self, steps: list[dict[str, Any]], reached: datetime, until: datetime) -> datetime:
        """Let time pass in whole seconds; how far it has come then."""
        if until - reached < timedelta(seconds=1):
            return reached
        seconds = math.ceil((until - reached) / timedelta(seconds=1))
        steps.append({"advance": written_span(seconds)})
        return reached + timedelta(seconds=seconds)

    def _given(self, now: datetime) -> dict[str, Any]:
        given: dict[str, Any] = {"flow": self._run.flow.partition("\n")[0], "now": now.isoformat(timespec="seconds")}
        if self._contact is not None:
            number = self._disguise.number(self._contact)
            values = self._disguise.data(self._known)
            given["contact"] = {"number": number, **values} if values else number
        usual = self._checked.project.all_accounts[DEFAULT_ACCOUNT].source_number or OUR_NUMBER
        if self._event.kind == "inbound_sms" and self._event.our_number not in (None, usual):
            given["our_number"] = self._event.our_number
        people = {number for number in (self._contact, *(send.command.to for send in self._sends)) if number}
        lists = {}
        for name, rows in self._checked.lists.items():
            if rows.numbers & people:
                chosen = rows.rows if len(rows) <= _LONG_LIST else [row for row in rows if row.get("number") in people]
                lists[name] = [*self._disguise.rows(chosen)]
        refused = {send.command.to for send in self._sends if (send.reason or "").startswith(_OPTED_OUT)}
        own = {"lists": lists, "opted_out": [self._disguise.number(number) for number in sorted(refused)]}
        return given | {name: value for name, value in own.items() if value}

    # --- what came in -------------------------------------------------------------------------------------------------

    def _first(self) -> Iterator[Item]:
        event, fields = self._event, self._event.fields
        match event.kind:
            case "inbound_sms":
                step: dict[str, Any] = self._texted(event)
            case "delivery_receipt":
                metadata = _texts(fields.get("metadata")) or {"from": "elsewhere"}  # of no message of the script
                step = {
                    "receipt": _filled(
                        status=fields["status"], status_code=fields.get("status_code"), metadata=metadata
                    )
                }
            case "opt_out":
                step = {"in": fields.get("content") or "STOP"}
            case "schedule":
                step = {"now": _at(fields["scheduled_at"], self._zone)}
            case "webhook":
                step = {"webhook": _call(fields)}
            case _:
                step = {"start": _filled(flow=self._run.flow, inputs=fields.get("inputs") or None) or None}
        yield Item(event.received_at, (event.id, 0), step)

    def _in(self) -> Iterator[Item]:
        messages = {send.message_id: send for send in self._sends}
        for event in self._heard:
            if event.kind == "inbound_sms":
                yield Item(event.received_at, (event.id, 0), self._texted(event))
                continue
            if event.fields["status"] not in _UNWANTED and not self._waits_for_receipts:
                continue
            told = self._which(messages[event.fields["message_id"]], event)
            if told is not None:
                code = event.fields.get("status_code")
                receipt = _short("status", status=event.fields["status"], status_code=code, **told)
                yield Item(event.received_at, (event.id, 0), {"receipt": receipt})

    def _which(self, send: Send, event: Event) -> dict[str, str] | None:
        """What tells a script which message a receipt is about: nothing for the last one; None: nothing can."""
        sent = [each for at, send_id, each in self._in_order if (at, send_id) < (event.received_at, event.id)]
        whom, text = send.command.to, send.command.body.get("content")
        to_same = [each for each in sent if each.command.to == whom]
        alike = [each for each in to_same if each.command.body.get("content") == text]
        for told, meant in (({}, sent), ({"to": whom}, to_same), ({"to": whom, "text": str(text)}, alike)):
            if meant and meant[-1] is send:
                return told
        return None

    def _left_at(self, send: Send) -> datetime:
        """When the message left: it may have been put off."""
        at = self._left.get(send.message_id or "", send.created_at)
        return at if at - send.created_at >= timedelta(seconds=1) else send.created_at

    @property
    def _waits_for_receipts(self) -> bool:
        flows = [part.flow for part in self._family if part.flow is not None]
        return any(isinstance(step.action, WaitForReceipt) for flow in flows for step in all_steps(flow.steps))

    def _texted(self, event: Event) -> dict[str, Any]:
        fields = event.fields
        sender = None if event.contact == self._contact else event.contact
        kind = None if fields.get("type") in (None, "SMS") else fields["type"]
        account = None if event.account == "default" else event.account
        text = fields.get("content") or "(a picture)"
        return {"in": _short("text", text=text, type=kind, account=account, **{"from": sender})}

    # --- what went out ------------------------------------------------------------------------------------------------

    def _out(self) -> Iterator[Item]:
        for send in self._sends:
            if send.state in ("sent", "refused"):
                to = None if send.command.to == self._contact else send.command.to
                text = str(send.command.body.get("content", ""))
                words = (send.reason or "").removeprefix(REFUSED) if send.state == "refused" else None
                yield Item(self._left_at(send), (send.id, 0), {"out": _short("text", text=text, to=to, refused=words)})

    def _calls(self) -> Iterator[Item]:
        for part in self._family:
            yield from Calls(part, [each.id for each in self._heard]).items()

    def _end(self, steps: list[dict[str, Any]], reached: datetime, late: timedelta) -> Iterator[dict[str, Any]]:
        run = self._run
        if run.ended_at is not None:
            self._pass(steps, reached, run.ended_at + late)
        last = {part.run.flow: part.run.status for part in self._family}
        for name in sorted({each.flow for each in failures(part.run for part in self._family)} - {run.flow}):
            yield {"run": {"flow": name, "status": last[name]}}
        if run.status == "cancelled":  # by a person or another run, which is not in the script
            yield {"run": "running"}
            return
        categories = [each["category"] for each in run.outputs.values() if each.get("category")]
        yield {"run": _short("status", status=run.status, category=categories[-1] if categories else None)}


def _last_attempt(items: Sequence[Item], place: int) -> int | None:
    """Where a long row of attempts, of which this is not the first one, ends; None where there is none.

    The pauses between them are never the same again: what adds up is more than one pause after a while. So they are
    written down as one pause and all calls after it.
    """
    call, number = items[place].attempt
    if number < 2:
        return None
    first = place - number + 1
    last = place
    while last + 1 < len(items) and items[last + 1].attempt == (call, items[last].attempt[1] + 1):
        last += 1
    is_row = first >= 0 and items[first].attempt == (call, 1)
    return last if is_row and last - first >= _MANY_ATTEMPTS else None


def _filled(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _short(only: str, **members: Any) -> Any:
    """The short form where there is nothing else to say."""
    filled = _filled(**members)
    return filled[only] if list(filled) == [only] else filled


def _texts(metadata: Mapping[str, Any] | None) -> dict[str, str] | None:
    found = {name: str(value) for name, value in (metadata or {}).items() if name != "sinchflow_id"}
    return found or None


def _call(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A call of a flow's webhook."""
    headers = {name: value for name, value in (fields.get("headers") or {}).items() if name not in _USUAL_HEADERS}
    body = fields.get("body") if fields.get("json") is None and fields.get("form") is None else None
    method = None if fields.get("method") == "POST" else fields.get("method")
    return _filled(
        path=fields["path"], method=method, query=fields.get("query") or None, headers=headers or None,
        json=fields.get("json"), form=fields.get("form"), body=body,
    )  # fmt: skip


def _at(time: str, zone: ZoneInfo) -> str:
    return datetime.fromisoformat(time).astimezone(zone).isoformat(timespec="seconds")
