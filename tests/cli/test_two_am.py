"""A night on call, with real processes: the provider goes down, the backlog grows, sends are stopped and let go on, a
message that nobody knows of is resolved, a failed run is taken up again, and silent customers are explained."""

import http.server
import json
import re
import threading
import time
import urllib.request

import pytest

from tests.cli.test_operating import process, run

OUR_NUMBER = "+61491593156"
FLOWS = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
throttle: {max: 1, per: 1h}
steps: [{reply: We are open.}]
---
name: code
on: {inbound_sms: {keyword: CODE}}
steps: [{reply: {message: Your code is 4711., on_unknown: hold}}]
---
name: order
on: {inbound_sms: {keyword: ORDER}}
steps:
  - http: {method: POST, url: "CRM/orders", json: {number: "{{ contact.number }}"}}
  - reply: Thank you.
"""
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}
outbound: {allow: [127.0.0.1]}
sends: {settling_time: 300ms}
"""
PATIENCE_S = 40.0


class Crm:
    """A shop's server, down until `is_up`."""

    def __init__(self) -> None:
        self.is_up = False
        self.orders: list[dict[str, str]] = []
        outer = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.is_up:
                    outer.orders.append(body)
                self.send_response(204 if outer.is_up else 503)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Night:
    """The daemon, its provider and its customers, as a person sees them from a shell."""

    def __init__(self, project, sinch: str) -> None:
        self.project = project
        self.sinch = sinch
        self._count = 0

    def ask(self, path: str, body: object = None, method: str | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.sinch}/_sim/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    def got(self) -> list[tuple[str, str]]:
        """Recipient and text of what the provider took."""
        return [(each["destination_number"], each["content"]) for each in self.ask("messages")["messages"]]

    def text(self, sender: str, content: str) -> None:
        self._count += 1
        body = {"reply_id": f"r{self._count}", "source_address": sender, "destination_address": OUR_NUMBER,
                "content": content}  # fmt: skip
        port = json.loads((self.project / ".sinchflow/daemon.json").read_text())["port"]
        url = f"http://127.0.0.1:{port}/hooks/hook-token-of-the-test/inbound"
        with urllib.request.urlopen(url, data=json.dumps(body).encode(), timeout=10) as answer:
            assert answer.status == 202

    def says(self, *command: str, code: int = 0) -> str:
        returned, out, err = run(self.project, *command)
        assert returned == code, out + err
        return out + err

    def data(self, *command: str, code: int = 0) -> dict:
        returned, out, err = run(self.project, *command, "--json")
        assert returned == code, out + err
        return json.loads(out)


def eventually(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def crm():
    crm = Crm()
    yield crm
    crm.server.shutdown()
    crm.server.server_close()


def test_a_night_on_call(tmp_path, crm):
    with process("sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret", cwd=tmp_path) as sim:
        sinch = sim.stdout.readline().strip()
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/shop.yaml").write_text(FLOWS.replace("CRM", crm.url))
        (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", sinch))
        with process("sinchflow", "run", "--port", "0", "--admin-port", "0", cwd=tmp_path) as daemon:
            for line in daemon.stderr:
                if json.loads(line)["event"] == "ready":
                    break
            threading.Thread(target=daemon.stderr.read, daemon=True).start()
            play(Night(tmp_path, sinch), crm)


def play(night: Night, crm: Crm) -> None:
    buyer, keeper, silent, gone = "+61491570150", "+61491570151", "+61491570152", "+61491570153"
    customers = [f"+6149157{number:04}" for number in range(200, 230)]

    # All is well; a customer orders, and the shop's own server is down.
    night.text(silent, "HOURS")
    night.text(buyer, "ORDER")
    eventually(lambda: (silent, "We are open.") in night.got())
    [failed] = eventually(lambda: night.data("runs", "list", "--status", "failed")["runs"])

    # The provider breaks connections: one message is in doubt and held. Then it is down, and the backlog grows.
    night.ask("faults", {"kind": "reset"})
    night.text(keeper, "CODE")
    [held] = eventually(lambda: night.data("sends", "list", "--state", "held")["sends"])
    assert held["to"] == keeper
    night.ask("faults", {"status": 503, "times": 1_000})
    for customer in customers:
        night.text(customer, "HOURS")
    eventually(lambda: night.data("status", code=1)["accounts"][0]["queued"] >= 20)
    screen = night.says("status", code=1)
    assert screen.startswith("needs you:")
    assert "1 message is held" in screen
    assert "503" in screen

    # Everything is stopped at once; the provider is back, webhooks are taken, and still nothing leaves.
    assert "no message leaves until" in night.says("pause", "--reason", "provider down")
    assert "paused already" in night.says("pause")
    night.ask("faults", method="DELETE")
    night.text(gone, "STOP")
    before = night.got()
    assert "provider down" in night.says("status", code=1)
    assert night.got() == before

    # Let go on: everybody is answered once, also those whose call had failed.
    assert "resumed" in night.says("resume")
    eventually(lambda: {to for to, text in night.got() if text == "We are open."} >= set(customers))
    eventually(lambda: not night.data("sends", "list", "--state", "unknown", "--state", "queued")["sends"])
    answered = [to for to, text in night.got() if text == "We are open."]
    assert sorted(answered) == sorted([silent, *customers])

    # The held message goes out by a person's word, once, whoever says it again.
    assert "resolved" in night.says("sends", "resolve", str(held["id"]), "--as", "resend")
    eventually(lambda: (keeper, "Your code is 4711.") in night.got())
    assert f"message {held['id']}: " in night.says("sends", "resolve", str(held["id"]), "--as", "resend", code=1)
    assert night.got().count((keeper, "Your code is 4711.")) == 1

    # The shop's server is back: the failed run goes on where it stood.
    assert "503" in night.says("runs", "show", str(failed["id"]))
    crm.is_up = True
    assert "retried" in night.says("runs", "retry", str(failed["id"]))
    eventually(lambda: (buyer, "Thank you.") in night.got())
    assert crm.orders == [{"number": buyer}]
    assert "has ended already" in night.says("runs", "cancel", str(failed["id"]), code=1)

    # Who hears nothing, and why.
    night.text(silent, "HOURS")
    told = eventually(lambda: next((each for each in [night.says("why", silent)] if "throttled" in each), None))
    assert re.match(r'their last message \(.*, "HOURS"\): flow hours matched and did not begin: throttled until ', told)
    assert f"{gone} has opted out: since" in night.says("why", gone).splitlines()[0]
    assert "no daemon" not in night.says("status")
