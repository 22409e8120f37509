"""`sinchflow send` against a simulated Sinch: what is refused before a call, batches, and what is told of each."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinchflow.simulate.faults import Fault
from sinchflow.simulate.provider import SimulatedSinch

ROOT = Path(__file__).parents[2]
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
country: AU
limits: {batch: 3}
accounts:
  nz:
    base_url: "BASE"
    credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
    sub_account: kiwi
    source_number: "+64211234567"
  away:
    base_url: "http://127.0.0.1:1"
    credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
"""
TO = "+61491570156"
SEVEN = [f"+6149157010{n}" for n in range(7)]
#: Seven digits: a number for us, too short for the provider.
SHORT = "+6112345"


@pytest.fixture
def run(simulated, command, tmp_path) -> Callable[..., Any]:
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", simulated.url))
    return command({"API_SECRET": "s3cret"})


@pytest.fixture
def sim(simulated) -> SimulatedSinch:
    return simulated.sim


def sizes(sim: SimulatedSinch) -> list[tuple[int, int]]:
    """Messages taken and status, call by call."""
    return [(call.messages, call.status) for call in sim.calls]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Hi",), "Missing argument 'TO...'"),
        (("hello", "Hi"), '"hello" is no number; if it belongs to the text, put the whole text in quotes'),
        ((TO, "Hello", "there"), '"Hello" is no number; if it belongs to the text'),
        (("12", "Hi"), '"12" is not a phone number; write it as +COUNTRY…, or set `country`'),
        (("12", "13", "Hi"), "none of these is a phone number: 12, 13"),
        ((TO, " "), "the message is empty"),
        ((TO, "x" * 5001), "the message has 5001 characters; at most 5000 can be sent"),
        ((TO, "x" * 100_001), "a text grows over 100000 characters"),
        ((TO, "half \udcff"), "it holds half a character"),
        ((TO, "Hi", "--metadata", "order"), '--metadata "order": write it as KEY=VALUE'),
        ((TO, "Hi", "--metadata", "=5"), '--metadata "=5": write it as KEY=VALUE'),
        ((TO, "Hi", "--metadata", "a=1", "--metadata", "a=2"), '--metadata "a=2": a is given twice'),
        ((TO, "Hi", *(f"--metadata=k{n}=v" for n in range(11))), "11 metadata pairs; at most 10 fit"),
        ((TO, "Hi", "--metadata", "k" * 101 + "=v"), "a key has at most 100 characters"),
        ((TO, "Hi", "--metadata", "k=" + "v" * 257), "a value at most 256"),
        ((TO, "Hi", "--format", "MMS"), "an MMS needs at least one URL in `media`"),
        ((TO, "Hi", "--media", "https://example.com/a.png"), "media can only go with `format: MMS`"),
        ((TO, "Hi", "--format", "MMS", "--media", "a.png"), 'media: "a.png" is no address'),
        ((TO, "Hi", "--subject", "Lunch"), "subject can only go with `format: MMS`"),
        ((TO, "Hi", "--format", "FAX"), "Invalid value for '--format'"),
        ((TO, "Hi", "--callback-url", "example"), 'callback_url: "example" is no address of the form https://…'),
        ((TO, "Hi", "--scheduled", "2020-01-01T10:00Z"), "scheduled is in the past: 2020-01-01T10:00:00.000Z"),
        ((TO, "Hi", "--scheduled", "tomorrow"), 'scheduled: "tomorrow" is no ISO 8601 time'),
        ((TO, "Hi", "--expires", "2020-01-01T10:00Z"), "the message would expire in the past"),
        ((TO, "Hi", "--source-number-type", "SHORTCODE"), "--source-number-type says nothing without --source-number"),
        ((TO, "Hi", "--account", "mars"), 'unknown account "mars": sinchflow.yaml has default, nz, away'),
    ],
)
def test_mistake_is_one_line_before_any_call(run, sim, arguments, words):
    ended = run("send", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert sim.requests == []


def test_table_for_people(run, sim):
    ended = run("send", "0491 570 156, 0491570157,", "12", TO, "Hi {{ you }} {% if %}")
    first, second = sim.messages
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "to            message_id                            status   reason",
        f"+61491570156  {first.message_id}  queued",
        f"+61491570157  {second.message_id}  queued",
        "12                                                  skipped  not a phone number",
    ]
    assert ended.err == "2 accepted, 1 skipped\n"
    assert first.content == "Hi {{ you }} {% if %}"


