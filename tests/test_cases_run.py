"""Every case of tests/cases/run: flows, an event and outcomes in; commands, outputs and how the run ends out.

    flow: one or more YAML documents, which must have the shape of the schema
    unchecked: why they need not
    facts: timezone, language, country, contact, env, source_numbers; lists of rows; calendars of spans by weekday
    event: text, kind, contact, our_number, account, ignored, metadata and any other field; the rest is none
    sent_by: flow, step and run that sent the message that a receipt is about
    matches: names of the flows that the event starts; default: the first flow. The first match is run.
    match: what its filters captured
    problems: of routing
    commands: asked for at the start; `send`, `http`, `ask` or `log`, without what is default
    inputs: as a person gives them
    caller: contact and depth, of a run that was begun by another one
    taken: steps that the run has taken before its first outcome, in place of those that it did
    then: list of one outcome (`sent`, `skipped`, `answered`, `told`, `failed`, `woken`, `replied`, `receipt`, `ended`:
        ID, …; a receipt that no step waits for yet: ""), `at` which time after the start it comes, and the commands
        that it leads to; or `pauses` N: the run lets others have their turn N times; or `retry`: a person has the run
        that failed go on, with `facts` in place of those before, `late` (messages that turned out to be sent) and
        `goes_on` (ids of the runs that it waits for)
    end: status, reason, vars, outputs, gives (the flow's own outputs), at (addresses where an open run stands); where
        given also contact, error, trace

Ids are written without the run's number. What a case does not mention is not there: a command that is not expected
fails it. `!long N` is a text of N characters that begins with "go". Event and run are encoded and decoded between every
two calls of the engine, and each call is made twice.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from sinchflow.engine.interpreter import advance, retry, start
from sinchflow.engine.routing import Router, route_to
from sinchflow.expression.calendars import OpenHours
from sinchflow.expression.durations import parse_duration
from sinchflow.expression.lists import ListData
from sinchflow.expression.template import Templates
from sinchflow.language.build import flow_from_source
from sinchflow.language.document import compose, documents
from sinchflow.language.shape import Shapes
from sinchflow.model.codec import decode_event, decode_run, encode
from sinchflow.model.command import (
    Answered,
    AskProvider,
    AwaitReceipt,
    AwaitReply,
    CallUrl,
    Command,
    Failed,
    KeepContact,
    LogLine,
    Outcome,
    ReceiptCame,
    Replied,
    RunEnded,
    SendMessage,
    Sent,
    Skipped,
    Sleep,
    StartRun,
    Told,
    Woken,
)
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.flow import Retry
from sinchflow.model.message import MESSAGE_FIELDS
from sinchflow.model.project import Calendar
from sinchflow.model.run import Facts, Run, Transition
from sinchflow.model.send import SentBy

CASES = sorted((Path(__file__).parent / "cases" / "run").glob("*.yaml"))
NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
KEYS = {
    "flow", "unchecked", "facts", "event", "inputs", "caller", "sent_by", "matches", "match", "problems", "commands",
    "taken", "then", "end",
}  # fmt: skip
RUN = 7
SHAPES = Shapes()
CALL_DEFAULTS = {"expect": ["2xx"], "max_bytes": 1_048_576, "timeout": "PT30S"}


class CaseLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML with long texts, in which only true and false are booleans."""


CaseLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
CaseLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), "tf")
CaseLoader.add_constructor("!long", lambda loader, node: "go ".ljust(int(loader.construct_scalar(node)), "x"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_run_does_what_its_case_says(path):
    case = load_case(path)
    assert set(case) <= KEYS
    if "unchecked" not in case:
        assert shape_faults(path, case) == []
    transition = None
    for transition, commands in played(case, path.stem):
        asked = [shown(each) for each in transition.commands]
        assert [each for each in asked if ":pause" not in each["id"]] == commands
    if transition is None:
        assert not case.keys() & {"match", "commands", "then", "end"}
    else:
        assert shown_run(transition, case["end"]) == case["end"]


def test_cases_are_found():
    assert len(CASES) >= 250


def load_case(path: Path) -> dict[str, Any]:
    """The case as it is written."""
    case: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), CaseLoader)
    return case


def shape_faults(path: Path, case: dict[str, Any]) -> list[str]:
    """What the schema finds wrong with the case's flows."""
    found = []
    for document in documents(case["flow"], f"{path.stem}.yaml", 1):
        found += [*compose(document), *SHAPES.check(document, "flow")]
    return [each.message for each in found]


