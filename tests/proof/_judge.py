"""What a simulation is held to: looks at each unit that becomes durable, and at what is left in the end."""

import json
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from sinchflow.journal import rows
from sinchflow.journal.journal import Changes
from sinchflow.model import codec
from sinchflow.model.contact import Lifted
from sinchflow.model.event import Event
from sinchflow.model.run import Run
from sinchflow.model.send import Call, Send
from tests.proof._disk import Disk
from tests.proof._outside import Outside
from tests.proof._virtual import TimeLine
from tests.proof._weather import Weather

#: Longer than a sync and the way to the provider: what was decided before may leave until then.
_ON_ITS_WAY_S = 20.0
_IDENTITY_CHARACTERS = 8


class Watch:
    """Gathers what must not be (`broken`)."""

    def __init__(self, line: TimeLine) -> None:
        self.line = line
        self.broken: list[str] = []
        self.routed: Counter[int] = Counter()
        self.intents: set[tuple[int, str]] = set()
        self.sends: dict[int, Send] = {}
        self.troubled: set[int] = set()  #: sends that did not simply leave
        self.by_hand: set[int] = set()  #: sends that an operator decided upon
        self.retried: set[int] = set()  #: runs that an operator retried, or whose calls one resolved
        self.calls: list[Call] = []
        self.suppressed: dict[str, float] = {}
        self.acknowledged: dict[str, str] = {}  #: the provider's id: kind
        self.errors: list[str] = []
        self.order: dict[str, list[int]] = defaultdict(list)  #: by contact, inbound messages as they were routed
        self.events: dict[int, Event] = {}
        self.ids: Counter[str] = Counter()  #: the provider's, of events that are stored
        self.runs: dict[int, Run] = {}
        self.departed: list[tuple[int, str]] = []
        self.unit_of: dict[int, int] = {}  #: by send, which unit stored its intent
        self.units = 0

    def breaks(self, words: str) -> None:
        """Something must not be."""
        self.broken.append(f"{self.line.now_s:.3f} {words}")

    # --- on the way -------------------------------------------------------------------------------------------------

    def saw(self, unit: Any) -> None:
        """A unit, or an event's row, is durable."""
        if not isinstance(unit, Changes):
            event = codec.decode_event(unit[3])
            self.events[event.id] = event
            self.ids[_id_of(event)] += 1
            return
        self.units += 1
        for event_id in unit.routed:
            self.routed[event_id] += 1
            event = self.events.get(event_id)
            if event is None:
                self.breaks(f"event {event_id} is routed and not stored")
            elif event.kind == "inbound_sms" and event.contact:
                self.order[event.contact].append(event_id)
        for send in unit.new_sends:
            if (send.run, send.command.id) in self.intents:
                self.breaks(f"a second intent for command {send.command.id} of run {send.run}")
            self.intents.add((send.run, send.command.id))
            self.unit_of[send.id] = self.units
        for send in (*unit.new_sends, *unit.sends):
            self.sends[send.id] = send
            if send.state not in ("queued", "sending", "sent") or send.attempt > 1 or send.due or send.reason:
                self.troubled.add(send.id)
        self.runs.update((run.id, run) for run in unit.runs)
        self.calls += unit.calls
        for it in unit.suppressions:
            if isinstance(it, Lifted):
                self.suppressed.pop(it.number, None)
            else:
                self.suppressed.setdefault(it.number, self.line.now_s)

    def departs(self, messages: list[dict[str, Any]]) -> None:
        """A call to the provider leaves."""
        for message in messages:
            send_id = int(message["metadata"]["sinchflow_id"][_IDENTITY_CHARACTERS:], 16)
            send, to = self.sends.get(send_id), message["destination_number"]
            if send is None or send.state != "sending":
                self.breaks(f"send {send_id} leaves, and on disk it is {send and send.state}")
            since = self.suppressed.get(to)
            is_policy = message["content"].startswith("POLICY")
            if since is not None and self.line.now_s - since > _ON_ITS_WAY_S and not is_policy:
                self.breaks(f"send {send_id} leaves to {to}, who opted out at {since:.3f}")
            self.departed.append((send_id, to))

    def confirms(self, ids: list[str]) -> None:
        """The provider is told that it need not keep these any more."""
        for each in ids:
            if not self.ids[each]:
                self.breaks(f"{each} is confirmed and not stored")

    # --- in the end -------------------------------------------------------------------------------------------------

    def check(self, disk: Disk, outside: Outside, weather: Weather, project: Any, always: set[str]) -> list[str]:
        """All that is wrong. always: the flows that all versions of the project have. project: its settings."""
        execute = disk.connection.execute
        # What was stored counts, not what retention has left of it.
        runs, sends, events = [*self.runs.values()], [*self.sends.values()], [*self.events.values()]
        for (event_id,) in execute("SELECT event FROM unrouted"):
            self.breaks(f"event {event_id} is never routed")
        for run in (codec.decode_run(data) for (data,) in execute("SELECT data FROM run")):
            if not run.is_final:
                self.breaks(f"run {run.id} of {run.flow} never ends: {_standing(run)}")
        for send in (rows.send_from(row) for row in execute(f"SELECT {rows.SEND_COLUMNS} FROM send")):
            if send.is_open:
                self.breaks(f"send {send.id} of run {send.run} stays {send.state}: {send.reason}")
        self._check_events(events, runs, always)
        for send in sends:
            self._check_send(send, outside, weather, project)
        known = {send.id for send in sends}
        for text in outside.copies:
            if int(text[_IDENTITY_CHARACTERS:] or "0", 16) not in known:
                self.breaks(f"the provider has a message that nobody intended: {text}")
        self._check_throttle(outside, weather, project)
        self._check_order(sends, weather)
        self._check_requests(outside, runs)
        for words in self.errors:
            self.breaks(f"internal error: {words}")
        return self.broken

    def _check_events(self, events: list[Event], runs: list[Run], always: set[str]) -> None:
        for key, kind in self.acknowledged.items():
            if self.ids[key] != 1:
                self.breaks(f"{kind} {key} was acknowledged and is stored {self.ids[key]} times")
        begun = Counter((run.event_id, run.flow, run.is_opt_out, run.is_otherwise) for run in runs if not run.depth)
        for (event_id, flow, *_), count in begun.items():
            if count != 1:
                self.breaks(f"event {event_id} began {count} runs of {flow}")
        for event in events:
            if self.routed[event.id] != 1:
                self.breaks(f"event {event.id} ({event.kind}) was routed {self.routed[event.id]} times")
            words = str(event.fields.get("content") or "").split()
            if event.kind == "inbound_sms" and words and words[0].startswith("KW") and event.ignored is None:
                flow = f"plain{words[0][2:]}"
                if flow in always and begun[event.id, flow, False, False] != 1:
                    self.breaks(f"event {event.id} began no run of {flow}")
        for contact, ids in self.order.items():
            if ids != sorted(ids):
                self.breaks(f"messages of {contact} were routed in the order {ids}")

    def _check_send(self, send: Send, outside: Outside, weather: Weather, project: Any) -> None:
        copies = len(outside.copies.get(f"5eed5eed{send.id:012x}", ()))
        policy = send.command.on_unknown or project.sends.on_unknown
        is_free = policy == "resend" or send.id in self.by_hand
        is_free = is_free or (policy == "check" and weather.report_lag_s > 20 and not outside.is_even)
        if copies > 1 and not is_free:
            self.breaks(f"send {send.id} ({policy}) went out {copies} times")
        if send.state == "sent" and not copies and send.id not in self.by_hand:
            self.breaks(f"send {send.id} ({policy}) is called sent, and the provider never took it: {send.reason}")
        is_lost = send.state in ("not_sent", "refused", "expired", "skipped") and copies
        if is_lost and not is_free and not (policy == "skip" and send.state == "skipped"):
            self.breaks(f"send {send.id} ({policy}) is called {send.state}, and the provider took it: {send.reason}")

    def _check_throttle(self, outside: Outside, weather: Weather, project: Any) -> None:
        limits = project.account.limits
        if limits.calls is None or weather.jumps:
            return
        times = sorted(call.started_at for call in self.calls)
        for first, last in zip(times, times[limits.calls :], strict=False):
            if last - first < limits.per:
                self.breaks(f"{limits.calls + 1} calls from {first} to {last}")
        slack = timedelta(seconds=2.5).total_seconds()  # a call leaves once it is on disk
        for left, right in zip(outside.departures, outside.departures[limits.calls :], strict=False):
            if right - left < limits.per.total_seconds() - slack:
                self.breaks(f"{limits.calls + 1} calls left between {left:.3f} and {right:.3f}")

    def _check_order(self, sends: list[Send], weather: Weather) -> None:
        """To one recipient messages leave in the order of their intents, but for those that did not simply leave.

        What several runs ask for in one unit has no order.
        """
        last: dict[str, int] = {}
        for send_id, to in self.departed:
            if send_id in self.troubled:
                continue
            before = last.setdefault(to, send_id)
            if self.unit_of[send_id] < self.unit_of[before]:
                self.breaks(f"send {send_id} to {to} left after {before}")
            last[to] = send_id

    def _check_requests(self, outside: Outside, runs: list[Run]) -> None:
        for (method, path, run), count in outside.requests.items():
            if path.endswith("/once") and count > 1 and int(run) not in self.retried:
                self.breaks(f"{method} {path} of run {run} was made {count} times")


def _id_of(event: Event) -> str:
    fields = event.fields
    return str(fields.get("reply_id") or fields.get("delivery_report_id") or event.key)


def _standing(run: Run) -> str:
    return json.dumps([[cursor.address, [type(each).__name__ for each in cursor.commands]] for cursor in run.cursors])
