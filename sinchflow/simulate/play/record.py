"""A real run of the journal as a transcript test: what came in and what went out, when, with other numbers and names.

What the journal does not keep cannot be told: answers of URLs to steps without an `id`, long bodies, and the trace of
runs that ended well so long ago that it was let go.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sinchflow.engine.address import all_steps, step_at
from sinchflow.errors import SinchflowError
from sinchflow.journal.arrivals import Arrivals, Wanted
from sinchflow.journal.reader import open_reader
from sinchflow.journal.stories import Stories
from sinchflow.language.build import flow_from_source
from sinchflow.model.contact import Contact
from sinchflow.model.event import Event
from sinchflow.model.flow import Flow, Http, WaitForReceipt
from sinchflow.model.run import Record, Run
from sinchflow.model.send import Send
from sinchflow.runtime.secrets import Secrets
from sinchflow.simulate.play.writing import written_file, written_span

#: Numbers kept for fiction (ACMA): the contact's own first.
_FICTION = [f"+614915701{number:02}" for number in (56, 57, 58, 59, 10)] + ["+61491570006", "+61491572549"]
_NAMES = ("Sam", "Alex", "Robin", "Kim", "Jo", "Lee")
_PERSONAL = re.compile(r"name|mail|phone|mobile|address|street|birth|dob", re.IGNORECASE)
_NAME = re.compile(r"name", re.IGNORECASE)
_REFERENCE = re.compile(r"\{\{ secrets\.(\w+) \}\}")
_STATUS = re.compile(r"answered (\d{3})")
#: Headers that every client sends: they say nothing about the test.
_USUAL_HEADERS = frozenset(
    [
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-real-ip",
        "traceparent",
    ]
)
#: Receipts that something may follow from, also where no step waits for one.
_UNWANTED = frozenset({"failed", "expired", "rejected", "undeliverable"})
_MOST_EVENTS = 1_000
_LATER = timedelta(days=7)  #: receipts after the end of a run


class _Item(msgspec.Struct, frozen=True):
    """One step, at its time."""

    at: datetime
    order: int
    step: dict[str, Any]


class Recording(msgspec.Struct, frozen=True):
    """A transcript test. text: the file. flow: the run's."""

    flow: str
    text: str


def record(journal: Path, run_id: int, timezone: str) -> Recording:
    """The run as a test. Raises SinchflowError when it is not there, or too little of it is known."""
    with Stories(journal) as stories:
        run = stories.run(run_id)
        if run is None:
            raise SinchflowError(f"there is no run {run_id}: `sinchflow runs list` shows those that there are")
        if run.is_slim:
            raise SinchflowError(
                f"run {run_id} ended well and its trace is no longer kept: take a newer one (`sinchflow runs list`), "
                "or keep more traces (`retention.traces` in sinchflow.yaml)"
            )
        event = stories.event(run.event_id)
        if event is None:
            raise SinchflowError(f"the event that run {run_id} began with is no longer in the journal")
        source = stories.source(run.digest)
        flow = None if source is None else flow_from_source(source.source, source.file, source.line)
        sends, _ = stories.sends_of(run)
    heard = _heard(journal, run, event, sends)
    contact = None
    if run.contact is not None:
        reader = open_reader(journal)
        try:
            contact = reader.contact(run.contact)
        finally:
            reader.close()
    return _Recorder(run, event, flow, sends, heard, contact, ZoneInfo(timezone)).recording()


def _heard(journal: Path, run: Run, event: Event, sends: Iterable[Send]) -> list[Event]:
    """What people answered to the run, and the receipts of its messages."""
    ids = {send.message_id for send in sends}
    until = run.ended_at
    found: dict[int, Event] = {}
    with Arrivals(journal) as arrivals:
        for number in {run.contact, *(send.command.to for send in sends)} - {None}:
            wanted = Wanted(contact=number, since=run.started_at - timedelta(seconds=5))
            for arrival in arrivals.events(wanted, _MOST_EVENTS)[0]:
                each, note = arrival.event, arrival.note or {}
                is_answer = note.get("outcome") == "wait" and note.get("run") == run.id
                is_receipt = each.kind == "delivery_receipt" and each.fields.get("message_id") in ids
                if each.id > event.id and (is_answer or (is_receipt and _is_near(each, until))):
                    found[each.id] = each
    return [found[each] for each in sorted(found)]


