"""Random projects: a few flows over all kinds of triggers and steps, each in two versions for reloads.

Documents are JSON, which YAML 1.2 takes as it is. Keywords are unique, so that it is known which flow an event is for.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

CONTACTS = tuple(f"+6149157{number:04}" for number in (1001, 1002, 1003, 9009))
OUR_NUMBER = "+61491593156"
TOKEN = "hook-token-of-the-simulation"
URL = "https://shop.example.com"
UNKNOWN = ("check", "hold", "resend", "skip")
_DURATIONS = ("1s", "7s", "45s", "4m", "2h")
_TIMEOUTS = ("20s", "90s", "10m", "3h")

Step = dict[str, Any]


class _Flow:
    """One flow while it is made up."""

    def __init__(self, random: Random, name: str, *, has_contact: bool, may_send: bool, children: list[str]) -> None:
        self.random = random
        self.name = name
        self.has_contact = has_contact
        self.may_send = may_send
        self.children = children
        self.count = 0

    def new_id(self) -> str:
        self.count += 1
        return f"s{self.count}"

    def steps(self, most: int, depth: int = 0) -> list[Step]:
        return [step for _ in range(self.random.randint(1, most)) for step in self.step(depth)]

    def step(self, depth: int) -> list[Step]:
        random = self.random
        kinds = ["http", "http", "log", "set", "delay"]
        if self.may_send:
            kinds += ["send", "send", "send_list"]
            if self.has_contact:
                kinds += ["reply"] * 5 + ["ask"] * 3 + ["receipt", "receipt", "question", "remember"]
        if depth < 2:
            kinds += ["if", "for_each", "parallel", "timed"]
        if self.children and depth < 2:
            kinds += ["run_flow", "run_flow"]
        if depth:
            kinds += ["fail", "stop"] if random.random() < 0.2 else []
        return getattr(self, f"_{random.choice(kinds)}")(depth)

    # --- messages ---------------------------------------------------------------------------------------------------

    def _text(self) -> str:
        return f"{self.name} {self.new_id()} of {{{{ run.id }}}}"

    def _choices(self) -> Step:
        random, fields = self.random, Step()
        if random.random() < 0.6:
            fields["on_unknown"] = random.choice(UNKNOWN)
        if random.random() < 0.15:
            fields["valid_for"] = random.choice(("30s", "10m"))
        if random.random() < 0.1:
            fields["urgent"] = True
        return fields

    def _around(self) -> Step:
        random, fields = self.random, Step()
        if random.random() < 0.1:
            fields["timeout"] = random.choice(("15s", "5m"))
        if random.random() < 0.15:
            fields["retry"] = {"attempts": random.randint(2, 4), "delay": random.choice(("1s", "20s"))}
        if random.random() < 0.5:
            fields["on_error"] = "continue"
        return fields

    def _reply(self, _depth: int) -> list[Step]:
        return [{"reply": {"message": self._text(), **self._choices()}, **self._around()}]

    def _send(self, _depth: int) -> list[Step]:
        to = self.random.choice(CONTACTS)
        return [{"send_sms": {"to": to, "message": self._text(), **self._choices()}, **self._around()}]

    def _send_list(self, _depth: int) -> list[Step]:
        to = self.random.sample(CONTACTS, self.random.randint(2, len(CONTACTS)))
        return [{"send_sms": {"to": to, "message": self._text(), **self._choices()}, **self._around()}]

    def _ask(self, depth: int) -> list[Step]:
        random, name = self.random, self.new_id()
        wait: Step = {"timeout": random.choice(_TIMEOUTS)}
        wait["categories"] = {"yes": {"answer": "yes"}, "no": {"answer": "no"}}
        if random.random() < 0.5:
            wait["otherwise"] = {"reply": self._text(), "attempts": random.randint(1, 2)}
        steps: list[Step] = [{"reply": {"message": self._text(), **self._choices()}, "on_error": "continue"}]
        steps.append({"id": name, "wait_for_reply": wait})
        if depth < 2:
            branches = [{"if": f'steps.{name}.category == "yes"', "steps": self.steps(1, depth + 1)}]
            steps.append({"choose": [*branches, {"else": self.steps(1, depth + 1)}]})
        return steps

    def _receipt(self, _depth: int) -> list[Step]:
        name = self.new_id()
        wait: Step = {
            "message_id": f"{{{{ steps.{name}.message_id }}}}",
            "status": self.random.choice((["delivered", "failed"], "delivered", "submitted")),
            "timeout": self.random.choice(_TIMEOUTS),
        }
        return [
            {"id": name, "reply": {"message": self._text(), **self._choices()}},
            {"wait_for_receipt": wait, "on_error": "continue"},
        ]

    def _question(self, _depth: int) -> list[Step]:
        name = self.new_id()
        return [
            {"id": name, "reply": {"message": self._text(), **self._choices()}},
            {"get_message_status": f"{{{{ steps.{name}.message_id }}}}", "timeout": "5m", "on_error": "continue"},
        ]

    # --- others -----------------------------------------------------------------------------------------------------

    def _http(self, depth: int) -> list[Step]:
        random = self.random
        call: Step = {"method": random.choice(("GET", "POST", "POST", "PUT"))}
        call["url"] = f"{URL}/{self.name}/{self.new_id()}"
        call["query"] = {"run": "{{ run.id }}"}
        if random.random() < 0.3:
            call["on_unknown"] = random.choice(("hold", "resend", "skip"))
        step: Step = {"http": call}
        if random.random() < 0.4:
            step["timeout"] = random.choice(("5s", "40s"))
        if random.random() < 0.4:
            step["retry"] = {"attempts": random.randint(2, 4), "delay": random.choice(("2s", "1m"))}
        if random.random() < 0.6:
            step["on_error"] = random.choice(("continue", [{"log": "failed: {{ error.message }}"}]))
        may_repeat = call["method"] != "POST" or "retry" in step or call.get("on_unknown") == "resend"
        if not depth and not may_repeat:
            call["url"] += "/once"
        return [step]

    def _log(self, _depth: int) -> list[Step]:
        return [{"log": "here is {{ run.id }}"}]

    def _set(self, _depth: int) -> list[Step]:
        return [{"set": {"n": "{{ vars.n + 1 }}"}}]

    def _remember(self, _depth: int) -> list[Step]:
        return [{"remember": {"last": "{{ run.id }}"}}]

    def _delay(self, _depth: int) -> list[Step]:
        return [{"delay": self.random.choice(_DURATIONS)}]

    def _if(self, depth: int) -> list[Step]:
        return [{"if": "vars.n < 2", "then": self.steps(2, depth + 1), "else": self.steps(1, depth + 1)}]

    def _for_each(self, depth: int) -> list[Step]:
        loop = {"items": [1, 2, 3][: self.random.randint(1, 3)], "steps": self.steps(2, depth + 1)}
        loop["as"] = self.new_id()
        loop |= {"parallel": self.random.randint(1, 3), "on_item_error": self.random.choice(("stop", "continue"))}
        return [{"for_each": loop}]

    def _parallel(self, depth: int) -> list[Step]:
        return [{"parallel": [self.steps(2, depth + 1) for _ in range(self.random.randint(2, 3))]}]

    def _timed(self, depth: int) -> list[Step]:
        block = self._parallel(depth) if self.random.random() < 0.5 else self._for_each(depth)
        return [{**block[0], "timeout": self.random.choice(_TIMEOUTS), "on_error": "continue"}]

    def _run_flow(self, _depth: int) -> list[Step]:
        call = {"flow": self.random.choice(self.children), "wait": self.random.random() < 0.7}
        return [{"run_flow": call, **({"on_error": "continue"} if self.random.random() < 0.5 else {})}]

    def _fail(self, _depth: int) -> list[Step]:
        return [{"fail": "as it was written"}]

    def _stop(self, _depth: int) -> list[Step]:
        return [{"stop": "as it was written"}]


def _document(random: Random, name: str, on: Any, *, children: list[str], may_send: bool = True) -> Step:
    """One flow. `PLAIN…` is one that nothing but its keyword stands before: each such message must begin a run."""
    is_manual = on == "manual"
    flow = _Flow(random, name, has_contact=True, may_send=may_send, children=children)
    document: Step = {"name": name, "on": on, "vars": {"n": 0}}
    if is_manual:
        document["contact"] = random.choice(CONTACTS)
    if not name.startswith("plain") and random.random() < 0.5:
        if random.random() < 0.4:
            document["throttle"] = {"max": random.randint(1, 3), "per": random.choice(("10s", "10m"))}
            if random.random() < 0.5 and may_send:
                document["throttle"]["otherwise"] = [{"reply": flow._text()}]
        if random.random() < 0.6:
            mode = random.choice(("single", "queued", "restart", "parallel"))
            key = random.choice(("{{ contact.number }}", "all"))
            document["concurrency"] = {"key": key, "mode": mode}
            if mode in ("queued", "parallel"):
                document["concurrency"]["max"] = random.randint(1, 3)
        if random.random() < 0.2:
            document["timeout"] = random.choice(_TIMEOUTS)
        if random.random() < 0.2:
            document["on_change"] = "cancel"
        if random.random() < 0.2:
            document["on_error"] = [{"log": "the flow failed"}]
    document["steps"] = flow.steps(4)
    return document


def flows(random: Random) -> list[Step]:
    """The flows of one version."""
    children = [f"child{number}" for number in range(random.randint(0, 2))]
    made = [_document(random, name, "manual", children=[]) for name in children]
    for number in range(random.randint(1, 4)):
        name = random.choice(("plain", "flow")) + str(number)
        made.append(_document(random, name, {"inbound_sms": {"keyword": f"KW{number}"}}, children=children))
    if random.random() < 0.4:
        on: Any = {"inbound_sms": {"regex": "^order (?P<n>[0-9]+)"}}
        made.append(_document(random, "regex", on, children=children))
    if random.random() < 0.4:
        made.append(_document(random, "any", "inbound_sms", children=children))
    if random.random() < 0.5:
        on = {"delivery_receipt": {"status": random.choice((["delivered"], ["failed", "rejected"], ["submitted"]))}}
        made.append(_document(random, "receipts", on, children=[], may_send=False))
    if random.random() < 0.3:
        made.append(_document(random, "optouts", "opt_out", children=[], may_send=False))
    return made


def settings(random: Random) -> Step:
    """The project file."""
    limits: Any = random.choice(({"calls": "off"}, {"calls": 5, "per": "60s"}, {"calls": 100, "per": "60s"}, {}))
    policy: Step = {"max_sends_per_contact": random.choice(("off", {"max": 4, "per": "10m"}))}
    policy["opt_out"] = {"keywords": "default", "reply": random.choice(("off", "POLICY bye"))}
    policy["help"] = {"keywords": "default", "reply": "POLICY help"}
    if random.random() < 0.3:
        action = random.choice(("defer", "drop"))
        policy["quiet_hours"] = {"from": random.choice(("09:00", "09:31")), "to": "11:00", "action": action}
    sends = {"valid_for": random.choice(("24h", "24h", "15m")), "on_unknown": random.choice(("check", *UNKNOWN))}
    if sends["on_unknown"] == "check":  # else these are said to be of no use
        sends |= {"settling_time": "60s", "unknown_after": random.choice(("4m", "20m"))}
    return {
        "base_url": "http://sinch.example.com",
        "credentials": {"api_key": "key", "api_secret": "s3cret"},
        "webhooks": {"token": TOKEN},
        "source_number": OUR_NUMBER,
        "country": "AU",
        "timezone": "Australia/Melbourne",
        "limits": limits,
        **({"catch_up": {"on_start": True, "every": "15m"}} if random.random() < 0.3 else {}),
        "policy": policy,
        "sends": sends,
    }


def write(random: Random, root: Path) -> None:
    """A project at `root`, to be loaded."""
    (root / "flows").mkdir(parents=True, exist_ok=True)
    (root / "sinchflow.yaml").write_text(json.dumps(settings(random), indent=1) + "\n")
    write_flows(random, root)


def write_flows(random: Random, root: Path) -> None:
    """Other flows, some of the same names."""
    for path in (root / "flows").iterdir():
        if random.random() < 0.5:
            path.unlink()
    for document in flows(random):
        path = root / "flows" / f"{document['name']}.yaml"
        if not path.exists():
            path.write_text(json.dumps(document, indent=1) + "\n")
