"""`sinchflow contacts` with and without a daemon, and `sinchflow routes`, as processes."""

import json

import pytest

from tests.cli.test_run import daemon, project, stop

__all__ = ["project"]

NUMBER = "+61491570156"
FLOW = """\
name: know
on: manual
inputs: {number: {type: phone}}
contact: "{{ inputs.number }}"
steps:
  - remember: {first_name: Bo, language: de}
  - reply: "Hello {{ contact.first_name }}"
  - wait_for_reply: {timeout: 1d}
"""


def told(sinchflow, *arguments):
    done = sinchflow("contacts", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


@pytest.mark.parametrize("is_running", [True, False])
def test_a_person_is_shown_suppressed_allowed_and_forgotten(sinchflow, project, is_running):
    (project / "flows/know.yaml").write_text(FLOW)
    with daemon(project) as running:
        assert sinchflow("start", "know", "--input", f"number={NUMBER}").returncode == 0
        person = told(sinchflow, "show", NUMBER, "--json")
        assert (person["values"], person["language"], person["suppressed"]) == ({"first_name": "Bo"}, "de", None)
        assert [(run["flow"], run["status"]) for run in person["runs"]] == [("know", "running")]
        assert told(sinchflow, "suppress", NUMBER) == f"{NUMBER}: nothing is sent to it any more\n"
        assert told(sinchflow, "suppress", NUMBER) == f"{NUMBER}: nothing was sent to it before\n"
        assert told(sinchflow, "show", NUMBER, "--json")["suppressed"]["source"] == "operator"
        assert told(sinchflow, "allow", NUMBER) == f"{NUMBER}: messages go through again\n"
        assert stop(running) == 0
    assert told(sinchflow, "list", "--json")["contacts"][0]["number"] == NUMBER  # from the journal
    assert f"number      {NUMBER}" in told(sinchflow, "show", NUMBER)
    if not is_running:
        found = told(sinchflow, "forget", NUMBER, "--json")
    with daemon(project) as running:
        if is_running:
            found = told(sinchflow, "forget", NUMBER, "--json")
        assert told(sinchflow, "show", NUMBER, "--json")["runs"] == []
        assert stop(running) == 0
    assert (found["cancelled"], found["left"]) == (1, [])
    assert told(sinchflow, "list") == "nothing is known of anybody\n"
    files = [file for file in (project / ".sinchflow").iterdir() if file.name.startswith("journal")]
    assert files
    assert [file.name for file in files if b"491570156" in file.read_bytes() or b"Hello Bo" in file.read_bytes()] == []


def test_journal_at_rest_is_changed_and_the_next_daemon_heeds_it(sinchflow, project):
    refused = sinchflow("contacts", "suppress", NUMBER)
    assert (refused.returncode, "no daemon has run there yet" in refused.stderr) == (3, True)
    (project / "flows/know.yaml").write_text(FLOW)
    with daemon(project) as running:
        assert stop(running) == 0
    assert told(sinchflow, "suppress", NUMBER) == f"{NUMBER}: nothing is sent to it any more\n"
    assert told(sinchflow, "suppress", NUMBER) == f"{NUMBER}: nothing was sent to it before\n"
    assert told(sinchflow, "show", NUMBER, "--json")["suppressed"]["source"] == "operator"
    told(sinchflow, "forget", NUMBER)
    assert told(sinchflow, "show", NUMBER, "--json")["suppressed"]["source"] == "operator"  # by pseudonym
    with daemon(project) as running:
        assert sinchflow("start", "know", "--input", f"number={NUMBER}").returncode == 0
        listed = json.loads(sinchflow("sends", "list", "--format", "json").stdout)["sends"]
        assert [(send["state"], "opted out" in send["reason"]) for send in listed] == [("skipped", True)]
        assert stop(running) == 0
    assert told(sinchflow, "allow", NUMBER) == f"{NUMBER}: messages go through again\n"
    assert told(sinchflow, "allow", NUMBER) == f"{NUMBER}: messages went through before\n"
    assert told(sinchflow, "show", NUMBER, "--json")["suppressed"] is None


def test_what_is_no_number_is_refused(sinchflow, project):
    refused = sinchflow("contacts", "show", "Bo")
    assert refused.returncode == 2
    assert refused.stderr == 'sinchflow: "Bo" is no phone number; write it with + and the country\'s code\n'


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/shop.yaml").write_text(
        "name: any\non: inbound_sms\nsteps: [{log: x}]\n---\n"
        "name: hours\non: {inbound_sms: {keyword: [HOURS, OPEN]}}\npriority: 5\ncontinue: true\n"
        "steps: [{log: x}]\n---\n"
        "name: orders\non: {inbound_sms: {regex: 'order \\d+', to: '+61491593156'}}\nsteps: [{log: x}]\n"
    )
    (tmp_path / "sinchflow.yaml").write_text("policy: {opt_out: {keywords: [STOPP]}, opt_in: off}\n")
    return tmp_path


def test_routes_shows_the_order_and_the_words(sinchflow, shop):
    assert sinchflow("routes").stdout.splitlines() == [
        "1  words that policy takes, when they are the whole message",
        "     opt-out (own): STOPP",
        "     opt-in: off",
        "     help: no `policy.help.reply`",
        "2  an open wait one of whose categories fits",
        "3  the first of these flows that matches; after one with `continue: true` also the next",
        "     hours (priority 5, continue) – keyword: HOURS, OPEN",
        "     orders – regex: order \\d+; to: +61491593156",
        "4  an open wait that takes any answer, or has attempts left",
        "5  the first of these flows",
        "     any",
        "6  nobody: counted as unmatched",
    ]
    found = json.loads(sinchflow("routes", "--format", "json").stdout)
    assert [each["flow"] for each in found["flows_with_text_filter"]] == ["hours", "orders"]
    assert found["words"]["opt_out"] == {"own": ["STOPP"]}
    (shop / "flows/shop.yaml").write_text("on: nothing\n")
    broken = sinchflow("routes")
    assert (broken.returncode, "flows/shop.yaml:1:5" in broken.stderr) == (1, True)
