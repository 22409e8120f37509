"""Plays one script on its stage, step by step, and says at which step it is not as the script has it."""

import contextlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec

from sinchflow.engine.inputs import fault_of
from sinchflow.expression.durations import parse_duration
from sinchflow.expression.numbers import to_e164
from sinchflow.language.script import Script, ScriptStep
from sinchflow.model.origin import Origin
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Run
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.flow_hooks import PREFIX, FlowHook
from sinchflow.runtime.guard import Refusal
from sinchflow.simulate.play.coverage import Walked
from sinchflow.simulate.play.stage import Answer, Called, Stage, Texted
from sinchflow.simulate.play.virtual_time import Stuck, VirtualLoop
from sinchflow.simulate.play.wanted import Difference, of_call, of_message, of_run, same_url

#: Where no test says otherwise: a Monday morning in the project's time zone, and a number kept for fiction.
BEGIN = "2026-01-05T09:00"
CONTACT = "+61491570156"

LineKind = Literal["in", "out", "call", "time", "event", "note"]


class Line(msgspec.Struct, frozen=True):
    """One line of the chat. who: the customer's number for `in` and `out`. order: of all that happens."""

    order: float
    at: datetime
    kind: LineKind
    who: str
    text: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Where a script and the flows differ. clues: what else happened that may explain it."""

    origin: Origin
    message: str
    differences: tuple[Difference, ...] = ()
    clues: tuple[str, ...] = ()


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one script. failures: all of them, where it was to go on after the first one."""

    script: Script
    failure: Failure | None
    failures: tuple[Failure, ...]
    chat: tuple[Line, ...]
    runs: tuple[Run, ...]


