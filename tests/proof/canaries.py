"""Canaries: secrets that must be found nowhere but in the requests that they are for.

A daemon as a process, with a secret in every place that takes one. Its URLs, its provider and its webhooks' callers
give back all they hear, in every way to fail. Then the journal, the log, the traces, every answer of the admin port
and the output of every command are searched for each secret, however it may be written.
"""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.proof._echo import CASES, Echo
from tests.proof.dose import Dose, Figure, at_least, exactly

ROOT = Path(__file__).parents[2]
#: A value's second half asks for escapes in every language.
NEEDY = "/+\"&'=%<x>\\"
SAFE = ("HOOK_TOKEN", "LOGIN", "HOST", "HOOK_URL", "API_KEY")
NAMES = (
    "API_KEY", "API_SECRET", "HOOK_TOKEN", "HOOK_SECRET", "FLOW_TOKEN", "FLOW_HMAC", "BEARER", "HEADER", "QUERY",
    "BODY", "FORM",
    "BASIC", "PART", "LOGIN", "HOST", "HOOK_URL",
)  # fmt: skip
PROJECT = """\
base_url: "http://127.0.0.1:PORT/provider"
credentials: {api_key: "{{ secrets.API_KEY }}", api_secret: "{{ secrets.API_SECRET }}", auth: AUTH}
webhooks:
  token: "{{ secrets.HOOK_TOKEN }}"
  secret: "{{ secrets.HOOK_SECRET }}"
  public_url: "http://127.0.0.1:PORT/public"
source_number: "+61491593156"
outbound: {allow: [127.0.0.1, localhost]}
policy: {max_sends_per_contact: off}
limits: {calls: off}
"""
FLOW = """\
name: NAME
on: manual
on_error:
  - log: "{{ error.message }} {{ error.kind }}"
  - {remember: {why: "{{ error.message }}"}}
contact: "+61491570156"
steps:
  - id: call
    http: HTTP
    timeout: 1s
    retry: {attempts: 2, delay: 1s}
  - log: "{{ steps.call.text }} {{ steps.call.headers | tojson }} {{ steps.call.json | tojson }}"
  - {remember: {what: "{{ steps.call.text }}"}}
  - {reply: "{{ steps.call.text | truncate(600) }}"}
outputs: {all: "{{ steps.call.headers }}"}
"""
WEBHOOKS = """\
name: told
on: {webhook: {path: /told, token: "{{ secrets.FLOW_TOKEN }}"}}
steps: [{log: "{{ event.headers | tojson }} {{ event.json | tojson }}"}]
---
name: signed
on: {webhook: {path: /signed, hmac: {secret: "{{ secrets.FLOW_HMAC }}"}}}
steps: [{log: "{{ event.headers | tojson }}"}]
---
name: greet
on: {inbound_sms: {}}
steps: [{reply: "Hello {{ event.content }}"}]
"""
COMMANDS = (
    "validate", "validate --json", "plan", "plan --json", "apply --yes", "drift", "drift --json", "doctor",
    "doctor --json", "status",
    "status --json", "flows", "runs list", "runs list --json", "events list", "events list --json",
    "events list --quarantined", "sends list",
    "sends list --json", "contacts list", "contacts show +61491570156", "why 1", "routes HELLO", "texts", "senders",
    "opt-outs", "keys list",
    "send +61491570156 hello", "message abc", "opt-out +61491570156", "cancel abc", "destroy --yes", "graph told",
    "start told", "backup BACKUP",
)  # fmt: skip
ADMIN = ("/health", "/metrics", "/api/status", "/api/runs?limit=500", "/api/events?limit=500",
"/api/events/quarantined", "/api/sends?limit=500",
         "/api/contacts", "/api/flows", "/api/why?event=1", "/api/runs/changes", "/api/nothing",
         "/api/runs/999999")  # fmt: skip


