"""`plan`, `apply`, `drift` and `destroy` against a simulated Sinch on loopback: exit codes and what is printed."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sinchflow.deploy.desired import MARKER
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.provider import SimulatedSinch

TOKEN = "hook-token-of-the-test"
PASSWORD = "header-secret-of-the-test"
SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
webhooks:
  token: "{{ secrets.HOOK_TOKEN }}"
  secret: "{{ secrets.HOOK_SECRET }}"
  public_url: "http://127.0.0.1:9/sms"
accounts:
  nz:
    base_url: "BASE"
    credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
    sub_account: kiwi
    catch_up: {every: 10m}
"""
BROKEN_FLOW = "name: broken\non: inbound_sms\nsteps: [{send_smss: 1}]\n"


@pytest.fixture
def run(sim, simulated, command, tmp_path) -> Callable[..., Any]:
    """Runs a command in the project."""
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", simulated.url))
    return command({"API_SECRET": "s3cret", "HOOK_TOKEN": TOKEN, "HOOK_SECRET": PASSWORD, "CRM": "top-secret"})


@pytest.fixture
def sim(simulated) -> SimulatedSinch:
    """The provider, where somebody else listens already."""
    simulated.sim.webhooks.register("https://crm.example.net/in?key=top-secret", ["RECEIVED_SMS"], template="{}")
    return simulated.sim


def foreign(sim: SimulatedSinch) -> list[dict[str, Any]]:
    return [webhook.shown() for webhook in sim.webhooks if MARKER not in webhook.headers]


def test_plan_shows_each_account_and_changes_nothing(run, sim, simulated):
    planned = run("plan")
    lines = planned.out.splitlines()
    assert planned.code == 0
    assert lines[0] == f"account default ({simulated.url})"
    assert lines[1] == "  + inbound   create   http://127.0.0.1:9/sms/hooks/***/inbound"
    assert lines[4].startswith("    foreign   foreign  https://crm.example.net/…  (")
    assert lines[5:7] == ["  3 to create, 1 of others, left alone", f"account nz ({simulated.url})"]
    assert lines[7] == "  + inbound   create   http://127.0.0.1:9/sms/hooks/***/nz/inbound"
    assert lines[-2:] == ["  3 to create", "Do it with `sinchflow apply`."]
    assert {request.method for request in sim.requests} == {"GET"}


def test_detailed_exit_code_tells_whether_there_is_something_to_do(run):
    assert run("plan", "--detailed-exitcode").code == 2
    assert run("apply", "--yes").code == 0
    assert run("plan", "--detailed-exitcode").code == 0
    assert run("plan", "--detailed-exitcode", "--account", "nz", "--json").code == 0


def test_plan_as_json(run):
    accounts = json.loads(run("plan", "--json").out)["accounts"]
    assert [each["account"] for each in accounts] == ["default", "nz"]
    assert accounts[0]["changes"][0] == {
        "action": "create",
        "kind": "inbound",
        "id": None,
        "url": "http://127.0.0.1:9/sms/hooks/***/inbound",
        "differences": [],
        "note": "",
    }
    assert [each["is_settled"] for each in accounts] == [False, False]


def test_apply_twice_changes_nothing_the_second_time(run, sim):
    others = foreign(sim)
    first = run("apply")
    assert first.code == 0
    assert "account default: created receipts http://127.0.0.1:9/sms/hooks/***/receipts\n" in first.out
    assert "  inbound   http://127.0.0.1:9/sms/hooks/***/inbound  not tested: not reachable from here" in first.out
    assert "Advice for account default: catch-up is off." in first.out
    assert "Advice for account nz" not in first.out
    assert [webhook.headers for webhook in sim.account("kiwi").webhooks] == [
        {"X-Sinchflow": f"sinchflow/{kind}", "X-Sinchflow-Secret": PASSWORD}
        for kind in ("inbound", "receipts", "opt-outs")
    ]
    sim.requests.clear()
    second = run("apply")
    assert second.code == 0
    assert "Nothing to do." in second.out
    assert {request.method for request in sim.requests} == {"GET"}
    assert foreign(sim) == others


