"""Plays a case of tests/cases/run in a real daemon: the world around it makes the outcomes that the case tells.

`Stage` is one daemon with its project on disk, a journal in a file and a clock that stands still. Other flows that a
case's flow runs are made so that they end as the case says. Loaded by its path, after `case_world`.
"""

import asyncio
import csv
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from case_world import Gate, World, as_far_as, called, plain_message, plain_send

from sinchflow.engine import interpreter
from sinchflow.model.run import Run
from sinchflow.runtime.daemon import Daemon, Options

TOKEN = "hook-token-of-the-test"
#: Generous, because the machine may be busy; a case that passes never waits this long.
PATIENCE_S = 60.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Stopped(AssertionError):
    """What was waited for did not happen."""


class Stage:
    """One case at work. cases: the module of the engine's cases. base: of the gate, as the daemon reaches it."""

    def __init__(self, cases: Any, name: str, case: dict[str, Any], root: Path, gate: Gate, base: str) -> None:
        self._cases = cases
        self._name = name
        self._case = case
        self._root = root
        self._gate = gate
        self._world = World()
        self.clock = cases.VirtualClock(cases.NOW)
        self._ids: dict[str, str] = {}  # of messages: the case's, and the provider's
        self._words: dict[str, str] = {}  # of failures: the case's, and the daemon's
        self._commands: dict[str, dict[str, Any]] = {}
        self._names: list[str] = []
        self._matched: list[str] | None = None
        self._finals: dict[int, Run] = {}
        self._routed = 0
        _write_project(case, root, base, self.children())

    # --- the project --------------------------------------------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, str]]:
        """Flows that the case runs and does not hold, made so that they end as it says."""
        own = {document["name"] for document in documents(self._case)}
        ends = {each["ended"]: each for each in self._case.get("then", []) if "ended" in each}
        for command in commands_of(self._case):
            if "start" not in command or command["start"] in own:
                continue
            own.add(command["start"])
            end = ends.get(command["id"], {})
            inputs = {name: {"type": _input_type(value)} for name, value in command.get("inputs", {}).items()}
            flow: dict[str, Any] = {"name": command["start"], "on": "manual", "inputs": inputs}
            match end.get("status", "completed"):
                case "failed":
                    flow["steps"] = [{"fail": end["reason"]}]
                case "stopped":
                    flow["steps"] = [{"stop": end["reason"]}]
                case _:
                    flow["steps"] = [{"log": "done"}]
            flow |= {"outputs": end["outputs"]} if end.get("outputs") else {}
            yield command["start"], json.dumps(flow)

    # --- playing ------------------------------------------------------------------------------------------------------

    async def play(self, http: httpx.AsyncClient, closing: list[Awaitable[Any]]) -> None:
        """The case from its event to its end. closing: gets what is to be awaited to take the daemon apart.

        Raises AssertionError where the daemon does something else than the case says.
        """
        self.http = http
        with ExitStack() as stack:
            options = Options(root=self._root, data=self._root / ".sinchflow", port=0, admin_port=0)
            self.daemon = Daemon(options, transport=lambda _: self._world, clock=self.clock)
            await self.daemon.start()
            stack.callback(lambda: closing.append(self.daemon.stop()))
            stack.callback(self._gate.close)
            stack.callback(self._world.close)
            self._remember()
            self.daemon.worker.on_end.append(lambda run: self._finals.__setitem__(run.id, run))
            self.daemon.worker.on_routed.append(lambda _, names, __: self._note_routed(names))
            await self._begin()
            are_heard = heard(self._cases, self._name, self._case) if "then" in self._case else iter(())
            for then in self._cases.case_steps(self._case):
                if next(are_heard):
                    await self._outcome(then)
            await self._compare()

    def _note_routed(self, names: list[str]) -> None:
        self._routed += 1
        self._matched = list(names) if self._matched is None else self._matched

    def _remember(self) -> None:
        known = dict(self._case.get("facts", {}).get("contact", {}))
        if number := known.pop("number", None):
            self.daemon.worker.people.remember(number, known, self.clock.now())

    async def _begin(self) -> None:
        """The event comes, and its run is there."""
        case = self._case
        event = self._cases.event_of(case.get("event", {}))
        first = documents(case)[0]["name"]
        self._names = [first] if event.kind == "manual" else case.get("matches", [first])
        self._note(case.get("commands", []))
        base = f"http://127.0.0.1:{self.daemon.port}"
        if event.kind == "manual":
            headers = {"Authorization": f"Bearer {self.daemon.token}"}
            url = f"http://127.0.0.1:{self.daemon.admin_port}/api/flows/{first}/start"
            answer = await self.http.post(url, json={"inputs": case.get("inputs", {})}, headers=headers)
        elif event.kind == "webhook":
            answer = await self._call_webhook(base, event.fields)
        else:
            account = "" if event.account == "default" else f"/{event.account}"
            kind = {"inbound_sms": "inbound", "delivery_receipt": "receipts", "opt_out": "opt-outs"}[event.kind]
            answer = await self.http.post(f"{base}/hooks/{TOKEN}{account}/{kind}", json=_pushed(event))
        if answer.status_code == 400 and event.kind == "manual":  # found out before there is a run
            assert case["end"] == {"status": "failed", "reason": answer.json()["error"]}
            self._names = []
            return
        assert answer.status_code in (200, 202), answer.text
        if event.kind not in ("manual", "webhook"):
            await self._until(lambda: self._matched is not None, "the event is routed")
            assert self._matched == self._names
        if self._names:
            await self._until(lambda: self._runs_of(self._names[0]), "the run begins")
            self.run_id = self._runs_of(self._names[0])[0]

    async def _call_webhook(self, base: str, fields: dict[str, Any]) -> httpx.Response:
        trigger = documents(self._case)[0]["on"]["webhook"]
        how = {name: fields[name] for name in ("json", "headers") if fields.get(name) is not None}
        if fields.get("form") is not None:
            how["data"] = fields["form"]
        url = f"{base}/flows{trigger['path']}"
        return await self.http.request(fields["method"] or "POST", url, params=fields["query"], **how)

    def _runs_of(self, name: str) -> list[int]:
        """Runs of the flow, open or ended, the first one first."""
        open_runs = [active.run for active in self.daemon.worker._runs._active.values()]
        return sorted(run.id for run in [*open_runs, *self._finals.values()] if run.flow == name)

    @property
    def run(self) -> Run:
        """The run as it is now."""
        active = self.daemon.worker._runs._active.get(self.run_id)
        return self._finals[self.run_id] if active is None else active.run

    def _awaits(self, own: str) -> bool:
        return interpreter.awaits(self.run, f"{self.run.asks_as}:{own}") and not self._is_storing()

    def _is_storing(self) -> bool:
        active = self.daemon.worker._runs._active.get(self.run_id)
        return active is not None and active.is_storing

    def _note(self, commands: list[dict[str, Any]]) -> None:
        self._commands |= {command["id"]: command for command in commands}

    # --- outcomes -----------------------------------------------------------------------------------------------------

    async def _outcome(self, then: dict[str, Any]) -> None:
        """Make the world do what the case tells, and wait until the run has taken it."""
        following = then.pop("commands", [])
        at = then.pop("at", None)
        if "retry" in then:
            await self._retry(at)
            self._note(following)
            return
        (name, own), *rest = then.items()
        fields = dict(rest)
        if name == "pauses":  # `_until` lets the clock come by
            self._note(following)
            return
        is_meant = bool(own) and not own.endswith(("timeout:0", "release:0", ":deadline"))
        if is_meant and name not in ("ended", "sent"):
            await self._until(lambda: self._awaits(own), f"the run waits for {own}")
        if at is not None:
            self._advance_to(self._cases.NOW + self._cases.parse_duration(at))
        routed = self._routed
        await getattr(self, f"_{name}")(self._commands.get(own, {}), fields)
        if is_meant:
            await self._until(lambda: self.run.is_final or not self._awaits(own), f"{name} {own}")
        elif name == "receipt":
            await self._until(lambda: self._routed > routed and not self._is_storing(), "the receipt is kept")
        self._note(following)

    async def _retry(self, at: str | None) -> None:
        """A person has the run go on; what it had asked for and is still under way comes back to nobody."""
        await self._until(lambda: self.run_id not in self.daemon.worker._runs._active, "the run has failed")
        if at is not None:
            self._advance_to(self._cases.NOW + self._cases.parse_duration(at))
        self._world.close()
        headers = {"Authorization": f"Bearer {self.daemon.token}"}
        url = f"http://127.0.0.1:{self.daemon.admin_port}/api/runs/{self.run_id}/retry"
        answer = await self.http.post(url, headers=headers)
        assert answer.status_code == 200, answer.text

    def _advance_to(self, when: Any) -> None:
        self.clock.advance(max(when - self.clock.now(), timedelta()))

    async def _sent(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        before = len(self._gate.sim.messages)
        self._gate.release(command["send"], command["content"])
        await self._until(lambda: len(self._gate.sim.messages) > before, "the message is taken")
        if "message_id" in fields:
            self._ids[fields["message_id"]] = self._gate.sim.messages[-1].message_id

    async def _answered(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        status, headers = fields.get("status", 200), fields.get("headers", {})
        if "rows" in fields:
            header = list(fields["rows"][0])
            lines = [",".join(header), *(",".join(row[name] for name in header) for row in fields["rows"])]
            response = httpx.Response(status, headers=headers, text="\n".join(lines))
        elif "json" in fields:
            response = httpx.Response(status, headers=headers, json=fields["json"])
        else:
            response = httpx.Response(status, headers=headers, text=fields.get("text", ""))
        await self._answer(command, response)

    async def _failed(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        target, words, status = command["http"], fields["message"], fields.get("status", 500)
        self._words[words] = {
            "status": f"{target} answered {status}: {words}",
            "connection": f"{target}: the connection broke: {words}",
            "timeout": f"{target}: no complete answer within {command.get('timeout', 'PT30S')[2:-1]} s",
        }[fields["kind"]]
        result: httpx.Response | Exception = TimeoutError()
        if fields["kind"] == "status":
            result = httpx.Response(status, text=words)
        elif fields["kind"] == "connection":
            result = httpx.ConnectError(words)
        await self._answer(command, result)

    async def _answer(self, command: dict[str, Any], result: httpx.Response | Exception) -> None:
        name = called(*command["http"].split(" ", 1))
        await self._until(lambda: self._world.is_asked(name), f"{name} is called")
        self._world.answer(name, result)

    async def _woken(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        if until := command.get("until") or command.get("sleep"):
            self._advance_to(self._cases.NOW + timedelta(seconds=float(until[:-1])))

    async def _replied(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        body = {
            "reply_id": f"reply-{next(_COUNT)}",
            "source_address": command["await"],
            "destination_address": command.get("our_number", "+61491593156"),
            **{name: value for name, value in fields.items() if name not in ("category", "match")},
        }
        await self._push("inbound", body)

    async def _receipt(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        message_id = self._ids.get(command.get("receipt", fields.get("message_id")), fields.get("message_id", "?"))
        message = next((each for each in self._gate.sim.messages if each.message_id == message_id), None)
        body = {
            "delivery_report_id": f"report-{next(_COUNT)}",
            "message_id": message_id,
            "status": fields["status"],
            "source_address": "+61491570156",
            "destination_address": "+61491593156",
            "metadata": message.metadata if message else {},
        }
        await self._push("receipts", body)

    async def _ended(self, command: dict[str, Any], fields: dict[str, Any]) -> None:
        """The other flow has ended by itself."""

    async def _push(self, kind: str, body: dict[str, Any]) -> None:
        answer = await self.http.post(f"http://127.0.0.1:{self.daemon.port}/hooks/{TOKEN}/{kind}", json=body)
        assert answer.status_code == 202, answer.text

    # --- comparing ----------------------------------------------------------------------------------------------------

    async def _compare(self) -> None:
        """Sends, calls, and the run as it stands in the journal are what the case says."""
        commands = [*commands_of(self._case)]
        sends = [plain_send(command) for command in commands if "send" in command]
        calls = [called(*command["http"].split(" ", 1)) for command in commands if "http" in command]
        if not self._names:
            _same("sends and calls", (self._gate.asked, self._world.asked), ([], []))
            return
        wanted = self._wanted(self._case["end"])
        found: Any = None

        def is_as_wanted() -> bool:
            nonlocal found
            run = self.daemon.journal.run(self.run_id)
            found = None if run is None else self._found(run, wanted)
            return bool(
                found == wanted and len(self._gate.asked) >= len(sends) and len(self._world.asked) >= len(calls)
            )

        try:
            await self._until(is_as_wanted, "the run ends")
        except Stopped:
            _same("run", found, wanted)
        _same("sends", sorted(map(plain_message, self._gate.asked), key=str), sorted(sends, key=str))
        _same("calls", sorted(called(each.method, each.url) for each in self._world.asked), sorted(calls))
        _same("internal errors", self.daemon.stats.internal_errors, 0)

    def _wanted(self, end: dict[str, Any]) -> dict[str, Any]:
        wanted = {name: end[name] for name in ("status", "reason", "vars", "gives", "at") if name in end}
        wanted |= {"outputs": {step: self._plain_output(output) for step, output in end.get("outputs", {}).items()}}
        text = json.dumps(wanted)
        for written, words in self._words.items():
            text = text.replace(json.dumps(written)[1:-1], json.dumps(words)[1:-1])
        plain: dict[str, Any] = json.loads(text)
        return plain

    def _found(self, run: Run, wanted: dict[str, Any]) -> dict[str, Any]:
        found = {
            "status": run.status,
            "reason": run.reason,
            "vars": run.vars,
            "gives": run.outputs_given,
            "at": [cursor.address for cursor in run.cursors],
        }
        found = {name: value for name, value in found.items() if name in wanted or value}
        outputs = {
            step: as_far_as(self._plain_output(output), wanted["outputs"].get(step))
            for step, output in run.outputs.items()
        }
        plain: dict[str, Any] = json.loads(re.sub(r"\(run \d+\)", "(run 8)", json.dumps(found | {"outputs": outputs})))
        return plain

    def _plain_output(self, output: dict[str, Any]) -> dict[str, Any]:
        """An output without what only the provider, the machine or the journal decides."""
        known = dict(output)
        if "messages" in known:
            known["messages"] = len(known["messages"])
            known = {name: value for name, value in known.items() if name not in ("status", "message_id")}
        if "duration" in known:
            known["duration"] = 0.0
            if known.get("json") is not None or known.get("rows") is not None:
                known["text"] = ""
        if "run" in known and "outputs" in known:
            known["run"] = 8
        if (receipt := known.get("receipt")) and "message_id" in receipt:
            known["receipt"] = {**receipt, "message_id": self._ids.get(receipt["message_id"], receipt["message_id"])}
        return known

    async def _until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until it holds, letting runs go on that only let others have their turn."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not holds():
            if asyncio.get_running_loop().time() > deadline:
                raise Stopped(f"not in time: {what}")
            self.clock.advance(timedelta())
            await asyncio.sleep(0.001)


_COUNT = itertools.count(1)


def heard(cases: Any, name: str, case: dict[str, Any]) -> Iterator[bool]:
    """Whether the engine's run takes each outcome; the world says nothing to those that it does not wait for."""
    runs = [transition.run for transition, _ in cases.played(case, name)]
    return (before != after for before, after in itertools.pairwise(runs))


def documents(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The case's flows as data."""
    found = yaml.load_all(case["flow"], yaml.BaseLoader)
    return [{"name": "case", **document} for document in found]


def commands_of(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All commands that the case expects."""
    yield from case.get("commands", [])
    for then in case.get("then", []):
        yield from then.get("commands", [])


def _same(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{what}:\n  found  {found}\n  wanted {wanted}")


def _input_type(value: Any) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (list, "list"), (dict, "mapping")):
        if isinstance(value, kind):
            return name
    return "string"


def _pushed(event: Any) -> dict[str, Any]:
    """The event as the provider's webhook has it."""
    names = {"inbound_sms": "reply_id", "delivery_receipt": "delivery_report_id", "opt_out": "notification_id"}
    body = {name: value for name, value in event.fields.items() if value is not None}
    body.setdefault(names[event.kind], f"event-{next(_COUNT)}")
    return body


def _write_project(case: dict[str, Any], root: Path, base: str, children: Iterator[tuple[str, str]]) -> None:
    facts = case.get("facts", {})
    numbers = facts.get("source_numbers", {})
    accounts = {name for name in numbers if name != "default"} | {case.get("event", {}).get("account", "default")}
    accounts |= {command["account"] for command in commands_of(case) if "account" in command}
    accounts |= {document["account"] for document in documents(case) if "account" in document}
    connection = {"base_url": base, "credentials": {"api_key": "key", "api_secret": "s3cret"}}
    limits = {"limits": {"calls": "off", "batch": 1}}
    settings = {
        **connection,
        **limits,
        **{name: facts[name] for name in ("timezone", "country", "language") if name in facts},
        "webhooks": {"token": TOKEN},
        "policy": {"max_sends_per_contact": "off", "opt_out": "off", "opt_in": "off", "help": "off"},
        "accounts": {
            name: connection | limits | ({"source_number": numbers[name]} if name in numbers else {})
            for name in sorted(accounts - {"default"})
        },
        "lists": {name: f"lists/{name}.csv" for name in facts.get("lists", {})},
        "calendars": {
            name: {"weekly": {DAYS[day]: _span(*span) for day, span in weekly.items()}}
            for name, weekly in facts.get("calendars", {}).items()
        },
    }
    if "default" in numbers:
        settings["source_number"] = numbers["default"]
    (root / "flows").mkdir(parents=True)
    (root / "lists").mkdir()
    (root / "sinchflow.yaml").write_text(json.dumps({name: value for name, value in settings.items() if value != {}}))
    (root / "flows" / "case.yaml").write_text(case["flow"], encoding="utf-8")
    for name, text in children:
        (root / "flows" / f"other-{name}.yaml").write_text(text, encoding="utf-8")
    for name, rows in facts.get("lists", {}).items():
        with (root / "lists" / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _span(begin: int, end: int) -> str:
    return f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
