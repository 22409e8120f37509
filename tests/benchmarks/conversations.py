"""Figures of what waits, loops and lists cost: routing beside a million waits, loops of many items, broadcasts.

python -m tests.benchmarks.conversations            # all of them, one JSON object a line
python -m tests.benchmarks.conversations waits      # one
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sinchflow.engine.conversation import Answers
from sinchflow.engine.filters import Message
from sinchflow.engine.interpreter import advance, start
from sinchflow.engine.routing import Router
from sinchflow.expression.template import Templates
from sinchflow.language.check import Checker
from sinchflow.model.codec import encode
from sinchflow.model.command import Answered, AwaitReply
from sinchflow.model.event import EVENT_FIELDS, Event
from sinchflow.model.flow import Flow, WaitForReply
from sinchflow.model.run import Facts
from sinchflow.runtime.waits import Waits
from tests.benchmarks.bench import bench, flows, until

Figures = dict[str, Any]

_ASK = """
name: ask
on: {inbound_sms: {keyword: BOOK}}
steps:
  - wait_for_reply:
      timeout: 1h
      categories: {confirmed: {answer: yes}, change: {answer: [no, "can't come"]}}
      otherwise: {reply: "Sorry?", attempts: 2}
"""
_OURS = "+61491593156"


def waits(count: int = 1_000_000, flow_count: int = 10_000) -> Figures:
    """Microseconds to find out who takes a message, beside so many open waits and flows."""
    checked = _checked(_ASK + "---\n" + flows(flow_count - 1))
    router, templates, facts, now = Router(checked), Templates(), Facts(), datetime.now(UTC)
    action = next(flow for flow in checked if flow.name == "ask").steps[0].action
    assert isinstance(action, WaitForReply)
    answers, open_waits, until_ = Answers(action), Waits(), now + timedelta(hours=1)
    before = _memory_mb()
    for number in range(count):
        wait = AwaitReply(
            id=f"{number}:0:0", account="default", contact=_contact(number), our_number=_OURS, until=until_
        )
        open_waits.add(number, wait)
    figures: Figures = {"waits_mb": round(_memory_mb() - before)}

    def takes(event: Event) -> str:
        message = Message(event.fields["content"])
        found = open_waits.for_reply(event)
        if any(answers.fit(event, message) for _ in found):
            return "wait"
        return "flow" if router.route(event, facts, now, templates, is_wanted=lambda: bool(found)).matches else "nobody"

    cases = {
        "answer": (_contact(7), "Yep, thanks!", "wait"),
        "keyword_of_one_who_is_asked": (_contact(8), "WORD7 please", "flow"),
        "keyword_of_another": ("+4915112345678", "WORD7 please", "flow"),
        "nothing": ("+4915112345678", "hello there", "nobody"),
    }
    for name, (contact, text, expected) in cases.items():
        event = _event(contact, text)
        assert takes(event) == expected
        took = []
        for _ in range(2_000):
            began = time.perf_counter()
            takes(event)
            took.append(time.perf_counter() - began)
        figures[f"{name}_us"] = round(statistics.median(took) * 1e6, 1)
        figures[f"{name}_worst_us"] = round(max(took) * 1e6)
    return figures


def loops() -> Figures:
    """A `for_each` with a call for each item, through the engine: microseconds and stored bytes an item."""
    figures: Figures = {}
    for count in (1_000, 10_000):
        (flow,) = _checked(
            "name: loop\non: {inbound_sms: {keyword: GO}}\nvars: {}\nsteps:\n"
            '  - for_each:\n      items: "{{ lists.people }}"\n      as: person\n      steps:\n'
            '        - http: {url: "https://x.example/{{ person.number }}"}\n',
            lists=[{"number": _contact(number), "name": f"Name {number}"} for number in range(count)],
        )
        people = [{"number": _contact(number), "name": f"Name {number}"} for number in range(count)]
        facts, now, event, templates = Facts(lists={"people": people}), datetime.now(UTC), _event(), Templates()
        began, stored = time.perf_counter(), 0
        transition = start(flow, 1, event, {}, facts, now, templates)
        kept = dict(transition.kept)
        stored += sum(len(encode(list(items))) for items in kept.values())
        rounds = 0
        while not transition.run.is_final:
            stored += len(encode(transition.run))
            (command,) = transition.commands
            outcome = Answered(command=command.id, status=200, headers={}, text="")
            transition = advance(flow, transition.run, event, outcome, facts, now, templates, kept.__getitem__)
            rounds += 1
        assert rounds == count
        figures[f"items_{count}_us_each"] = round((time.perf_counter() - began) / count * 1e6, 1)
        figures[f"items_{count}_bytes_each"] = round(stored / count)
    return figures


def broadcast(count: int = 2_000) -> Figures:
    """A manual start that texts everybody on a list, one after the other and with `parallel`: calls and seconds."""
    figures: Figures = {}
    for name, steps in (
        ("to", '  - send_sms: {to: "{{ lists.all }}", message: Outage}\n'),
        (
            "parallel",
            '  - for_each:\n      items: "{{ lists.all }}"\n      as: person\n      parallel: 1000\n      steps:\n'
            '        - send_sms: {to: "{{ person.number }}", message: "Hi {{ person.name }}"}\n',
        ),
    ):
        with bench() as it:
            rows = "".join(f"{_contact(number)},Name {number}\n" for number in range(count))
            (it.folder / "all.csv").write_text("number,name\n" + rows)
            settings = "country: AU\nlists: {all: all.csv}\n"
            it.write(f"name: outage\non: manual\nsteps:\n{steps}", settings)
            text = (it.folder / "sinchflow.yaml").read_text()
            budget = f"policy: {{max_sends_per_contact: off, max_sends_per_run: {count}}}"
            (it.folder / "sinchflow.yaml").write_text(text.replace("policy: {max_sends_per_contact: off}", budget))
            it.start()
            began = time.perf_counter()
            it.start_flow("outage")
            until(lambda: it.metric("sinchflow_runs_ended_total") == 1, 120)
            figures[f"{name}_s"] = round(time.perf_counter() - began, 2)
            figures[f"{name}_calls"] = int(it.metric("sinchflow_provider_calls_total"))
            assert it.metric("sinchflow_sends_total") == count
    return figures


def _contact(number: int) -> str:
    return f"+614{number:08d}"


def _event(contact: str = "+61491570156", text: str = "GO") -> Event:
    fields = dict.fromkeys(EVENT_FIELDS["inbound_sms"]) | {"content": text, "type": "SMS", "metadata": {}}
    return Event(
        id=1, kind="inbound_sms", key="k", received_at=datetime.now(UTC), contact=contact, our_number=_OURS,
        fields=fields,
    )  # fmt: skip


def _checked(text: str, lists: list[dict[str, str]] | None = None) -> tuple[Flow, ...]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flows").mkdir()
        (Path(folder) / "flows" / "flows.yaml").write_text(text, "utf-8")
        if lists is not None:
            rows = "".join(",".join(row.values()) + "\n" for row in lists)
            (Path(folder) / "people.csv").write_text("number,name\n" + rows)
            (Path(folder) / "sinchflow.yaml").write_text("lists: {people: people.csv}\n")
        checked = Checker().check(Path(folder))
        assert not checked.has_errors, checked.diagnostics[:3]
        return checked.flows


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


ALL: tuple[Callable[[], Figures], ...] = (waits, loops, broadcast)


def main() -> None:
    """Print the figures that were asked for."""
    by_name = {figure.__name__: figure for figure in ALL}
    parser = argparse.ArgumentParser(description="Figures of conversations, loops and lists on this machine.")
    parser.add_argument("names", nargs="*", help=f"which, of {', '.join(by_name)}; all when none is named")
    for name in parser.parse_args().names or list(by_name):
        print(json.dumps({"benchmark": name, **by_name[name]()}), flush=True)


if __name__ == "__main__":
    main()