def test_text_from_stdin_keeps_its_lines(run, sim):
    assert run("send", TO, "-", typed="one\n  two 😀\n\n").code == 0
    assert sim.messages[0].content == "one\n  two 😀\n"


def test_another_account_sends_as_itself(run, sim):
    assert run("send", TO, "Hi", "--account", "nz").code == 0
    (message,) = sim.account("kiwi").messages
    assert (message.source_number, sim.messages) == ("+64211234567", [])


def test_many_travel_in_batches_in_order(run, sim):
    ended = run("send", ",".join(SEVEN), "Hi", "--json")
    assert ended.code == 0
    assert sizes(sim) == [(3, 202), (3, 202), (1, 202)]
    told = json.loads(ended.out)
    assert [message["destination_number"] for message in told["messages"]] == SEVEN
    assert (told["skipped"], told["unknown"], ended.err) == ([], [], "7 accepted\n")


def test_bad_number_loses_only_its_message(run, sim):
    ended = run("send", *SEVEN[:4], SHORT, *SEVEN[4:], "Hi", "--json")
    assert ended.code == 1
    assert sizes(sim) == [(3, 202), (0, 400), (2, 202), (2, 202)]
    told = json.loads(ended.out)
    assert [message["destination_number"] for message in told["messages"]] == SEVEN
    (refused,) = told["skipped"]
    assert refused["to"] == SHORT
    assert refused["reason"].startswith("destination_number: International address must be between 8 and 15")
    assert told["unknown"] == []


def test_refusal_that_blames_nobody_is_looked_for_in_halves(run, sim):
    sim.fail_next(Fault(status=400, body='{"message": "no"}', times=2))
    ended = run("send", *SEVEN[:3], "Hi", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["skipped"]) == (1, [{"to": SEVEN[0], "reason": "no"}])
    assert sizes(sim) == [(0, 400), (0, 400), (2, 202)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=401, body=None), "HTTP 401: Invalid authentication credentials; check `credentials` and `auth`"),
        (Fault(status=402, body=None), "HTTP 402: Payment required: The account has no credit left; the account has"),
        (Fault(status=403, body=None), "HTTP 403: This feature has not been enabled in your account; the account"),
        (Fault(status=404, body=None), "HTTP 404: Resource not found"),
        (Fault(status=413, body=None), "HTTP 413: Payload too large: at most 10 MiB; send less at once"),
        (Fault(status=415, body=None), "HTTP 415: Unsupported media type: send application/json; "),
        (Fault(status=422), "HTTP 422: without a message; the provider wants TLS 1.3 for this destination"),
        (Fault(status=429, headers={"Retry-After": "30"}), "which asks to wait 30 s; wait, or lower `limits`"),
        (Fault(status=307, headers={"Location": "https://a.example/"}), "HTTP 307, a redirect to https://a.example/"),
    ],
)
def test_refused_call_stops_the_rest_with_words_and_advice(run, sim, fault, words):
    sim.fail_next(fault)
    ended = run("send", *SEVEN[:4], "Hi")
    assert (ended.code, ended.out) == (4, "")
    assert words in ended.err
    assert ended.err.endswith("4 messages not sent\n")
    assert len(sim.calls) == 1


def test_key_refused_midway_lists_what_was_accepted(run, sim):
    sim.fail_next(Fault(kind="delay"))
    sim.fail_next(Fault(status=401, body=None))
    ended = run("send", *SEVEN, "Hi")
    assert ended.code == 4
    lines = ended.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == SEVEN
    assert [line.split()[2] for line in lines[1:4]] == ["queued"] * 3
    assert lines[4].split(maxsplit=3)[1:3] == ["not", "sent"]
    assert ended.err.startswith("3 accepted, 4 not sent\nsinchflow: HTTP 401")