def _is_near(event: Event, until: datetime | None) -> bool:
    return until is None or event.received_at <= until + _LATER


class _Recorder:
    def __init__(
        self, run: Run, event: Event, flow: Flow | None, sends: list[Send], heard: list[Event],
        contact: Contact | None, zone: ZoneInfo,
    ) -> None:  # fmt: skip
        self._run = run
        self._event = event
        self._flow = flow
        self._sends = sends
        self._heard = heard
        self._known = contact
        self._zone = zone
        self._contact = event.contact or run.contact
        self._instead = _Instead([self._contact, run.contact, *(send.command.to for send in sends)])
        if event.our_number:
            self._instead.our_number(event.our_number)
        self._instead.personal(event.fields)
        if contact is not None:
            self._instead.personal(contact.values, all_of=True)

    def recording(self) -> Recording:
        """All of it."""
        began = self._event.received_at
        now = began.astimezone(self._zone).replace(microsecond=0)
        items = sorted(
            [*self._first(), *self._out(), *self._calls(), *self._in()], key=lambda item: (item.at, item.order)
        )
        steps: list[dict[str, Any]] = []
        reached = began
        for item in items:
            gap = math.ceil((item.at - reached) / timedelta(seconds=1))
            if item.at - reached >= timedelta(seconds=1):
                steps.append({"advance": written_span(gap)})
                reached += timedelta(seconds=gap)
            steps.append(item.step)
        steps += self._end(reached)
        given: dict[str, Any] = {"flow": self._run.flow.partition("\n")[0], "now": now.isoformat(timespec="seconds")}
        if self._contact is not None:
            number = self._instead.text(self._contact)
            values = {} if self._known is None else self._instead.data(dict(self._known.values))
            settings = (
                {} if self._known is None else {"language": self._known.language, "timezone": self._known.timezone}
            )
            values |= {name: value for name, value in settings.items() if value is not None}
            given["contact"] = {"number": number, **values} if values else number
        name = f"as in run {self._run.id} of {now:%d %B %Y}"
        return Recording(given["flow"], written_file(given, name, [self._instead.data(step) for step in steps]))

    # --- what came in -------------------------------------------------------------------------------------------------

    def _first(self) -> Iterator[_Item]:
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
        yield _Item(event.received_at, 0, step)

    def _in(self) -> Iterator[_Item]:
        messages = {send.message_id: send for send in self._sends}
        for event in self._heard:
            if event.kind == "inbound_sms":
                yield _Item(event.received_at, 2, self._texted(event))
                continue
            if event.fields["status"] not in _UNWANTED and not self._waits_for_receipts:
                continue
            send = messages[event.fields["message_id"]]
            last = [each for each in self._sends if each.command.to == send.command.to and each.message_id]
            if send is last[-1]:  # a script's receipt is about the last message to somebody
                code = event.fields.get("status_code")
                whom = None if send.command.to == self._contact else send.command.to
                yield _Item(event.received_at, 2, {"receipt": _short("status", status=event.fields["status"],
                                                                     status_code=code, to=whom)})  # fmt: skip

    @property
    def _waits_for_receipts(self) -> bool:
        steps = () if self._flow is None else all_steps(self._flow.steps)
        return any(isinstance(step.action, WaitForReceipt) for step in steps)

    def _texted(self, event: Event) -> dict[str, Any]:
        fields = event.fields
        sender = None if event.contact == self._contact else event.contact
        kind = None if fields.get("type") in (None, "SMS") else fields["type"]
        account = None if event.account == "default" else event.account
        text = fields.get("content") or "(a picture)"
        return {"in": _short("text", text=text, type=kind, account=account, **{"from": sender})}

    # --- what went out ------------------------------------------------------------------------------------------------

    def _out(self) -> Iterator[_Item]:
        for send in self._sends:
            if send.state == "sent":
                to = None if send.command.to == self._contact else send.command.to
                text = str(send.command.body.get("content", ""))
                yield _Item(send.due or send.created_at, 1, {"out": _short("text", text=text, to=to)})

    def _calls(self) -> Iterator[_Item]:
        asked: dict[str, Record] = {}
        for record_ in self._run.trace:
            step = self._http_step(record_.address)
            if step is None:
                continue
            match record_.what:
                case "command":
                    asked[record_.address] = record_
                case "attempt" if record_.address in asked:
                    first = asked[record_.address]
                    yield _Item(first.at, 1, {"http": self._call(first, self._refused(str(record_.detail)))})
                    asked[record_.address] = Record(record_.at, first.address, first.what, first.detail)
                case "outcome" | "error" if record_.address in asked:
                    first = asked.pop(record_.address)
                    yield _Item(first.at, 1, {"http": self._call(first, self._answer(record_))})

    def _http_step(self, address: str) -> Any:
        try:
            step = None if self._flow is None or not address else step_at(self._flow, address)
        except (LookupError, ValueError):
            return None
        return step if step is not None and isinstance(step.action, Http) else None

    def _call(self, asked: Record, respond: Mapping[str, Any]) -> dict[str, Any]:
        head, _, body = str(asked.detail).partition("\n\n")
        method, _, url = head.partition("\n")[0].partition(" ")
        call: dict[str, Any] = {"method": method, "url": self._filled(url)}
        if body and not body.endswith("…") and not _REFERENCE.search(body):
            try:
                call["json"] = msgspec.json.decode(body)
            except (ValueError, RecursionError):
                call["body"] = body
        if respond:
            call["respond"] = dict(respond)
        return call

    def _filled(self, text: str) -> str:
        """With the values that secrets have where nobody gives them."""
        return _REFERENCE.sub(lambda found: Secrets.stand_in(found[1]), text)

    def _answer(self, outcome: Record) -> dict[str, Any]:
        if outcome.what == "error":
            return self._refused(str(outcome.detail))
        step = self._http_step(outcome.address)
        output = {} if step is None or step.id is None else self._run.outputs.get(step.id, {})
        respond: dict[str, Any] = {}
        if isinstance(outcome.detail, int) and outcome.detail != 200:
            respond["status"] = outcome.detail
        if output.get("json") is not None:
            respond["json"] = output["json"]
        elif output.get("text"):
            respond["body"] = output["text"]
        return respond

    def _refused(self, words: str) -> dict[str, Any]:
        if found := _STATUS.search(words):
            return {"status": int(found[1])}
        return {"fault": "timeout" if "timed out" in words or "within" in words else "connection"}

    def _end(self, reached: datetime) -> Iterator[dict[str, Any]]:
        run = self._run
        if run.ended_at is not None and run.ended_at - reached >= timedelta(seconds=1):
            yield {"advance": written_span(math.ceil((run.ended_at - reached) / timedelta(seconds=1)))}
        if run.status == "cancelled":
            return  # by a person or another flow: not in the script
        categories = [each["category"] for each in run.outputs.values() if each.get("category")]
        yield {"run": _short("status", status=run.status, category=categories[-1] if categories else None)}


