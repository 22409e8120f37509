"""The cases of tests/cases/run once more, through a real daemon, a simulated Sinch and a clock that stands still.

What the engine alone does in `test_cases_run.py` must be what comes out of the whole: the same messages at the
provider, the same calls, and a run in the journal that ends with the same state. Cases that no world can make happen
are counted by reason, so that their number cannot grow unseen.
"""

import asyncio
import importlib.util
import socket
import sys
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from sinchflow.errors import CannotStart

HERE = Path(__file__).parent


def load(name, path):
    found = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module


cases = load("cases_of_the_engine", HERE / "test_cases_run.py")
worlds = load("case_world", HERE / "case_world.py")
stages = load("case_stage", HERE / "case_stage.py")
cases.VirtualClock = load("runtime_conftest", HERE / "runtime" / "conftest.py").VirtualClock

#: Cases that `validate` refuses, so that no daemon would begin with them, and the rule by which it does.
REFUSED = {
    "choose-condition-of-a-wrong-type": "value-type",
    "delay-that-skips-at-the-end-of-a-block": "delay-parts",
    "flow-contact-that-is-no-number": "number",
    "http-failure-runs-on-error-and-goes-on": "unknown-var",
    "on-error-continue": "error-place",
    "on-error-continue-around-a-block": "contact-needed",
    "remember-without-a-contact-fails-the-step": "contact-needed",
    "reply-without-contact": "contact-needed",
    "route-by-a-list-that-is-gone": "unknown-list",
    "route-if-sees-vars-and-match": "unknown-name",
    "run-flow-input-that-has-no-value": "unknown-flow",
    "send-to-bad-numbers-only-is-no-failure": "number",
    "set-updates-vars-in-order": "unknown-name",
    "steps-id-of-a-step-that-failed-is-missing": "missing-output",
    "template-filters-refuse-what-they-cannot-take": "value-type",
    "text-in-a-language-that-nobody-wrote": "text-language",
    "text-in-the-contacts-language": "unknown-field",
    "text-in-the-projects-language-else-the-first": "text-language",
    "wait-for-receipt-of-no-message": "number",
    "wait-for-receipt-runs-out": "message-id",
    "wait-for-receipt-status-as-one-word": "message-id",
    "wait-for-receipt-that-came-while-the-wait-began": "message-id",
    "wait-for-reply-otherwise-with-a-hole-fails-the-step": "unknown-field",
    "wait-for-reply-without-a-contact": "contact-needed",
}
#: Why a case cannot be played here, and how many there are of each: if there are to be more, it must be meant.
NOT_PLAYED = {
    "the environment is the process's": 7,
    "the event cannot be made": 4,
    "the other flow cannot be made": 4,
    "the provider or policy decides": 22,
    "the retry cannot be made": 4,
    "the run cannot be made": 5,
}
#: Cases are played one after the other in each group, and daemons are taken apart together at its end.
GROUPS = 8


def reason_not_to_play(name, case):
    """What the world of `case_stage` cannot make happen; None when it can play the case."""
    commands = {command["id"]: command for command in stages.commands_of(case)}
    event = case.get("event", {})
    ends = [then["ended"] for then in case.get("then", []) if "ended" in then]
    if name in REFUSED:
        return "refused"
    if case.keys() & {"caller", "taken", "unchecked"}:
        return "the run cannot be made"
    if "sent_by" in case or "ignored" in event or event.get("kind") == "schedule":
        return "the event cannot be made"
    if "env" in case.get("facts", {}) or "secrets." in case["flow"]:
        return "the environment is the process's"
    if len({commands[own]["start"] for own in ends}) < len(ends):
        return "the other flow cannot be made"
    for then in case.get("then", []):
        own = str(next(iter(then.values())))
        match then:
            case {"retry": changes} if changes:
                return "the retry cannot be made"
            case {"told": _} | {"skipped": _}:
                return "the provider or policy decides"
            case {"failed": _} if "http" not in commands.get(own, {}):
                return "the provider or policy decides"
            case {"failed": _, "kind": kind} if kind not in ("status", "connection", "timeout"):
                return "the failure cannot be made"
            case {"failed": _} if "retry" in commands[own]:
                return "the failure cannot be made"
            case {"ended": _, "status": "cancelled"}:
                return "the other flow cannot be made"
            case {"woken": "2:deadline"}:
                return "the other flow cannot be made"
    return None


CASES = {path.stem: cases.load_case(path) for path in cases.CASES}
PLAYABLE = [name for name, case in CASES.items() if reason_not_to_play(name, case) is None]


@pytest.mark.parametrize("group", range(GROUPS))
def test_daemon_does_what_the_engine_does(group, tmp_path):
    assert asyncio.run(play_all(PLAYABLE[group::GROUPS], tmp_path)) == {}


def test_cases_that_are_not_played_are_known():
    reasons = Counter(reason_not_to_play(name, case) for name, case in CASES.items())
    assert {reason: count for reason, count in reasons.items() if reason not in (None, "refused")} == NOT_PLAYED
    assert reasons[None] >= 190


@pytest.mark.parametrize("name", REFUSED)
def test_daemon_does_not_begin_with_a_case_that_validate_refuses(name, tmp_path):
    with pytest.raises(CannotStart) as refusal:
        asyncio.run(play_all([name], tmp_path, is_strict=True))
    assert f"[{REFUSED[name]}]" in str(refusal.value)


class Doors:
    """One HTTP server for the gates of many cases: the first part of the path says whose."""

    def __init__(self):
        self.gates = {}

    async def __call__(self, scope, receive, send):
        _, name, rest = scope["path"].split("/", 2)
        await self.gates[name]({**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}, receive, send)


async def play_all(names, root, *, is_strict=False):
    """What went wrong, by case. is_strict: raise it."""
    wrong, closing = {}, []
    doors = Doors()
    async with served(doors) as base, httpx.AsyncClient(trust_env=False, verify=False) as http:
        for name in names:
            gate = doors.gates[name] = worlds.Gate()
            try:
                stage = stages.Stage(cases, name, CASES[name], root / name, gate, f"{base}/{name}")
                await stage.play(http, closing)
            except Exception as error:
                if is_strict:
                    raise
                wrong[name] = f"{type(error).__name__}: {error}"
        await asyncio.gather(*closing)
    return wrong


@asynccontextmanager
async def served(app):
    """The app on a port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task