class Canaries:
    """core: what each value begins with, and by which it is known. The rest of a value asks for escapes."""

    def __init__(self, dose: Dose) -> None:
        self.core = {name: f"k{dose.random.getrandbits(76):019x}" for name in (*NAMES, "ADMIN", "OTEL", "OTEL_LOGIN")}

    def value(self, name: str) -> str:
        """The whole secret."""
        if name == "HOOK_URL":
            return f"http://127.0.0.1:PORT/case/404/{self.core[name]}?sig={self.core[name]}"
        return self.core[name] + ("" if name in SAFE else NEEDY)

    def environ(self, port: int) -> dict[str, str]:
        """Of the daemon and of commands."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SINCHFLOW_", "OTEL_"))}
        return {
            **kept, "PYTHONPATH": str(ROOT), "SINCHFLOW_ADMIN_TOKEN": self.core["ADMIN"],
            **{f"SINCHFLOW_SECRET_{name}": self.value(name).replace("PORT", str(port)) for name in NAMES},
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://u:{self.core['OTEL_LOGIN']}@127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={self.core['OTEL']}", "OTEL_BSP_SCHEDULE_DELAY": "100",
        }  # fmt: skip

    def found_in(self, data: bytes) -> set[str]:
        """The names of those that stand in it, in any writing."""
        lower = data.lower()
        return {
            name
            for name, core in self.core.items()
            if any(way in (lower if is_low else data) for way, is_low in _ways(core))
        }


def _ways(core: str) -> Iterator[tuple[bytes, bool]]:
    yield core.encode(), True
    yield core.encode().hex().encode(), True
    yield core[::-1].encode(), True
    for shift in range(3):  # what is certain of it in base64, whatever stands before it
        yield base64.b64encode(b"\0" * shift + core.encode())[4 if shift else 0 : 24], False


def prove(dose: Dose) -> Iterable[Figure]:
    """Scale 1 plays every case and command, with both kinds of credentials; less plays a part of them."""
    canaries = Canaries(dose)
    looked: dict[str, bytes] = {}
    with Echo().running() as echo:
        for auth in ("basic", "hmac") if dose.scale >= 0.5 else ("basic",):
            folder = dose.folder / auth
            (folder / "flows").mkdir(parents=True)
            with _House(folder, canaries, echo, auth) as house:
                house.play(dose, looked)
            house.collect(looked)
        looked["spans"] = b"\n".join(echo.spans)
    leaks = sorted((place, name) for place, data in looked.items() for name in canaries.found_in(data))
    control = b"\n".join(value.encode() for value in canaries.environ(1).values())
    yield Figure(name="secrets planted", value=len(canaries.core))
    yield exactly("of them the search finds where they are", len(canaries.found_in(control)), len(canaries.core))
    yield at_least("places searched", len(looked), 20)
    yield at_least("bytes searched", sum(map(len, looked.values())), 50_000)
    yield at_least("requests that were given back", echo.asked, 20 if dose.scale >= 0.5 else 1)
    yield at_least("bytes of spans", len(looked["spans"]), 1)
    yield exactly("secrets found", len(leaks))
    for place, name in leaks[:60]:
        yield Figure(name=f"{name} in {place}", value=_around(looked[place], canaries.core[name]))


def _around(data: bytes, core: str) -> str:
    at = data.lower().find(core.encode())
    return repr(data[max(0, at - 150) : at + 60]) if at >= 0 else "written in another way"


class _House:
    """A project and its daemon, as processes."""

    def __init__(self, folder: Path, canaries: Canaries, echo: Echo, auth: str) -> None:
        self._folder, self._canaries, self._echo, self._auth = folder, canaries, echo, auth
        self._environ = canaries.environ(echo.port)
        self._door: dict[str, Any] = {}

    def __enter__(self) -> "_House":
        project = PROJECT.replace("PORT", str(self._echo.port)).replace("AUTH", self._auth)
        (self._folder / "sinchflow.yaml").write_text(project)
        for name, call in calls(self._echo.port).items():
            text = FLOW.replace("NAME", name).replace("HTTP", json.dumps(call))
            (self._folder / "flows" / f"{name}.yaml").write_text(text)
        (self._folder / "flows" / "webhooks.yaml").write_text(WEBHOOKS)
        self._log = (self._folder / "daemon.err").open("wb")
        command = [*_COMMAND, "--debug", "run", "--port", "0", "--admin-port", "0", "--log-level", "debug"]
        self._process = subprocess.Popen(
            command, env=self._environ, cwd=self._folder, stdout=self._log, stderr=self._log
        )
        self._loaded = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/cli/forking.py")], env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            self._log.close()
            for pipe in (self._loaded.stdin, self._loaded.stdout):
                assert pipe is not None
                pipe.close()
            self._loaded.wait(20)

    def play(self, dose: Dose, looked: dict[str, bytes]) -> None:
        """Make all go wrong, and look at what is told of it."""
        names = sorted(calls(self._echo.port))
        chosen = names if dose.scale >= 0.5 else dose.random.sample(names, max(6, round(len(names) * dose.scale)))
        for name in chosen:
            self._ask(f"/api/flows/{name}/start", b"{}")
        for mode in ("401", "500", "302", "429", "200-json", "reset") if dose.scale >= 0.5 else ("401",):
            self._echo.mode = mode
            self._ask("/api/flows/told/start", b"{}")
            self._webhooks(looked, mode)
            time.sleep(0.3 if dose.scale >= 0.5 else 0)
        self._until_ended(dose)
        self._echo.mode = "401"
        commands = (
            COMMANDS if dose.scale >= 0.5 and self._auth == "basic" else ("plan", "doctor --offline", "runs list")
        )
        for command in commands:
            looked[f"{self._auth} {command}"] = self._command(
                command.replace("BACKUP", str(self._folder / "copy.sqlite3"))
            )
            dose.say(command)
        runs = json.loads(self._ask("/api/runs?limit=500") or b"{}").get("runs", [])
        for path in (*ADMIN, *(f"/api/runs/{run['id']}" for run in runs)):
            looked[f"{self._auth} {path}"] = self._ask(path)
        if dose.scale >= 0.5:
            for run in runs[:5]:
                looked[f"{self._auth} runs show {run['id']}"] = self._command(f"runs show {run['id']}")
        (self._folder / "flows" / "webhooks.yaml").write_text(WEBHOOKS.replace("inbound_sms: {}", "inbound_sms: ["))
        looked[f"{self._auth} reload"] = self._ask("/api/reload", b"")

    def collect(self, looked: dict[str, bytes]) -> None:
        """What is left on disk; the project's own files name secrets and hold none."""
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and path.name != "daemon.json":
                looked[f"{self._auth} file {path.relative_to(self._folder)}"] = path.read_bytes()

    def _webhooks(self, looked: dict[str, bytes], mode: str) -> None:
        """What callers of webhooks are told, right and wrong ones."""
        token, secret = (self._canaries.value(name) for name in ("HOOK_TOKEN", "HOOK_SECRET"))
        body = json.dumps({"reply_id": mode, "source_address": "+61491570156", "content": "hi"}).encode()
        right = {"X-Sinchflow-Secret": secret}
        for number, (path, headers, content) in enumerate([
            (f"/hooks/{token}/inbound", right, body), (f"/hooks/{token}/inbound", right, b"{broken"),
            (f"/hooks/{token}/inbound", {}, body),
            (f"/hooks/{token}x/inbound", right, body), (f"/hooks/{token}", right, body), (f"/x/{quote(token)}", right,
            body),
            ("/flows/told", {"X-Token": self._canaries.value("FLOW_TOKEN")}, b'{"a": 1}'),
            ("/flows/told", {"X-Token": self._canaries.value("FLOW_TOKEN") + "x"}, b'{"a": 1}'), ("/flows/told",
            {"Authorization": "x"}, b"{"),
            ("/flows/signed", {"X-Signature": "sha256=00"}, b"{}"),
        ]):  # fmt: skip
            looked[f"{self._auth} webhook {number} {mode}"] = self._send(
                f"http://127.0.0.1:{self._door['port']}{path}", content, headers
            )

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._canaries.core['ADMIN']}"}
        return self._send(f"http://127.0.0.1:{self._door['admin_port']}{path}", body, headers)

    def _send(self, url: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return str(error.headers).encode() + error.read()

    def _command(self, command: str) -> bytes:
        """What it prints, played by a process that has the program loaded."""
        files = {"stdin": "/dev/null"} | {name: str(self._folder.parent / name) for name in ("stdout", "stderr")}
        for name in ("stdout", "stderr"):
            Path(files[name]).write_bytes(b"")
        asked = {"argv": ["--debug", *command.split()], "cwd": str(self._folder), "env": self._environ, **files}
        assert self._loaded.stdin is not None
        assert self._loaded.stdout is not None
        self._loaded.stdin.write(json.dumps(asked) + "\n")
        self._loaded.stdin.flush()
        self._loaded.stdout.readline()
        return b"".join(Path(files[name]).read_bytes() for name in ("stdout", "stderr"))

    def _until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self._folder / "daemon.err").read_text()
            with contextlib.suppress(OSError, ValueError, KeyError):
                self._door = json.loads((self._folder / ".sinchflow/daemon.json").read_text())
                if b"true" in self._ask("/ready"):
                    return
            time.sleep(0.05)
        raise AssertionError("the daemon is not ready")

    def _until_ended(self, dose: Dose) -> None:
        deadline = time.monotonic() + (8 if dose.scale >= 0.5 else 2)
        while time.monotonic() < deadline:
            open_runs = re.search(rb"sinchflow_open_runs(?:\{[^}]*\})? ([0-9.]+)", self._ask("/metrics"))
            if open_runs is None or float(open_runs[1]) == 0:
                return
            time.sleep(0.1)