class _Instead:
    """Other numbers and names in the place of real ones, the same ones everywhere."""

    def __init__(self, numbers: Iterable[str | None]) -> None:
        self._by_real: dict[str, str] = {}
        fiction = iter(_FICTION)
        for number in numbers:
            if number is not None and number not in self._by_real:
                self._by_real[number] = next(fiction, f"+6149157{1000 + len(self._by_real):04}")
        self._names = iter([*_NAMES, *(f"person {number}" for number in range(1, 1_000))])

    def our_number(self, number: str) -> None:
        """Ours may stay, for it is in the project; it is nobody's secret."""
        self._by_real.setdefault(number, number)

    def personal(self, data: Any, key: str = "", *, all_of: bool = False) -> None:
        """Note what is somebody's: values under telling names, or all texts."""
        match data:
            case dict():
                for name, value in data.items():
                    self.personal(value, str(name), all_of=all_of)
            case list() | tuple():
                for value in data:
                    self.personal(value, key, all_of=all_of)
            case str() if len(data) >= 2 and (all_of or _PERSONAL.search(key)) and data not in self._by_real:
                if not re.fullmatch(r"source_address|destination_address|content|path|url", key):
                    self._by_real[data] = next(self._names) if _NAME.search(key) else f"{key} of somebody"

    def text(self, text: str) -> str:
        """The text with what is to stand there instead; numbers also as people write them at home."""
        for real, other in sorted(self._by_real.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(real, other)
            if real.startswith("+") and real != other:
                text = text.replace(real[1:], other[1:])
        return text

    def data(self, data: Any) -> Any:
        """The same for all texts of a value."""
        match data:
            case str():
                return self.text(data)
            case dict():
                return {name: self.data(value) for name, value in data.items()}
            case list() | tuple():
                return [self.data(value) for value in data]
            case _:
                return data


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