class _Off(Exception):
    """The script and the flows differ."""

    def __init__(
        self, origin: Origin, message: str, differences: Iterable[Difference] = (), clues: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.failure = Failure(origin=origin, message=message, differences=tuple(differences), clues=tuple(clues))


def play(
    script: Script, catalog: Catalog, loop: VirtualLoop, walked: Walked | None = None, *, goes_on: bool = False
) -> Played:
    """Play it from its beginning to its end, or to where it fails. walked: is told which ways the flows go.

    goes_on: what is not as the script has it is noted, and the script is played on.
    """
    player = Player(script, catalog, loop, walked, goes_on=goes_on)
    loop.begin()
    try:
        failure = loop.run_until_complete(player.play())
    except Stuck:
        failure = player.stuck()
    with contextlib.suppress(Stuck):
        loop.begin()
        loop.run_until_complete(player.stage.close())
    loop.end()
    failures = (*player.failures, *([failure] if failure is not None else []))
    return Played(
        script=script, failure=next(iter(failures), None), failures=failures, chat=tuple(player.chat()),
        runs=tuple(player.stage.runs.values()),
    )  # fmt: skip


class Player:
    """One script being played."""

    def __init__(
        self,
        script: Script,
        catalog: Catalog,
        loop: VirtualLoop,
        walked: Walked | None = None,
        *,
        goes_on: bool = False,
    ) -> None:
        self._script = script
        self._goes_on = goes_on
        self.failures: list[Failure] = []
        given = script.given
        self._zone = ZoneInfo(catalog.project.timezone)
        self._country = catalog.project.country
        self._names: Mapping[str, str] = given.get("numbers") or {}
        contact = given.get("contact")
        known = dict(contact) if isinstance(contact, Mapping) else {"number": contact or CONTACT}
        self._contact = self._number(known.pop("number"))
        self._at = 0  # the step that is being played
        self._claimed: set[int] = set()  # what steps have asked for, by its order
        self._bound: dict[int, Called] = {}  # by the place of a step `http` in the script: the call that it answered
        self._unexpected: Called | None = None
        self._said: list[Line] = []
        self.stage = Stage(catalog, loop, self._time(given.get("now") or BEGIN), self._answer, walked)
        if known:
            self.stage.remember(self._contact, known)

    async def play(self) -> Failure | None:
        """All steps. What is wrong, None when nothing is."""
        try:
            await self.stage.rest()
            for at, step in enumerate(self._script.steps):
                self._at = at
                await self._step(step)
            await self._step(None)
        except _Off as off:
            return off.failure
        if self.stage.stats.internal_errors:
            return Failure(origin=self._script.origin, message="an internal error of sinchflow: run with --debug")
        return None

    async def _step(self, step: ScriptStep | None) -> None:
        """One step; None: the end."""
        try:
            if step is None or not step.is_expectation:
                self._check_nothing_left(step)
        except _Off as off:
            self._noted(off, {each.order for each in self._left()})
        if step is None:
            return
        try:
            await _DO[step.verb](self, step)
            self._check_calls()
        except _Off as off:
            meant: list[Texted | Called] = [] if self._unexpected is None else [self._unexpected]
            if step.verb == "out":
                to = self._number(step.get("to") or self._contact)
                meant += [each for each in self._left() if isinstance(each, Texted) and each.to == to][:1]
            self._noted(off, {each.order for each in meant})
            self._unexpected = None

    def _noted(self, off: _Off, claimed: set[int]) -> None:
        """Go on after a failure as if `claimed` had been asked for, or stop there."""
        if not self._goes_on:
            raise off
        self.failures.append(off.failure)
        self._claimed |= claimed

    def stuck(self) -> Failure:
        """It went round in circles."""
        step = self._script.steps[self._at]
        last = [f"{line.who} {line.text}" for line in self.chat()[-5:]]
        return Failure(
            origin=step.origin, message="the flows do not come to rest; a loop of theirs has no end",
            clues=("the last that happened:", *last),
        )  # fmt: skip

    def chat(self) -> list[Line]:
        """All that happened, in order."""
        happened = [self._line(each) for each in self.stage.happened]
        notes = [Line(each.order, each.at, "note", "", each.words) for each in self.stage.notes]
        return sorted([*self._said, *happened, *notes], key=lambda line: line.order)

    # --- what makes something happen ---------------------------------------------------------------------------------

    async def text_in(self, step: ScriptStep) -> None:
        """Somebody texts us."""
        sender = self._number(step.get("from") or self._contact)
        text = str(step.get("text", "text"))
        self._say("in", sender, text)
        to = step.get("to") or self._script.given.get("our_number")
        await self.stage.text_in(
            sender, text, to=None if to is None else self._number(to), account=step.get("account") or DEFAULT_ACCOUNT,
            kind=step.get("type") or "SMS", metadata=step.get("metadata"),
        )  # fmt: skip
        await self.stage.rest()

    async def receipt(self, step: ScriptStep) -> None:
        """The provider reports on a message."""
        metadata = step.get("metadata")
        to = step.get("to")
        wanted = None if to is None else self._number(to)
        sent = [each for each in self._texted() if wanted is None or each.to == wanted]
        if not sent and metadata is None:
            whom = "" if wanted is None else f" to {wanted}"
            raise self._off(step.origin, f"there is no message{whom} that a receipt could be about")
        status = str(step.get("status", "status"))
        code = step.get("status_code")
        message = None if metadata is not None else sent[-1]
        self._say("event", message.to if message else "", f"receipt: {status}{f' ({code})' if code else ''}")
        await self.stage.report(message, status, None if code is None else str(code), metadata)
        await self.stage.rest()

    async def advance(self, step: ScriptStep) -> None:
        """Time passes."""
        self._say("time", "", f"{step.value} later")
        await self.stage.rest(parse_duration(step.value) or timedelta())

    async def go_to(self, step: ScriptStep) -> None:
        """Time passes until then."""
        when = self._time(step.value)
        passing = when - self.stage.clock.now()
        if passing < timedelta():
            shown = self.stage.clock.now().astimezone(self._zone).isoformat(timespec="minutes")
            raise self._off(step.origin, f"it is {shown} by then: time goes forward only")
        self._say("time", "", str(step.value))
        await self.stage.rest(passing)

    async def webhook(self, step: ScriptStep) -> None:
        """Another system calls a flow's webhook."""
        method, path = step.get("method") or "POST", str(step.get("path"))
        headers = {name.lower(): value for name, value in (step.get("headers") or {}).items()}
        body = b""
        if "json" in step.value:
            body = msgspec.json.encode(step.get("json"))
            headers.setdefault("content-type", "application/json")
        elif step.get("form") is not None:
            body = urlencode(step.get("form")).encode()
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
        elif step.get("body") is not None:
            body = str(step.get("body")).encode()
        token = step.get("token")
        hook = self._hook(path, method)
        if token is not None:
            headers["x-token"] = str(token)
        elif hook is not None:
            headers = {**_proof(hook, body), **headers}
        self._say("event", "", f"{method} {PREFIX}{path}")
        query = urlencode(step.get("query") or {}).encode()
        status, answer = await self.stage.call_in(method, path, query=query, headers=headers, body=body)
        await self.stage.rest()
        wanted = step.get("status")
        if wanted is not None and status != wanted:
            words = f"{status}: {answer.get('error') or answer.get('reason') or 'accepted'}"
            raise self._off(
                step.place("status"), "the webhook is answered otherwise", [Difference("status", str(wanted), words)]
            )
        if wanted is None and status >= 300:
            problems = [str(each) for each in answer.get("problems", ())]
            raise self._off(step.origin, f"the webhook is refused: {status}: {answer.get('error')}", (), problems)

    def _hook(self, path: str, method: str) -> FlowHook | None:
        with contextlib.suppress(Refusal):
            return self.stage.catalog.flow_hooks.find(f"{PREFIX}{path}", method)
        return None

    async def start(self, step: ScriptStep) -> None:
        """Somebody starts a flow by hand."""
        name = step.get("flow", "flow") or self._script.flow
        flow = self.stage.catalog.flows.get(str(name))
        if flow is None:
            raise self._off(step.origin, f'there is no flow "{name}"')
        inputs = step.get("inputs") or {}
        if fault := fault_of(flow, inputs, self.stage.catalog.facts):
            raise self._off(step.place("inputs"), f'flow "{name}" cannot start with this: {fault}')
        contact = step.get("contact")
        self._say("event", "", f"start {name}")
        begun: list[int | Exception] = []
        self.stage.start(flow, inputs, None if contact is None else self._number(contact), begun.append)
        await self.stage.rest()
        if begun and isinstance(begun[0], Exception):
            raise self._off(step.origin, f"it does not start: {begun[0]}")

    async def restart(self, step: ScriptStep) -> None:
        """The daemon dies and comes back."""
        self._say("event", "", "the daemon is killed and started again")
        await self.stage.restart()
        await self.stage.rest()

    async def reload(self, step: ScriptStep) -> None:
        """The flows are read again."""
        self._say("event", "", "the flows are read again")
        self.stage.reload()
        await self.stage.rest()

    # --- what must have happened -------------------------------------------------------------------------------------

    async def expect_text(self, step: ScriptStep) -> None:
        """We text."""
        to = self._number(step.get("to") or self._contact)
        found = next((each for each in self._texted() if each.order not in self._claimed and each.to == to), None)
        if found is None:
            raise self._off(step.origin, f"nothing is texted to {to} here", self._instead(step), self._clues())
        own = self.stage.catalog.connections[found.account].source_number
        differences = [*of_message(step, found, self._number, own)]
        if differences:
            raise self._off(step.place(differences[0].member), f"{to} is texted something else", differences)
        self._claim(found, step)

    async def expect_call(self, step: ScriptStep) -> None:
        """A flow calls a URL."""
        call = self._bound.get(self._at)
        if call is None:
            raise self._off(step.origin, f"{step.get('url')} is not called here", self._instead(step), self._clues())
        differences = [*of_call(step, call)]
        if differences:
            raise self._off(step.place(differences[0].member), "the call is another one", differences)
        self._claim(call, step)

    async def expect_run(self, step: ScriptStep) -> None:
        """The last run stands so."""
        name = step.get("flow") or self._script.flow
        runs = [run for run in self.stage.runs.values() if name is None or run.flow == name]
        if not runs:
            of = "no flow" if name is None else f'flow "{name}"'
            raise self._off(
                step.origin, f"{of} has no run so far" if name else "there is no run so far", (), self._clues()
            )
        run = max(runs, key=lambda each: each.id)
        differences = [*of_run(step, run, self.stage.categories.get(run.id))]
        if differences:
            place = step.place(differences[0].member)
            raise self._off(place, f"the last run of {run.flow} stands otherwise", differences, self._clues(run))

    async def expect_silence(self, step: ScriptStep) -> None:
        """Nothing is sent and nothing called."""
        if isinstance(step.value, str):
            self._say("time", "", f"{step.value} later")
            await self.stage.rest(parse_duration(step.value) or timedelta())
        left = self._left()
        if left:
            raise self._off(step.origin, "there is no silence", [Difference("", "silence", self._shown(left[0]))])

    # --- what nobody asked for ---------------------------------------------------------------------------------------

    def _claim(self, found: Texted | Called, step: ScriptStep) -> None:
        """What the same run did before it must have been asked for before it."""
        for each in self._left():
            if each.run == found.run and each.run is not None and each.order < found.order:
                what = "texted" if isinstance(each, Texted) else "called"
                raise self._off(
                    step.origin, f"before this, something else is {what}", [Difference("", "", self._shown(each))]
                )
        self._claimed.add(found.order)

    def _left(self) -> list[Texted | Called]:
        return [each for each in self.stage.happened if each.order not in self._claimed]

    def _check_nothing_left(self, step: ScriptStep | None) -> None:
        """Before the next thing happens, and at the end, everything has been asked for."""
        left = self._left()
        if left:
            where = self._script.steps[-1].origin if step is None else step.origin
            what = "texted" if isinstance(left[0], Texted) else "called"
            when = "at the end of the script" if step is None else "before this step"
            raise self._off(
                where, f"{when}, something is {what} that no step expects", [Difference("", "", self._shown(left[0]))]
            )

    def _check_calls(self) -> None:
        if self._unexpected is not None:
            step = self._script.steps[self._at]
            raise self._off(
                step.origin, "after this step, something is called that no step expects",
                [Difference("", "", self._shown(self._unexpected))],
            )  # fmt: skip

    def _answer(self, called: Called) -> Answer:
        """By the step that expects this call: the next one that fits, else the next `http` before anything happens."""
        open_steps = []
        for at in range(self._at, len(self._script.steps)):
            step = self._script.steps[at]
            if at > self._at and not step.is_expectation:
                break
            if step.verb == "http" and at not in self._bound:
                open_steps.append(at)
        fitting = [at for at in open_steps if self._fits(self._script.steps[at], called)]
        for at in fitting or open_steps:
            self._bound[at] = called
            return _answer_of(self._script.steps[at].get("respond") or {})
        self._unexpected = self._unexpected or called
        return Answer()

    def _fits(self, step: ScriptStep, called: Called) -> bool:
        url = called.url if step.get("query") is None else called.url.partition("?")[0]
        return same_url(str(step.get("url")), url) and step.get("method") in (None, called.method)

    # --- words -------------------------------------------------------------------------------------------------------

    def _off(
        self, origin: Origin, message: str, differences: Iterable[Difference] = (), clues: Iterable[str] = ()
    ) -> _Off:
        return _Off(origin, message, differences, clues)

    def _instead(self, step: ScriptStep) -> list[Difference]:
        """What there is in the place of what was wanted."""
        wanted = _words(step)
        left = self._left()
        return [Difference("", wanted, self._shown(left[0]) if left else "nothing")]

    def _clues(self, run: Run | None = None) -> list[str]:
        """What has gone otherwise than one would like since the script began."""
        notes = [each.words for each in self.stage.notes[-3:]]
        failed = [
            f"{each.flow} has failed: {each.reason}{_place(each)}"
            for each in self.stage.runs.values()
            if each.status == "failed" and each is not run
        ]
        return [*notes, *failed[-3:]]

    def _shown(self, each: Texted | Called) -> str:
        line = self._line(each)
        return f"to {line.who}: {line.text}" if isinstance(each, Texted) else line.text

    def _line(self, each: Texted | Called) -> Line:
        if isinstance(each, Texted):
            return Line(each.order, each.at, "out", each.to, each.message.content)
        body = each.body.decode("utf-8", "replace")
        return Line(each.order, each.at, "call", "", f"{each.method} {each.url}{f' {body}' if body else ''}")

    def _say(self, kind: LineKind, who: str, text: str) -> None:
        self._said.append(Line(self.stage.next_order(), self.stage.clock.now(), kind, who, text))

    # --- names -------------------------------------------------------------------------------------------------------

    def _texted(self) -> list[Texted]:
        return [each for each in self.stage.happened if isinstance(each, Texted)]

    def _number(self, text: Any) -> str:
        name = str(text)
        given = self._names.get(name, name)
        return to_e164(given, self._country) or given

    def _time(self, text: Any) -> datetime:
        time = datetime.fromisoformat(str(text))
        return (time if time.tzinfo else time.replace(tzinfo=self._zone)).astimezone(ZoneInfo("UTC"))


def _proof(hook: FlowHook, body: bytes) -> dict[str, str]:
    """The headers of a caller who knows the webhook's token and signs as it wants."""
    headers = {} if hook.token is None else {"x-token": hook.token.decode()}
    if hook.key is not None and hook.trigger.hmac is not None:
        signed = hook.trigger.hmac
        headers[signed.header.lower()] = hmac.digest(hook.key, body, signed.algorithm).hex()
    return headers


def _answer_of(respond: Mapping[str, Any]) -> Answer:
    headers = {str(name): str(value) for name, value in (respond.get("headers") or {}).items()}
    body = b""
    if "json" in respond:
        body = msgspec.json.encode(respond["json"])
        headers.setdefault("Content-Type", "application/json")
    elif respond.get("body") is not None:
        body = str(respond["body"]).encode()
        headers.setdefault("Content-Type", "text/plain; charset=utf-8")
    return Answer(
        status=respond.get("status", 200), headers=headers, body=body, fault=respond.get("fault"),
        delay=parse_duration(respond.get("delay", "0s")) or timedelta(),
    )  # fmt: skip


def _words(step: ScriptStep) -> str:
    """What a step wants, in one line."""
    if not isinstance(step.value, Mapping):
        return str(step.value)
    known = {name: value for name, value in step.value.items() if name != "respond"}
    if step.verb == "http":
        return f"{known.pop('method', '')} {known.pop('url', '')}".strip()
    return ", ".join(f"{name} {value}" for name, value in known.items())


def _place(run: Run) -> str:
    problem = run.handled or run.error
    return f" ({problem.place})" if problem is not None and problem.place else ""


_DO: dict[str, Callable[[Player, ScriptStep], Awaitable[None]]] = {
    "in": Player.text_in, "receipt": Player.receipt, "advance": Player.advance, "now": Player.go_to,
    "webhook": Player.webhook, "start": Player.start, "restart": Player.restart, "reload": Player.reload,
    "out": Player.expect_text, "http": Player.expect_call, "run": Player.expect_run, "silence": Player.expect_silence,
}  # fmt: skip
