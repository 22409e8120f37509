"""`message`, `cancel`, `senders`, `opt-out`, `opt-in` and `opt-outs` against a simulated Sinch."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sinchflow.simulate.faults import Fault
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.senders import DedicatedNumber, SenderAddress

SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
country: AU
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
NUMBER = "+61491570156"
MANY = [f"+614915701{n:02}" for n in range(25)]
UNKNOWN_ID = "877c19ef-fa2e-4cec-827a-e1df9b5509f7"
LATER = "2036-12-03T10:00Z"
COMMANDS = [
    ("send", NUMBER, "Hi"),
    ("message", UNKNOWN_ID),
    ("cancel", UNKNOWN_ID),
    ("senders",),
    ("opt-out", NUMBER),
    ("opt-in", NUMBER),
    ("opt-outs",),
]
IDS = [command[0] for command in COMMANDS]


@pytest.fixture
def run(simulated, command, tmp_path) -> Callable[..., Any]:
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", simulated.url))
    return command({"API_SECRET": "s3cret"})


@pytest.fixture
def sim(simulated) -> SimulatedSinch:
    return simulated.sim


def sent(run: Callable[..., Any], *arguments: str) -> str:
    message_id: str = json.loads(run("send", NUMBER, *arguments, "--json").out)["messages"][0]["message_id"]
    return message_id


@pytest.mark.parametrize("name", IDS)
def test_help_teaches_with_an_example(run, name):
    shown = run(name, "--help")
    assert shown.code == 0
    assert f"  sinchflow {name} " in f"{shown.out.split('Example', 1)[1]} ".replace("\n", " ")


ANSWERS = [
    (401, None, "HTTP 401: Invalid authentication credentials; check `credentials` and `auth` in sinchflow.yaml"),
    (402, None, "HTTP 402: Payment required: The account has no credit left; the account has no credit"),
    (404, None, "HTTP 404: Resource not found"),
    (409, "", "HTTP 409: without a message; "),
    (413, None, "HTTP 413: Payload too large: at most 10 MiB; send less at once"),
    (415, None, "HTTP 415: Unsupported media type: send application/json; sinchflow and the provider disagree"),
    (422, "", "HTTP 422: without a message; the provider wants TLS 1.3"),
    (429, '{"message": "slow"}', "HTTP 429: "),
    (500, "<h1>Oops</h1>", "HTTP 500: Oops"),
    (503, "\x1b[2J\x9b", "HTTP 503: \\x1b[2J"),
    (200, "\x1b<html>", ""),
]
#: What is success, or has a body that does not matter.
NO_ERRORS = {("opt-in", 404), ("opt-in", 200), ("opt-out", 200)}


@pytest.mark.parametrize(
    ("asked", "status", "body", "words"),
    [(asked, *answer) for asked in COMMANDS for answer in ANSWERS if (asked[0], answer[0]) not in NO_ERRORS],
)
def test_every_error_answer_is_one_readable_line(run, sim, asked, status, body, words):
    sim.fail_next(Fault(status=status, body=body, method="", path="/v1/"))
    ended = run(*asked)
    assert (ended.code, ended.out.count(UNKNOWN_ID)) == (4, 0)
    assert ended.err.startswith(f"sinchflow: {words}")
    assert ended.err.count("\n") == 1
    assert ended.err[:-1].isprintable()


@pytest.mark.parametrize("asked", COMMANDS, ids=IDS)
def test_provider_that_is_not_there_is_one_line(run, asked):
    ended = run(*asked, "--account", "away")
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("sinchflow: cannot reach http://127.0.0.1:1: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("message", "17"), '"17" is no message id: those of Sinch have 36 characters'),
        (("message", ""), '"" is no message id'),
        (("cancel", "../webhooks"), '"../webhooks" is no message id'),
        (("message",), "Missing argument 'ID'"),
        (("opt-out",), "Missing argument 'NUMBER...'"),
        (("opt-out", NUMBER, "hello"), '"hello" is not a phone number; write it as +COUNTRY…, or set `country`'),
        (("opt-in", "12"), '"12" is not a phone number'),
        (("senders", "--account", "mars"), 'unknown account "mars": sinchflow.yaml has default, nz, away'),
    ],
)
def test_mistake_is_one_line_before_any_call(run, sim, arguments, words):
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert sim.requests == []


def test_message_for_people_leaves_out_what_it_has_not(run):
    message_id = sent(run, "one\ntwo \x1b[31m", "--metadata", "order=7", "--scheduled", LATER)
    shown = run("message", message_id)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines() == [
        f"message_id          {message_id}",
        "status              scheduled",
        f"destination_number  {NUMBER}",
        "content             one\\ntwo \\x1b[31m",
        "delivery_report     yes",
        "format              SMS",
        "metadata            order=7",
        "scheduled           2036-12-03T10:00:00.000Z",
    ]


def test_message_of_another_account_is_not_found_in_this_one(run):
    message_id = sent(run, "Hi", "--account", "nz")
    assert run("message", message_id, "--account", "nz").code == 0
    missing = run("message", message_id)
    assert (missing.code, missing.out) == (4, "")
    assert "Resource not found" in missing.err
    assert "check the id" in missing.err


def test_cancel_shows_the_message_as_it_is_then(run, sim):
    message_id = sent(run, "Hi", "--scheduled", LATER)
    cancelled = run("cancel", message_id)
    assert cancelled.code == 0
    assert cancelled.out.splitlines()[:2] == [
        f"message_id          {message_id}",
        "status              cancelled",
    ]
    assert sim.messages[0].status == "cancelled"


def test_message_that_has_left_cannot_be_cancelled(run):
    refused = run("cancel", sent(run, "Hi"))
    assert (refused.code, refused.out) == (4, "")
    assert "only a message that is still scheduled can be taken back" in refused.err


def test_senders_for_people(run, sim):
    sim.senders = (SenderAddress(sender_address="ACME", sender_address_type="ALPHANUMERIC", usage_type="ALPHANUMERIC"),)
    sim.dedicated = (DedicatedNumber(phone_number="+64211234567", capabilities=("SMS", "MMS"), label="\x9bShop"),)
    shown = run("senders", "--account", "nz")
    assert (shown.code, shown.err) == (0, "")
    assert [line.split(maxsplit=1) for line in shown.out.splitlines()] == [
        ["number", "label  type           source                     MMS  status    default"],
        ["ACME", "ALPHANUMERIC   Alpha tag                  no   APPROVED"],
        ["+64211234567", "?Shop  INTERNATIONAL  Dedicated number (mobile)  yes  APPROVED  default"],
    ]


def test_default_sender_that_is_not_the_accounts_is_pointed_out(run, sim):
    shown = run("senders", "--account", "nz")
    assert shown.code == 0
    assert "source_number +64211234567 of account nz is not among them" in shown.err
    assert run("senders").err == ""


def test_account_without_senders_is_told_so(run, sim):
    sim.senders = ()
    sim.features = Features(dedicated_numbers=False)
    shown = run("senders")
    assert shown.out == "the account has no numbers or names to send from; Sinch chooses the sender\n"
    assert json.loads(run("senders", "--json").out)["senders"] == []


def test_numbers_go_on_the_list_and_off_it(run, sim):
    assert run("opt-outs").out == "nobody has opted out\n"
    out = run("opt-out", "0491 570 156", *MANY, NUMBER)
    assert (out.code, out.err) == (0, "")
    assert out.out.splitlines()[:2] == ["number        status", f"{NUMBER}  opted out"]
    assert [request.method for request in sim.requests] == ["GET", "POST", "POST", "POST"]
    assert run("opt-outs").out.splitlines() == [NUMBER, *MANY]
    assert json.loads(run("opt-outs", "--json").out) == {"numbers": [NUMBER, *MANY]}
    back = run("opt-in", *MANY, "0491 570 199", "--json")
    assert back.code == 0
    assert json.loads(back.out)["numbers"][-2:] == [
        {"number": MANY[-1], "opted_out": False},
        {"number": "+61491570199", "opted_out": False},
    ]
    assert sim.account().opted_out.numbers == [NUMBER.removeprefix("+")]


@pytest.mark.parametrize(("name", "done"), [("opt-out", 10), ("opt-in", 1)])
def test_what_was_done_before_a_failure_is_told(run, sim, name, done):
    sim.fail_next(Fault(kind="delay", method="", path="/v1/number_authorisation"))
    sim.fail_next(Fault(status=500, method="", path="/v1/number_authorisation"))
    ended = run(name, *MANY, "--json")
    assert ended.code == 4
    assert [each["number"] for each in json.loads(ended.out)["numbers"]] == MANY[:done]
    assert ended.err.endswith("; it does no harm to do it all again\n")
