"""OpenTelemetry traces of a real daemon, as a receiver of OTLP over HTTP gets and decodes them."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import forked

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
CUSTOMER = "+61491570156"
FLOWS = """\
name: confirm
on: {inbound_sms: {keyword: BOOK}}
steps:
  - {id: ask, reply: Reply Y or N.}
  - id: answer
    wait_for_reply: {timeout: 1h, categories: {confirmed: {answer: yes}}}
  - id: tell
    http: {method: POST, url: "http://user:pass@127.0.0.1:PORT/crm/{{ contact.number }}?key=abc", json: {}}
  - {id: thanks, run_flow: {flow: thank}}
---
name: thank
on: manual
contact: "+61491570157"
steps: [{id: say, send_sms: {to: "+61491570157", message: Thank you.}}]
---
name: order
on: {webhook: {path: /orders, token: hook-token-of-the-test}}
steps:
  - {id: call, http: {method: GET, url: "http://127.0.0.1:PORT/broken", expect: 404}}
"""
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-test}
source_number: "+61491593156"
outbound: {allow: [127.0.0.1]}
"""
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("SINCHFLOW_", "OTEL_"))},
    "PYTHONPATH": str(ROOT),
}


class Collector:
    """Keeps the spans that come, as plain dicts; `status` is what it answers. Also the server that flows call."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []
        self.resources: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, str]]] = []  #: of `http` steps: path and headers
        self.status = 200
        self.endpoint = ""
        self.port = 0

    def named(self, name: str) -> list[dict[str, Any]]:
        """The spans with this name, by their start."""
        return sorted((span for span in self.spans if span["name"] == name), key=lambda span: span["start"])

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest()
        request.ParseFromString(body)
        for resource in request.resource_spans:
            self.resources.append(_plain(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans.extend(map(_span, scope.spans))

    @contextlib.contextmanager
    def running(self) -> Iterator["Collector"]:
        collector = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path != "/v1/traces":
                    collector.calls.append((self.path, dict(self.headers)))
                    self._answer(200)
                    return
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if collector.status == 200:
                    collector.take(body)
                self._answer(collector.status)

            def do_GET(self) -> None:
                collector.calls.append((self.path, dict(self.headers)))
                self._answer(500)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
            self.port = server.server_port
            self.endpoint = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


def _span(span: Any) -> dict[str, Any]:
    return {
        "name": span.name,
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        "problem": span.status.message if span.status.code == 2 else None,
        "kind": span.kind,
        **_plain(span.attributes),
    }


def _plain(attributes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in attributes:
        kind = each.value.WhichOneof("value")
        value = getattr(each.value, kind)
        found[each.key] = [item.string_value for item in value.values] if kind == "array_value" else value
    return found


class Stage:
    """A project, its simulated Sinch, and daemons as processes."""

    def __init__(self, root: Path, collector: Collector) -> None:
        self.root = root
        self.collector = collector
        self.environ = {
            **ENVIRON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_SERVICE_NAME": "our-sms",
        }  # fmt: skip
        self._count = 0

    @contextlib.contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "sinchflow", "-C", str(self.root), "run", "--port", "0", "--admin-port", "0"]
        with (self.root / "log").open("ab") as log:
            running = forked.Popen(command, env=self.environ, stdin=subprocess.DEVNULL, stderr=log)
        try:
            self.found = eventually(lambda: self._ready(running))
            yield running
        finally:
            running.kill()
            running.wait()

    def _ready(self, running: subprocess.Popen[bytes]) -> dict[str, Any] | None:
        assert running.poll() is None, (self.root / "log").read_text()
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((self.root / ".sinchflow/daemon.json").read_text())
            return found if found["pid"] == running.pid else None
        return None

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.found['port']}{path}", json.dumps(body).encode(),
            {"Content-Type": "application/json", **headers},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def text_in(self, content: str) -> None:
        self._count += 1
        body = {"reply_id": f"r{self._count}", "destination_address": "+61491593156", "content": content}
        self.post("/hooks/hook-token-of-the-test/inbound", {**body, "source_address": CUSTOMER})

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Lines of the daemons' log that begin so."""
        said = [json.loads(line) for line in (self.root / "log").read_text().splitlines()]
        return [line for line in said if line["event"].startswith(event)]


def end(running: subprocess.Popen[bytes]) -> None:
    """End it as an operator does."""
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE_S) == 0