def test_apply_asks_at_a_terminal(run, sim):
    refused = run("apply", typed="no\n")
    assert (refused.code, refused.err) == (1, "Do it? yes/no: Nothing was changed.\n")
    assert len(sim.webhooks) == 1
    assert run("apply", "--account", "default", typed="yes\n").code == 0
    assert len(sim.webhooks) == 4
    assert len(sim.account("kiwi").webhooks) == 0
    assert run("apply", "--account", "nz", "--yes", typed="no\n").code == 0
    assert len(sim.account("kiwi").webhooks) == 3


def test_drift_names_the_field_and_apply_mends_it(run, sim):
    run("apply")
    assert (run("drift").code, run("drift", "--json").code) == (0, 0)
    changed = next(webhook for webhook in sim.webhooks if webhook.url.endswith("/receipts"))
    changed.events, changed.retries = ["FAILED_DR"], 2
    drifted = run("drift")
    assert drifted.code == 1
    assert "account default\n  receipts: events: FAILED_DR → " in drifted.out
    assert "\n  receipts: retries: 2 → 5 (forces replacement)\n" in drifted.out
    assert "account nz\n  all is as wanted\n" in drifted.out
    found = json.loads(run("drift", "--json").out)["accounts"]
    assert [len(each["differences"]) for each in found] == [2, 0]
    assert run("apply", "--json").code == 0
    assert run("drift").code == 0


def test_conflict_is_explained_and_adopted_on_request(run, sim):
    theirs = sim.webhooks.register(f"http://127.0.0.1:9/sms/hooks/{TOKEN}/inbound", ["RECEIVED_SMS"], template="{}")
    blocked = run("apply", "--yes")
    assert blocked.code == 1
    assert f"`sinchflow apply --adopt {theirs.id}`" in blocked.out
    assert theirs.headers == {}
    assert run("drift").code == 1
    assert run("plan").out.endswith("\nSomething is in the way, see above.\n")
    wrong = run("apply", "--adopt", "nothing")
    assert (wrong.code, wrong.err) == (
        2,
        f"sinchflow: --adopt nothing: no such webhook is in the way of ours; those in the way are {theirs.id}\n",
    )
    adopted = json.loads(run("apply", "--adopt", theirs.id, "--json").out)["accounts"][0]
    assert adopted["failed"] is None
    assert adopted["conflicts"] == []
    assert [each["state"] for each in adopted["self_test"]] == ["unreachable"] * 3
    assert run("plan", "--detailed-exitcode").code == 0


def test_first_failure_stops_all_accounts(run, sim):
    sim.fail_next(Fault(status=400, body='{"message":"no more than 2 webhooks"}', path="/v1/webhooks/messages"))
    stopped = run("apply", "--yes")
    assert stopped.code == 4
    assert "no more than 2 webhooks" in stopped.err
    assert stopped.err.count(": not done: create ") == 6
    assert "Self-test" not in stopped.out


def test_destroy_removes_ours_and_says_what_is_left(run, sim):
    others = foreign(sim)
    run("apply")
    unsure = run("destroy")
    assert (unsure.code, unsure.err) == (
        2,
        "sinchflow: destroy deletes webhooks: say --yes where nobody can be asked\n",
    )
    assert run("destroy", typed="n\n").code == 1
    assert len(sim.webhooks) == 4
    gone = run("destroy", "--yes")
    assert gone.code == 0
    assert "3 to delete, 1 of others, left alone" in gone.out
    assert gone.out.endswith("Ours are gone.\n")
    assert [webhook.shown() for webhook in sim.webhooks] == others
    assert json.loads(run("destroy", "--json").out)["left"] == 1