def test_provider_that_is_not_there(run):
    ended = run("send", TO, "Hi", "--account", "away")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("sinchflow: cannot reach http://127.0.0.1:1: ")
    assert ended.err.endswith("; 1 message not sent\n")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=503, takes=True),
        Fault(status=408),
        Fault(kind="reset", takes=True),
        Fault(kind="cut"),
        Fault(kind="short"),
        Fault(status=202, body="<html>"),
    ],
)
def test_unknown_outcome_is_said_plainly_and_ends_it(run, sim, fault):
    sim.fail_next(Fault(kind="delay"))
    sim.fail_next(fault)
    ended = run("send", *SEVEN, "Hi", "--json")
    assert ended.code == 4
    assert "; 3 messages may or may not have gone out: look with `sinchflow message` or the provider's" in ended.err
    assert ended.err.endswith("report before sending again; 1 message not sent\n")
    told = json.loads(ended.out)
    assert [message["destination_number"] for message in told["messages"]] == SEVEN[:3]
    assert [each["to"] for each in told["unknown"]] == SEVEN[3:6]
    assert [each["to"] for each in told["skipped"]] == SEVEN[6:]
    assert len(sim.calls) == 2


@pytest.mark.parametrize("json_or_not", [(), ("--json",)])
def test_control_characters_of_the_providers_stay_off_the_terminal(run, sim, json_or_not):
    evil = "\x1b]0;pwned\x07\x9b31m\x7f\u202e"
    details = [f"/messages/1/content: {evil}"]
    sim.fail_next(Fault(status=400, body=json.dumps({"message": evil, "details": details})))
    messages = [{"message_id": evil, "status": evil, evil: evil}, {"message_id": "id", "status": evil}]
    sim.fail_next(Fault(status=202, body=json.dumps({"messages": messages})))
    sim.fail_next(Fault(status=403, body=json.dumps({"message": evil})))
    ended = run("send", *SEVEN[:4], "Hi", *json_or_not)
    assert ended.code == 4
    assert [char for char in ended.out + ended.err if char != "\n" and not char.isprintable()] == []
    if json_or_not:
        assert json.loads(ended.out)["messages"][0]["message_id"] == evil


def test_progress_is_shown_on_a_terminal_beyond_one_batch(run, sim, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "sending" not in run("send", *SEVEN[:3], "Hi").err
    shown = run("send", *SEVEN, "Hi", "--json")
    assert "sending" in shown.err
    assert len(json.loads(shown.out)["messages"]) == 7


def process(project: Path, *arguments: str, stdin: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "sinchflow", "send", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SINCHFLOW_SECRET_API_SECRET": "s3cret"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_process_reads_a_pipe(run, sim, tmp_path):
    with process(tmp_path, TO, "-", stdin=subprocess.PIPE) as running:
        out, err = running.communicate("Grüße 😀\n".encode(), timeout=60)
    assert (running.returncode, err) == (0, b"")
    assert sim.messages[0].message_id.encode() in out
    assert sim.messages[0].content == "Grüße 😀"


def test_process_refuses_what_is_no_text(run, sim, tmp_path):
    with process(tmp_path, TO, "-", stdin=subprocess.PIPE) as running:
        _, err = running.communicate(b"\xff\xfe", timeout=60)
    assert running.returncode == 2
    assert b"Traceback" not in err
    assert sim.calls == []


def test_interrupted_process_says_what_is_known(run, sim, tmp_path):
    is_taken = threading.Event()
    sim.subscribe(lambda message: is_taken.set() if message.destination_number == SEVEN[3] else None)
    sim.fail_next(Fault(kind="delay"))
    sim.fail_next(Fault(kind="hang", takes=True))
    with process(tmp_path, *SEVEN, "Hi", "--json") as running:
        assert is_taken.wait(timeout=60)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 4
    assert b"interrupted; 3 messages may or may not have gone out: " in err
    assert [each["to"] for each in json.loads(out)["unknown"]] == SEVEN[3:6]
