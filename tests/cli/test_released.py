"""Commands that only look, on journals that earlier releases left (tests/journal/data), with no daemon there."""

import contextlib
import json
from pathlib import Path

import apsw
import pytest

DATA = Path(__file__).parents[1] / "journal/data"
RELEASED = sorted(int(path.stem.removeprefix("schema-")) for path in DATA.glob("schema-*.sql"))


@pytest.fixture
def left(tmp_path):
    """Puts the journal that a release of a schema left into its place."""

    def lay(version: int) -> Path:
        path = tmp_path / ".sinchflow/journal.sqlite3"
        path.parent.mkdir()
        with contextlib.closing(apsw.Connection(str(path))) as journal:
            journal.execute((DATA / f"schema-{version}.sql").read_text())
        (tmp_path / "flows").mkdir()
        return path

    return lay


@pytest.mark.parametrize("version", RELEASED)
@pytest.mark.parametrize(
    ("command", "codes"), [("status", {1, 3}), ("flows", {0}), ("sends list", {0}), ("runs list", {0})]
)
def test_journal_is_shown_as_it_is(sinchflow, left, version, command, codes):
    path = left(version)
    before = path.read_bytes()
    shown = sinchflow(*command.split(), "--json")
    assert shown.returncode in codes
    assert shown.stderr == ""
    assert isinstance(json.loads(shown.stdout), dict)
    assert path.read_bytes() == before


def test_what_it_does_not_have_yet_says_what_to_do(sinchflow, left):
    path = left(1)
    refused = sinchflow("contacts", "list")
    assert refused.stdout == ""
    assert refused.stderr == (
        f"sinchflow: journal {path}: it is of an earlier release: start the daemon once (no such table: contact)\n"
    )
    assert refused.returncode != 0


@pytest.mark.parametrize("command", ["sends list", "runs list", "events list", "flows", "why 1"])
def test_journal_of_a_newer_release_is_not_guessed_at(sinchflow, left, command):
    path = left(2)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    refused = sinchflow(*command.split())
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (3, "", 1)
    assert "journal.sqlite3 was written by a newer sinchflow (schema 99" in refused.stderr
