"""A phone over the daemon's own parts in virtual time: customers text, time passes, and what comes of it is told.

Sees that what is asked for can be done, in the words of whoever asks; `turns` does it, `saved` writes it down.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sinchflow.engine.inputs import fault_of
from sinchflow.errors import SinchflowError, UsageError
from sinchflow.expression.durations import parse_duration
from sinchflow.expression.numbers import to_e164
from sinchflow.journal.journal import FlowSource
from sinchflow.language.check import Checker
from sinchflow.language.diagnostic import present_text
from sinchflow.language.files import is_project, no_project
from sinchflow.language.script import Script
from sinchflow.language.suggest import did_you_mean
from sinchflow.model.flow import Flow, Manual, Webhook
from sinchflow.model.origin import Origin
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Run
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.flow_hooks import PREFIX
from sinchflow.runtime.run_stories import summary
from sinchflow.runtime.run_words import told
from sinchflow.simulate.play.outcome import Line
from sinchflow.simulate.play.project import TestProject
from sinchflow.simulate.play.saved import Story, save, title
from sinchflow.simulate.play.turns import Session
from sinchflow.simulate.play.virtual_time import Stuck

#: What Sinch may report, and where a script may say so (schemas/test.schema.json).
STATUSES = (
    "undefined", "queued", "processing", "processed", "failed", "scheduled", "cancelled", "delivered", "expired",
    "enroute", "held", "submitted", "rejected", "read", "undeliverable",
)  # fmt: skip

#: Far from where calendars end.
_FIRST_YEAR, _LAST_YEAR = 1980, 2199


class Phone:
    """The phone of the project at `root`. now: when it begins; without an offset in the project's zone.

    contact: whose phone it is first. environ: where the names that the project lists under `env` are looked up.
    patience_s: of the machine's time, for each thing that is done.
    Raises SinchflowError with the findings when the project has errors, UsageError when contact is no number. What
    cannot be done later raises SinchflowError, and nothing has happened then.
    """

    def __init__(
        self, root: Path, now: datetime, contact: str, environ: Mapping[str, str], patience_s: float = 10.0
    ) -> None:
        self._root = root
        self._environ = environ
        self._checker = Checker()
        self._project, catalog = self._load()
        self._country = catalog.project.country
        self.names: dict[str, str] = {}  #: numbers by their names
        self._main = self.contact = self._number(contact)
        self._our_number: str | None = None
        begin = _in_zone(now, ZoneInfo(catalog.project.timezone)).replace(microsecond=0)
        self._session = Session(catalog, begin, self._main, patience_s)

    def close(self) -> None:
        """Put everything away."""
        self._session.close()

    # --- what can be done --------------------------------------------------------------------------------------------

    def text(self, text: str) -> None:
        """The current contact texts."""
        account = self._account_of(self._our_number)
        sender = None if self.contact == self._main else self.contact
        step = {"text": text, "from": sender, "to": self._our_number, "account": account}
        self._take("in", _short("text", step))

    def advance(self, duration: str) -> None:
        """Time passes."""
        span = parse_duration(duration)
        if span is None:
            raise SinchflowError(f'"{duration}" is no duration: write 30s, 15m, 24h or 2d')
        _in_zone(self.now + span, self.zone)
        self._take("advance", duration)

    def go_to(self, time: str) -> None:
        """Time passes until then."""
        try:
            when = _in_zone(datetime.fromisoformat(time), self.zone)
        except ValueError:
            raise SinchflowError(f'"{time}" is no time: write it like 2026-12-03T10:00') from None
        if when < self.now:
            raise SinchflowError(f"it is {self.now:%Y-%m-%dT%H:%M} already: time goes forward only")
        self._take("now", when.isoformat(timespec="minutes"))

    def receipt(self, status: str, code: str | None) -> None:
        """The provider reports on the last message to the current contact, else on the last one of all."""
        if status not in STATUSES:
            raise SinchflowError(f'Sinch reports no "{status}": {did_you_mean(status, STATUSES, "it reports")}')
        if code is not None and not (code.isascii() and code.isdecimal() and len(code) == 3):
            raise SinchflowError(f'"{code}" is no status code: it has three digits')
        sent = self._session.scene.sent()
        if not sent:
            raise SinchflowError("there is no message yet that a receipt could be about")
        is_other = sent[-1].to != self.contact and any(each.to == self.contact for each in sent)
        step = {"status": status, "status_code": code, "to": self.contact if is_other else None}
        self._take("receipt", _short("status", step))

    def start(self, name: str, inputs: dict[str, Any]) -> None:
        """A flow is started by hand."""
        flow = self._flow(name)
        if not any(isinstance(each, Manual) for each in flow.triggers):
            raise SinchflowError(f'flow "{name}" cannot be started by hand: it has no trigger `manual`')
        if fault := fault_of(flow, inputs, self._catalog.facts):
            raise SinchflowError(f'flow "{name}" cannot start with this: {fault}')
        self._take("start", _short("flow", {"flow": name, "inputs": inputs or None}))

    def webhook(self, path: str, body: Any = None) -> None:
        """Another system calls a flow's webhook, with its token and signature. body: its JSON; None: there is none."""
        path = "/" + path.removeprefix(f"{PREFIX}/").lstrip("/")
        hooks = {
            trigger.path: trigger
            for flow in self._catalog.flows.values()
            for trigger in flow.triggers
            if flow.enabled and isinstance(trigger, Webhook)
        }
        if path not in hooks:
            hint = did_you_mean(path, hooks, "there are") if hooks else "no flow has one at all"
            raise SinchflowError(f'no flow has a webhook at "{path}": {hint}')
        methods = hooks[path].method
        method = {} if "POST" in methods else {"method": methods[0]}
        self._take("webhook", {"path": path} | method | ({} if body is None else {"json": body}))

    def respond(self, respond: dict[str, Any]) -> None:
        """What a call is answered: the next one for which nothing is ready yet."""
        self._session.ready.append(respond)

    def refuse(self, why: str) -> None:
        """The provider does not take the next message, of those that are not to be refused yet."""
        self._session.unwanted.append(why)

    def restart(self) -> None:
        """The daemon dies and is started again."""
        self._take("restart", True)

    def reload(self) -> int:
        """The flows are read from disk: how many there are. With errors the old ones stay, and it raises them."""
        try:
            project, catalog = self._load()
        except SinchflowError as error:
            raise SinchflowError(f"the flows stay as they were, for {error}") from None
        self._project = project
        self._take("reload", True, catalog)
        return len(catalog.flows)

    def undo(self) -> str:
        """The last thing that was done is taken back, with all that came of it. What it was."""
        if not self._session.turns:
            raise SinchflowError("nothing has been done yet that could be taken back")
        return title(self._session.undo()) or "what was done last"

    def anew(self) -> None:
        """All that happened is forgotten: it is the beginning again, with the flows of now."""
        self._session.anew()

    def name(self, name: str, number: str) -> None:
        """Call a number by a name."""
        if not (name.isascii() and name.isidentifier()):
            raise SinchflowError(f'"{name}" is no name: write letters, digits and _')
        self.names[name] = self._number(number)

    def become(self, who: str) -> None:
        """Text as somebody else from now on: a name or a number."""
        self.contact = self._who(who)

    def text_to(self, number: str | None) -> None:
        """Text this number of ours from now on; None: that of the account."""
        self._our_number = None if number is None else self._who(number)

    def save(self, file: str, name: str | None, *, overwrites: bool = False) -> str:
        """Write a transcript test of all that was done, or add it to a file of the same flow. Gives what was done."""
        session = self._session
        env = self._env(self._catalog.project.env)
        story = Story(session=session, names=self.names, env=env, name=name)
        return save(story, self._project, self._root, file, overwrites=overwrites)

    # --- what there is to see ----------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What time it is, in the project's zone."""
        return self._session.scene.stage.clock.now().astimezone(self.zone)

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return ZoneInfo(self._catalog.project.timezone)

    @property
    def flows(self) -> list[Flow]:
        """Those that are live, by name."""
        return [flow for _, flow in sorted(self._catalog.flows.items())]

    def named(self, number: str) -> str:
        """The number's name, else the number."""
        return next((name for name, each in self.names.items() if each == number), number)

    def news(self) -> list[Line]:
        """What has happened since this was asked last, in order."""
        return self._session.news()

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first, as `sinchflow runs list` has them."""
        return [self._summary(run) for _, run in sorted(self._session.scene.stage.runs.items(), reverse=True)]

    def trace(self, run_id: int | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """One run, the last one without an id, and its trace: as `sinchflow runs show` has them."""
        runs = self._session.scene.stage.runs
        if not runs:
            raise SinchflowError("there is no run so far")
        run = runs.get(max(runs) if run_id is None else run_id)
        if run is None:
            raise SinchflowError(f"there is no run {run_id}: /runs lists those that there are")
        return self._summary(run), [*told(self._catalog.flow(run.digest), run.trace)]

    def _summary(self, run: Run) -> dict[str, Any]:
        return summary(run, self._catalog.flow(run.digest), self._session.scene.stage.open_sends(run))

    # --- how ---------------------------------------------------------------------------------------------------------

    def _take(self, verb: str, value: Any, catalog: Catalog | None = None) -> None:
        try:
            self._session.take(verb, value, catalog)
        except Stuck:
            patience = f"{self._session.patience_s:g} s of work were not enough"
            raise SinchflowError(
                f"the flows do not come to rest: {patience}. A loop of them has no end, or a schedule is too dense for "
                "this span of time. What was done last is taken back"
            ) from None
        except KeyboardInterrupt:
            raise SinchflowError("interrupted: what was done last is taken back") from None

    def _load(self) -> tuple[TestProject, Catalog]:
        if not is_project(self._root):
            raise no_project(self._root)
        checked = self._checker.check(self._root)
        if checked.has_errors:
            errors = [each for each in checked.diagnostics if each.severity == "error"]
            raise SinchflowError(f"the project has errors:\n{present_text(errors, checked.texts)}".rstrip())
        project = TestProject(self._root, checked=checked, source_of=self._source)
        given = {"env": self._env(checked.project.env)}
        return project, project.catalog(Script(name="", origin=Origin("", 1, 1), flow=None, given=given, steps=()))

    def _source(self, digest: str) -> FlowSource | None:
        return self._session.scene.stage.source(digest)

    def _env(self, names: tuple[str, ...]) -> dict[str, str]:
        return {name: self._environ[name] for name in names if name in self._environ}

    @property
    def _catalog(self) -> Catalog:
        return self._session.scene.stage.catalog

    def _who(self, text: str) -> str:
        return self.names.get(text) or self._number(text)

    def _number(self, text: str) -> str:
        number = to_e164(text, self._country)
        if number is None:
            name = f", or name it: /name {text} +61491570158" if text.isidentifier() else ""
            raise UsageError(f'"{text}" is no phone number: write it as +61491570156{name}')
        return number

    def _account_of(self, number: str | None) -> str | None:
        """The account, other than the default one, whose number this is."""
        connections = self._catalog.connections
        if number is None or number == connections[DEFAULT_ACCOUNT].source_number:
            return None
        return next((name for name, each in connections.items() if each.source_number == number), None)

    def _flow(self, name: str) -> Flow:
        flows = self._catalog.flows
        if name not in flows:
            raise SinchflowError(f'there is no flow "{name}": {did_you_mean(name, flows, "there are")}')
        return flows[name]


def _in_zone(time: datetime, zone: ZoneInfo) -> datetime:
    """The time in the zone; without an offset it is meant so. Raises UsageError when it is too far away."""
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise UsageError(f"{time.date()} is too far away: time goes from {_FIRST_YEAR} to {_LAST_YEAR} here")
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(zone)


def _short(only: str, members: Mapping[str, Any]) -> Any:
    """The step's members that there are; the short form where there is nothing else to say."""
    filled = {name: value for name, value in members.items() if value is not None}
    return filled[only] if list(filled) == [only] else filled