_COMMAND = [sys.executable, "-m", "sinchflow"]


def calls(port: int) -> dict[str, dict[str, Any]]:
    """The `http` of each flow, by the flow's name."""
    here = f"http://127.0.0.1:{port}"
    secret = {name: f"{{{{ secrets.{name} }}}}" for name in NAMES}
    full = {
        "method": "POST", "query": {"k": secret["QUERY"]}, "json": {"k": [secret["BODY"]]}, "follow_redirects": True,
        "max_bytes": 100_000,
        "headers": {"Authorization": f"Bearer {secret['BEARER']}", "X-Key": secret["HEADER"]},
    }  # fmt: skip
    found = {f"c-{case}": {**full, "url": f"{here}/case/{case}/{secret['PART']}"} for case in CASES}
    found["c-not-json"]["parse"] = "json"
    found["c-not-csv"]["parse"] = "csv"
    basic = {"method": "POST", "auth": {"username": "me", "password": secret["BASIC"]}, "form": {"k": secret["FORM"]}}
    found |= {
        f"b-{case}": {**basic, "url": f"{here}/case/{case}"}
        for case in ("500", "headers", "html", "percent", "200-json")
    }
    found |= {
        "u-login": {"url": f"http://me:{secret['LOGIN']}@127.0.0.1:{port}/case/500"},
        "u-whole": {"url": secret["HOOK_URL"]},
        "u-host": {"url": f"https://{secret['HOST']}.invalid/"},
        "u-tls": {**full, "url": f"https://127.0.0.1:{port}/{secret['PART']}"},
        "u-port": {"url": f"http://127.0.0.1:{secret['HOST']}/"},
        "u-closed": {**full, "url": f"http://127.0.0.1:9/{secret['PART']}"},
    }
    return found
