"""Webhook bodies in quarantine, from the shell: a real daemon, killed in between, and commands beside it."""

import json
import sqlite3
import urllib.error
import urllib.request

from tests.cli.test_operating import daemon, project, run  # noqa: F401  (a fixture)

BODIES = 55  #: more than go into one request


def post(project, body):  # noqa: F811
    """The answer's status."""
    port = json.loads((project / ".sinchflow/daemon.json").read_text())["port"]
    url = f"http://127.0.0.1:{port}/hooks/hook-token-of-the-test/inbound"
    try:
        with urllib.request.urlopen(url, data=body, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def mend(project):  # noqa: F811
    """From now on the bodies are such as this version can read; the last one is not."""
    journal = sqlite3.connect(project / ".sinchflow/journal.sqlite3")
    ids = [row[0] for row in journal.execute("SELECT id FROM quarantine ORDER BY id")]
    for number, row_id in enumerate(ids[:-1]):
        body = {"reply_id": f"r{number}", "source_address": f"+6149157{number:04}", "content": "hello"}
        journal.execute("UPDATE quarantine SET body = ? WHERE id = ?", (json.dumps(body).encode(), row_id))
    journal.commit()
    journal.close()
    return ids


def test_bodies_in_quarantine_are_read_again_or_given_up(project):  # noqa: F811
    with daemon(project):
        for number in range(BODIES):
            assert post(project, f'{{"what\x1b": {number}}}'.encode()) == 400
        for wrong, words in (
            (["reparse"], "name the bodies by id, or all of them with --all"),
            (["reparse", "5", "--all"], "not both"),
            (["reparse", "abc"], '"abc" is no id'),
            (["discard", "999999"], "say so with --yes"),
            (["discard", "999999", "--yes"], "nothing in quarantine has the id 999999"),
            (["discard", "--all"], f"this would delete {BODIES} bodies for good: say so with --yes"),
        ):
            code, out, err = run(project, "events", *wrong)
            assert (code, out) == (2, ""), wrong
            assert words in err
    ids = mend(project)
    for command in (["reparse", "--all"], ["discard", "--all", "--yes"]):
        code, out, err = run(project, "events", *command)
        assert (code, out) == (3, "")
        assert "no daemon works on" in err
    code, out, err = run(project, "events", "list", "--quarantined", "--limit", "2")  # also without a daemon
    assert (code, err.splitlines()[-1]) == (0, f"{BODIES} in all: --limit shows more")
    assert "the body is not JSON" in out
    code, out, _ = run(project, "events", "show", str(ids[-1]))
    assert code == 0
    assert '{"what\\x1b": 54}' in out  # for the terminal, nothing of it is a command
    with daemon(project):
        assert "quarantine" in run(project, "status")[1]
        assert run(project, "events", "reparse", "--all")[:2] == (
            1, f"{BODIES - 1} read, and on their way\n1 still cannot be read\n",
        )  # fmt: skip
        code, out, _ = run(project, "events", "reparse", str(ids[-1]), "--json")
        assert (code, json.loads(out)) == (
            1, {"started": 0, "too_late": 0, "known": 0, "unreadable": 1, "left": 1},
        )  # fmt: skip
        code, out, _ = run(project, "events", "list", "--json", "--limit", "1000")
        assert len(json.loads(out)["events"]) == BODIES - 1
        assert run(project, "events", "discard", "--all", "--yes") == (0, "1 deleted, 0 left\n", "")
        assert run(project, "events", "discard", "--all") == (0, "nothing is in quarantine\n", "")
        acts = json.loads(run(project, "status", "--json")[1])["acts"]
        assert [each["what"] for each in acts[:3]] == ["discard", "reparse", "reparse"]