def eventually(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (result := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return result


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A project whose provider is a simulated Sinch, and whose traces go to a collector."""
    command = [sys.executable, "-m", "sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret"]
    with (
        Collector().running() as collector,
        forked.Popen(command, env=ENVIRON, stdout=subprocess.PIPE, text=True) as sinch,
    ):
        try:
            assert sinch.stdout is not None
            (tmp_path / "flows").mkdir()
            (tmp_path / "flows/flows.yaml").write_text(FLOWS.replace("PORT", str(collector.port)))
            (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", sinch.stdout.readline().strip()))
            yield Stage(tmp_path, collector)
        finally:
            sinch.kill()


def test_conversation_is_one_trace_across_a_kill(stage):
    collector = stage.collector
    with stage.daemon() as running:
        stage.text_in("BOOK")
        eventually(lambda: collector.named("run confirm"))
        running.kill()
    with stage.daemon() as running:
        stage.text_in("Y")
        eventually(lambda: collector.named("run thank"))
        eventually(lambda: len(collector.named("run confirm")) == 3)
        end(running)
    first, second, third = collector.named("run confirm")
    ask, answer, tell, thanks = (
        collector.named(name)[0] for name in ("reply ask", "wait_for_reply answer", "http tell", "run_flow thanks")
    )
    events, (child,) = collector.named("event inbound_sms"), collector.named("run thank")

    assert {span["trace"] for span in (first, second, third, ask, answer, tell, thanks)} == {first["trace"]}
    assert [span["parent"] for span in (first, second, third)] == ["", "", ""]
    assert [span["parent"] for span in (ask, answer)] == [first["id"], first["id"]]
    assert [span["parent"] for span in (tell, thanks)] == [second["id"], second["id"]]
    assert first["links"] == [(events[0]["trace"], events[0]["id"])]
    assert second["links"] == [(first["trace"], first["id"]), (events[1]["trace"], events[1]["id"])]
    assert third["links"] == [(second["trace"], second["id"])]
    assert (thanks["trace"], thanks["id"]) in child["links"]
    assert thanks["links"] == [(child["trace"], child["id"])]
    assert first["start"] <= ask["start"] <= ask["end"] <= answer["start"] < answer["end"] <= tell["start"]

    ((path, headers),) = collector.calls
    assert path == f"/crm/{CUSTOMER}?key=abc"
    assert headers["traceparent"] == f"00-{tell['trace']}-{tell['id']}-01"
    assert tell["url.full"] == f"{collector.endpoint}/crm/+6149•••••156"
    assert (tell["http.request.method"], tell["http.response.status_code"]) == ("POST", 200)
    assert ask["sinchflow.message_id"]
    assert (answer["sinchflow.outcome"], answer["sinchflow.action"]) == ("confirmed", "wait_for_reply")
    assert [span["sinchflow.status"] for span in (first, second, third)] == ["running", "running", "completed"]
    assert {span["sinchflow.contact"] for span in (first, ask, answer)} == {"+6149•••••156"}
    said = json.dumps(collector.spans)
    assert [word for word in ("4915701", "key=", "pass@", "Reply Y") if word in said] == []
    assert {each["service.name"] for each in collector.resources} == {"our-sms"}


def test_sender_of_a_webhook_finds_its_event_in_its_own_trace_and_a_failed_call_its_reason(stage):
    trace, sender = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with stage.daemon() as running:
        headers = {"X-Token": "hook-token-of-the-test", "traceparent": f"00-{trace}-{sender}-01"}
        stage.post("/flows/orders", {}, **headers)
        eventually(lambda: stage.collector.named("run order"))
        end(running)
    (event,) = stage.collector.named("event webhook")
    (run,), (call,) = stage.collector.named("run order"), stage.collector.named("http call")
    assert (event["trace"], event["parent"]) == (trace, sender)
    assert run["links"] == [(trace, event["id"])]
    assert "answered 500" in call["problem"]
    assert (call["sinchflow.outcome"], run["sinchflow.status"]) == ("failed", "failed")
    assert "answered 500" in run["problem"]


def test_spans_of_the_last_moment_leave_with_the_daemon(stage):
    stage.environ["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    with stage.daemon() as running:
        stage.post("/flows/orders", {}, **{"X-Token": "hook-token-of-the-test"})
        end(running)
    assert [span["sinchflow.flows"] for span in stage.collector.named("event webhook")] == [["order"]]


def test_receiver_in_trouble_costs_one_line_until_it_is_well_again(stage):
    stage.collector.status = 400
    with stage.daemon() as running:
        for _ in range(3):
            stage.text_in("BOOK")
        eventually(lambda: stage.lines("traces cannot be exported"))
        stage.text_in("BOOK")
        stage.collector.status = 200
        stage.text_in("NOBODY KNOWS")
        eventually(lambda: stage.lines("traces are exported again"))
        end(running)
    assert len(stage.lines("traces cannot be exported")) == 1


def test_receiver_that_is_not_there_does_not_hold_up_the_end(stage):
    stage.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    with stage.daemon() as running:
        stage.text_in("BOOK")
        began = time.monotonic()
        end(running)
        assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, None),
        ({"OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, 'no traces: OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"'),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, 'no traces: OTEL_TRACES_EXPORTER is "zipkin"'),
    ],
)
def test_traces_are_off_when_the_variables_say_so(stage, changes, words):
    stage.environ.update(changes)
    with stage.daemon() as running:
        stage.text_in("BOOK")
        end(running)
    assert [line["event"].startswith(words) for line in stage.lines("no traces")] == ([True] if words else [])
    assert stage.lines("traces are exported") == []
    assert stage.collector.spans == []


def test_missing_extra_is_one_line_that_says_how_to_install_it(stage):
    hidden = stage.root / "hidden"
    hidden.mkdir()
    (hidden / "opentelemetry.py").write_text("raise ModuleNotFoundError(name='opentelemetry')\n")
    stage.environ["PYTHONPATH"] = f"{hidden}{os.pathsep}{ROOT}"
    with stage.daemon():
        stage.text_in("BOOK")
    (line,) = stage.lines("no traces")
    assert "pip install 'sinchflow[otel]'" in line["event"]


def test_without_the_variables_nothing_is_imported_or_hooked_in():
    program = (
        "import sys, sinchflow.runtime.daemon; from sinchflow.runtime.tracing import begin_tracing\n"
        "assert begin_tracing({}, identity='x', clock=None, worker=None, dialler=None) is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=ENVIRON, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