def facts_of(given: dict[str, Any]) -> Facts:
    """What the engine may look at."""
    timezone = given.get("timezone", "UTC")
    lists = {name: ListData(rows) for name, rows in given.get("lists", {}).items()}
    calendars = {
        name: OpenHours(Calendar(weekly={day: (tuple(span),) for day, span in weekly.items()}), timezone)
        for name, weekly in given.get("calendars", {}).items()
    }
    return Facts(**given | {"lists": lists, "calendars": calendars})


def case_steps(case: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The outcomes, each pause for itself."""
    for then in case.get("then", []):
        yield from ({"pauses": 1} for _ in range(then.get("pauses", 1) - 1))
        yield dict(then)


def only_pause(run: Run) -> str:
    """The command at which the run lets others have their turn."""
    [pause] = [cursor.commands[0].id for cursor in run.cursors if cursor.is_pause]
    return pause.partition(":")[2]


def played(case: dict[str, Any], name: str) -> Iterator[tuple[Transition, list[dict[str, Any]]]]:
    """What the engine makes of the start and of each outcome, and the commands that the case says of it."""
    flows = [flow_from_source(text, f"{name}.yaml", 1) for text in case["flow"].split("---\n")]
    event, facts, templates = event_of(case.get("event", {})), facts_of(case.get("facts", {})), Templates()
    if event.kind == "manual":
        flow, match = flows[0], {}
    else:
        sent_by = SentBy(**case["sent_by"]) if "sent_by" in case else None
        if event.kind in ("webhook", "schedule"):  # they name their flow
            routed = route_to(flows[0], event, facts, NOW, templates)
        else:
            routed = Router(flows).route(event, facts, NOW, templates, lambda: sent_by)
        assert [each.flow.name for each in routed.matches] == case.get("matches", [flows[0].name])
        assert [str(each) for each in routed.problems] == case.get("problems", [])
        if not routed.matches:
            return
        flow, match = routed.matches[0].flow, routed.matches[0].match
        assert match == case.get("match", match)
    given = {"inputs": case.get("inputs"), **case.get("caller", {})}
    transition = twice(lambda: start(flow, RUN, event, match, facts, NOW, templates, **given))
    yield transition, case.get("commands", [])
    kept, now = dict(transition.kept), NOW
    if "taken" in case:
        transition = replace(transition, run=replace(transition.run, steps_taken=case["taken"]))
    for then in case_steps(case):
        commands = then.pop("commands", [])
        now = NOW + parse_duration(then.pop("at")) if "at" in then else now
        run = transition.run
        if "retry" in then:
            again = then["retry"]
            facts = facts_of({**case.get("facts", {}), **again.get("facts", {})})
            late = [outcome_of(each, run) for each in again.get("late", [])]
            more = {"late": late, "goes_on": again.get("goes_on", ())}
            transition = twice(
                lambda: retry(flow, run, event, facts, now, templates, kept.__getitem__, **more)  # noqa: B023
            )
            yield transition, commands
            continue
        if "pauses" in then:
            then = {"woken": only_pause(run)}
        outcome = outcome_of(then, run)
        transition = twice(
            lambda: advance(flow, run, event, outcome, facts, now, templates, kept.__getitem__)  # noqa: B023
        )
        kept |= transition.kept
        yield transition, commands


def twice(call) -> Transition:
    """The engine's answer as it is after a restart. The same question always has the same answer."""
    transition = call()
    assert call() == transition
    stored = encode(transition.run)
    assert len(stored) <= 256 * 1024
    return Transition(run=decode_run(stored), commands=transition.commands, kept=transition.kept)


def event_of(given: dict[str, Any]) -> Event:
    given = dict(given)
    kind = given.pop("kind", "inbound_sms")
    contact = given.pop("contact", None if kind == "manual" else "+61491570156")
    our_number = given.pop("our_number", None if kind == "manual" else "+61491593156")
    fields = dict.fromkeys(EVENT_FIELDS[kind])
    if kind != "manual":
        fields |= {"metadata": {}, "source_address": contact, "destination_address": our_number}
    if "text" in given:
        fields["content"] = given.pop("text")
    account, ignored = given.pop("account", "default"), given.pop("ignored", None)
    event = Event(
        id=1, kind=kind, key="k1", received_at=NOW, account=account, contact=contact, our_number=our_number,
        fields=fields | given, ignored=ignored,
    )  # fmt: skip
    return decode_event(encode(event))


def outcome_of(given: dict[str, Any], run: Run) -> Outcome:
    (name, command), *rest = given.items()
    command, others = f"{run.asks_as}:{command}" if command else "", dict(rest)
    match name:
        case "sent":
            return Sent(command=command, message=others)
        case "skipped":
            return Skipped(command=command, **others)
        case "answered":
            return Answered(command=command, **{"status": 200, "headers": {}, "text": ""} | others)
        case "told":
            return Told(command=command, data=others)
        case "failed":
            return Failed(command=command, **others)
        case "woken":
            return Woken(command=command)
        case "replied":
            known = {name: others.pop(name) for name in ("category", "match") if name in others}
            return Replied(command=command, event=2, fields=others, **known)
        case "receipt":
            return ReceiptCame(command=command, fields=others)
        case "ended":
            return RunEnded(command=command, **{"run": 8} | others)
    raise AssertionError(f"unknown outcome {name}")


def shown(command: Command) -> dict[str, Any]:
    """A command without what is default."""
    number, _, own = command.id.partition(":")
    assert number.partition("~")[0] == str(RUN)
    plain = {key: value for key, value in msgspec.json.decode(msgspec.json.encode(command)).items() if key != "id"}
    plain = {key: value for key, value in plain.items() if value != CALL_DEFAULTS.get(key) and key != "type"}
    match command:
        case AskProvider(what=what, subject=subject):
            plain = {key: value for key, value in plain.items() if key not in ("what", "subject")}
            if command.retry == Retry():
                del plain["retry"]
            plain = {key: value for key, value in plain.items() if (key, value) != ("account", "default")}
            return {"id": own, "ask": f"{what} {subject}".strip()} | plain
        case SendMessage(to=to, body=body, account=account):
            defaults = {"destination_number": to, "format": "SMS", "delivery_report": True}
            assert body.keys() >= defaults.keys()
            rest = {key: plain[key] for key in ("retry", "expires_after") if key in plain}
            rest |= {} if account == "default" else {"account": account}
            rest |= {"urgent": True} if command.is_urgent else {}
            return {"id": own, "send": to} | {k: v for k, v in body.items() if v != defaults.get(k)} | rest
        case CallUrl(method=method, url=url):
            del plain["method"], plain["url"]
            return {"id": own, "http": f"{method} {url}"} | plain
        case LogLine(text=text):
            return {"id": own, "log": text}
        case Sleep(until=until):
            return {"id": own, "sleep": since_start(until)}
        case AwaitReply(contact=contact, until=until):
            rest = {key: plain[key] for key in ("our_number", "messages") if key in plain}
            return {"id": own, "await": contact, "until": since_start(until)} | rest
        case AwaitReceipt(message_id=message_id, statuses=statuses, until=until):
            return {"id": own, "receipt": message_id, "statuses": [*statuses], "until": since_start(until)}
        case StartRun(flow=name):
            rest = {key: plain[key] for key in ("inputs", "contact", "wait") if key in plain}
            return {"id": own, "start": name} | rest
        case KeepContact(number=number, values=values):
            return {"id": own, "remember": number, "values": values}
    raise AssertionError(f"unknown command {command}")


def since_start(when: datetime) -> str:
    """A time as the seconds after the start of the run."""
    return f"{(when - NOW).total_seconds():g}s"


def without_absent(output: Any) -> Any:
    """An output without the fields of messages that are absent; `test_sending.py` holds that they are all there."""
    if isinstance(output, list):
        return [without_absent(each) for each in output]
    if isinstance(output, dict) and output.keys() >= set(MESSAGE_FIELDS):
        return {key: value for key, value in output.items() if value not in (None, [], {})}
    if isinstance(output, dict):
        return {key: without_absent(value) for key, value in output.items()}
    return output


def shown_run(transition: Transition, expected: dict[str, Any]) -> dict[str, Any]:
    """The run as far as the case can speak of it; vars, outputs and error always when there are any."""
    run = transition.run
    assert (run.ended_at is None) == (run.status == "running") == bool(run.cursors)
    found = {
        "status": run.status,
        "reason": run.reason,
        "contact": run.contact,
        "vars": run.vars,
        "outputs": {step: without_absent(output) for step, output in run.outputs.items()},
        "gives": run.outputs_given,
        "error": msgspec.to_builtins(run.error),
        "at": [cursor.address for cursor in run.cursors],
        "trace": [[record.address, record.what, record.detail] for record in run.trace],
    }
    optional = {"contact", "trace", "error"} - expected.keys()
    return {key: value for key, value in found.items() if key in expected or (value and key not in optional)}
