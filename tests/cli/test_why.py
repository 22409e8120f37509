"""`why` and `events` from the shell, with a daemon at work and without one."""

import json
import urllib.request

import pytest

from tests.cli.test_operating import FLOW, SETTINGS, process, run

NUMBER = "+61491570156"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose daemon has taken two texts, and was killed."""
    root = tmp_path_factory.mktemp("why")
    (root / "flows").mkdir()
    (root / "flows/notice.yaml").write_text(FLOW)
    with process("sinchflow.simulate.provider", "--api-key", "key", "--api-secret", "s3cret", cwd=root) as sinch:
        (root / "sinchflow.yaml").write_text(
            SETTINGS.replace("BASE", sinch.stdout.readline().strip()) + "country: AU\n"
        )
        with process("sinchflow", "run", "--port", "0", "--admin-port", "0", cwd=root) as daemon:
            for line in daemon.stderr:
                if json.loads(line)["event"] == "ready":
                    break
            port = json.loads((root / ".sinchflow/daemon.json").read_text())["port"]
            for number, text in enumerate(("hour?", "HOURS")):
                body = {"reply_id": f"reply-0{number}", "source_address": NUMBER, "destination_address": "+61491593156",
                        "content": text}  # fmt: skip
                url = f"http://127.0.0.1:{port}/hooks/hook-token-of-the-test/inbound"
                urllib.request.urlopen(url, data=json.dumps(body).encode(), timeout=10).close()
            for _ in range(200):
                if "From 8." in (said := run(root, "why", NUMBER)[1]) and "[sent" in said:
                    break
            yield root, said


def test_answer_comes_first(project):
    _, said = project
    assert said.startswith(f"nothing keeps messages from {NUMBER}: the last one, of ")
    assert "no daemon" not in said


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ("0491 570 156", "nothing keeps messages from"),
        ("(0491) 570-156", "nothing keeps messages from"),
        ("+61\u00a0491\u00a0570\u00a0156", "nothing keeps messages from"),
        ("reply-00", 'keyword: the first word is "HOUR", wanted HOURS, OPEN'),
        ("reply-01", "it started hours (run "),
    ],
)
def test_what_is_asked_about_may_be_written_in_many_ways(project, about, words):
    code, out, err = run(project[0], "why", about)
    assert (code, err) == (0, "")
    assert words in out


@pytest.mark.parametrize(
    ("about", "words"), [("999999", "is no id of an event"), ("x y", '"x y" is no id'), (" ", "name what")]
)
def test_what_nobody_knows_is_a_usage_error(project, about, words):
    code, out, err = run(project[0], "why", about)
    assert (code, out) == (2, "")
    assert words in err


def test_json_is_one_object(project):
    code, out, _ = run(project[0], "why", NUMBER, "--json")
    told = json.loads(out)
    assert (code, told["about"], told["is_daemon"]) == (0, {"kind": "number", "contact": NUMBER}, True)
    assert {each["what"] for each in told["timeline"]} == {"event", "run", "message"}


def test_events_are_listed_and_shown(project):
    code, out, _ = run(project[0], "events", "list", "--json")
    events = json.loads(out)["events"]
    assert (code, [(each["text"], each["outcome"]) for each in events]) == (
        0, [("HOURS", "started"), ("hour?", "unmatched")],
    )  # fmt: skip
    assert "nobody took it" in run(project[0], "events", "list", "--unmatched", "--contact", "0491570156")[1]
    assert "content" in run(project[0], "events", "show", str(events[0]["id"]))[1]
    assert run(project[0], "events", "list", "--quarantined") == (0, "nothing is in quarantine\n", "")
    assert run(project[0], "events", "reparse", "--all") == (0, "nothing is in quarantine\n", "")
    for wrong, words in (
        (["show", "999"], "there is no event 999"),
        (["list", "--kind", "sms"], 'no events of kind "sms"'),
        (["list", "--contact", "abc"], '"abc" is no phone number'),
        (["reparse"], "name the bodies by id"),
        (["discard", "5"], "say so with --yes"),
        (["list", "--quarantined", "--unmatched"], "--quarantined goes with --limit only"),
    ):
        code, _, err = run(project[0], "events", *wrong)
        assert code == 2, wrong
        assert words in err