def test_wrong_credentials_are_one_line_with_code_4(run, monkeypatch):
    monkeypatch.setenv("SINCHFLOW_SECRET_API_SECRET", "wrong-one")
    for command in ("plan", "apply", "drift"):
        refused = run(command)
        assert refused.code == 4
        assert refused.err.startswith("sinchflow: account default: ")
        assert refused.err.count("\n") == 1
        assert refused.out == ""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('  public_url: "http://127.0.0.1:9/sms"\n', "", "set `webhooks: {public_url: https://sms.example.com}`"),
        ("HOOK_SECRET", "OTHER_SECRET", "secret OTHER_SECRET is missing: set the environment variable"),
        (
            "credentials: {api_key: key",
            "credentialss: {api_key: key",
            "sinchflow.yaml has errors:\nsinchflow.yaml:2:1:",
        ),
    ],
)
def test_what_is_missing_is_named_with_code_3(run, tmp_path, before, after, words):
    settings = (tmp_path / "sinchflow.yaml").read_text()
    (tmp_path / "sinchflow.yaml").write_text(settings.replace(before, after, 1))
    refused = run("plan")
    assert refused.code == 3
    assert words in refused.err


def test_accounts_that_are_not_asked_for_may_lack_their_secrets(run, tmp_path):
    settings = (tmp_path / "sinchflow.yaml").read_text()
    (tmp_path / "sinchflow.yaml").write_text(settings.replace("secrets.API_SECRET", "secrets.UNSET", 1))
    assert run("plan").code == 3
    assert run("plan", "--account", "nz").code == 0
    unknown = run("plan", "--account", "uk")
    assert (unknown.code, unknown.err) == (2, 'sinchflow: unknown account "uk": sinchflow.yaml has default, nz\n')


def test_two_names_for_one_account_get_one_set_of_webhooks(run, tmp_path):
    settings = (tmp_path / "sinchflow.yaml").read_text()
    (tmp_path / "sinchflow.yaml").write_text(settings.replace("    sub_account: kiwi\n", ""))
    assert [each["account"] for each in json.loads(run("plan", "--json").out)["accounts"]] == ["default"]
    refused = run("apply", "--account", "nz")
    assert refused.code == 2
    assert 'account "nz" is the same account at Sinch as "default"' in refused.err


def test_broken_flow_keeps_nobody_from_planning(run, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/broken.yaml").write_text(BROKEN_FLOW)
    assert run("plan").code == 0


def test_without_a_project_file_there_is_one_line(run, tmp_path):
    (tmp_path / "sinchflow.yaml").unlink()
    refused = run("plan")
    assert refused.code == 3
    assert refused.err.startswith("sinchflow: there is no sinchflow.yaml in ")


def test_colours_are_for_terminals_that_want_them(run, monkeypatch):
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = []
    for name, value in (("TERM", "xterm-256color"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
        screen = Screen()
        monkeypatch.setattr(sys, "stdout", screen)
        run("plan", "--account", "default")
        shown.append(screen.getvalue())
    assert "\x1b[32m  + inbound   create " in shown[0]
    assert "\x1b" not in shown[1]


@pytest.mark.parametrize(
    "name", ["plan", "apply", "drift", "destroy", "keys", "keys create", "keys list", "keys rotate"]
)
def test_help_teaches_with_an_example(run, name):
    shown = run(*name.split(), "--help")
    assert shown.code == 0
    assert "Example" in shown.out.split("Options:")[0]


def test_apply_finds_the_daemon_at_its_public_address(run, sim, tmp_path, monkeypatch):
    settings = (tmp_path / "sinchflow.yaml").read_text()
    settings = settings.replace('"http://127.0.0.1:9/sms"', '"{{ env.PUBLIC_URL }}"') + "env: [PUBLIC_URL]\n"
    (tmp_path / "sinchflow.yaml").write_text(settings)
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:9")
    command = [sys.executable, "-m", "sinchflow", "run", "--port", "0", "--admin-port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            next(line for line in daemon.stderr if json.loads(line)["event"] == "ready")
            port = json.loads((tmp_path / ".sinchflow/daemon.json").read_text())["port"]
            monkeypatch.setenv("PUBLIC_URL", f"http://127.0.0.1:{port}")
            good = run("apply")
            monkeypatch.setenv("SINCHFLOW_SECRET_HOOK_SECRET", "another-secret")
            bad = run("apply", "--account", "nz")
        finally:
            daemon.kill()
    assert good.code == 0
    assert good.out.count("  ok: the daemon answers\n") == 6
    assert bad.code == 1
    assert bad.out.count("FAILED: the header X-Sinchflow-Secret holds another secret than the daemon's") == 3
