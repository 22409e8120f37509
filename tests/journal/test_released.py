"""Journals that earlier releases left in the middle of everything are upgraded in place, whole or not at all."""

import asyncio
import contextlib
import io
import shutil
from datetime import UTC, datetime
from pathlib import Path

import apsw
import apsw.shell
import pytest

from sinchflow.errors import CannotStart, JournalError
from sinchflow.journal.reader import open_reader
from sinchflow.journal.sqlite import FILE_NAME, SCHEMA_VERSION, SqliteJournal

DATA = Path(__file__).parent / "data"
RELEASED = sorted(int(path.stem.removeprefix("schema-")) for path in DATA.glob("schema-*.sql"))
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def lay(folder: Path, version: int) -> Path:
    """The journal that a release of this schema left in the folder."""
    folder.mkdir(exist_ok=True)
    path = folder / FILE_NAME
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.execute((DATA / f"schema-{version}.sql").read_text())
    return path


def contents(path: Path) -> dict[str, list[tuple]]:
    """All rows by table."""
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: list(connection.execute(f'SELECT * FROM "{name}"')) for name in tables}


def dump(path: Path) -> str:
    text = io.StringIO()
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        apsw.shell.Shell(stdout=text, db=connection).process_command(".dump")
    return "\n".join(line for line in text.getvalue().splitlines() if not line.startswith("--"))


def version_of(path: Path) -> int:
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        return connection.pragma("user_version")


def opened(folder: Path, look=lambda journal: None):
    """What `look` gives of the journal, opened and closed by the daemon of today."""

    async def scenario():
        journal = SqliteJournal(folder, asyncio.get_running_loop())
        try:
            return look(journal)
        finally:
            journal.close()

    return asyncio.run(scenario())


def test_every_schema_before_this_one_has_its_journal():
    assert list(range(1, len(RELEASED) + 1)) == RELEASED
    assert RELEASED[-1] >= SCHEMA_VERSION - 1


@pytest.mark.parametrize("version", RELEASED)
def test_everything_is_there_after_the_upgrade(tmp_path, version):
    path = lay(tmp_path, version)
    before = contents(path)
    identity = dict(before["meta"])["identity"]
    assert opened(tmp_path, lambda journal: journal.identity) == identity
    after = contents(path)
    assert version_of(path) == SCHEMA_VERSION
    for table in before.keys() - {
        "meta",
        "call",
        "run_of",
    }:  # calls of long ago are deleted, runs filed when there is time
        width = len(before[table][0]) if before[table] else None
        assert [row[:width] for row in after[table]] == before[table]
    assert dict(before["meta"]) == {name: dict(after["meta"])[name] for name, _ in before["meta"]} | (
        {"filed_to": "0"} if version >= 2 else {}
    )


@pytest.mark.parametrize("version", RELEASED)
def test_what_was_under_way_is_read_as_it_was_left(tmp_path, version):
    path = lay(tmp_path, version)
    before = contents(path)

    def look(journal):
        snapshot = journal.load(LONG_AGO)
        return (
            [(run.id, run.flow, run.contact) for run in snapshot.runs],
            [(send.id, send.state) for send in snapshot.sends],
            [event.id for event in journal.unrouted(0, 10)],
            [(contact.number, contact.values) for contact in journal.contacts(10)],
            [(each.number, each.source) for each in journal.suppressed()],
            journal.new_id(),
        )

    runs, sends, unrouted, people, suppressed, new_id = opened(tmp_path, look)
    assert runs == [(row[0], row[1], row[3]) for row in before["run"] if row[5] == "running"] != []
    assert sends == [(row[0], row[5]) for row in before["send"] if row[6]] != []
    assert {state for _, state in sends} == {"sending", "queued"}
    assert unrouted == [row[0] for row in before["unrouted"]] != []
    assert [number for number, _ in people] == [row[0] for row in before.get("contact", ())]
    assert suppressed == [(row[0], row[2]) for row in before.get("suppression", ())]
    assert new_id > max(row[0] for table in ("event", "run", "send", "call", "quarantine") for row in before[table])


@pytest.mark.parametrize("version", RELEASED)
def test_second_opening_changes_nothing(tmp_path, version):
    path = lay(tmp_path, version)
    opened(tmp_path)
    once = dump(path)
    opened(tmp_path)
    assert dump(path) == once


@pytest.mark.parametrize("version", RELEASED)
def test_upgraded_journal_has_the_schema_of_a_new_one(tmp_path, version):
    def schema(path: Path) -> set[tuple]:
        with contextlib.closing(apsw.Connection(str(path))) as connection:
            return set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"))

    (tmp_path / "new").mkdir()
    path = lay(tmp_path, version)
    opened(tmp_path)
    opened(tmp_path / "new")
    assert schema(path) == schema(tmp_path / "new" / FILE_NAME)


@pytest.mark.parametrize("version", [each for each in RELEASED if each < SCHEMA_VERSION])
def test_upgrade_that_is_killed_before_any_statement_is_made_up_for(tmp_path, version):
    """What the disk holds at each moment of an upgrade is the old journal as it was, or one of a later schema."""
    path = lay(tmp_path / "work", version)
    before = dump(path)
    moments: list[Path] = []

    def copy(_cursor, _statement, _bindings):
        moments.append(tmp_path / f"{len(moments)}")
        names = [name for name in (FILE_NAME, f"{FILE_NAME}-wal") if (path.parent / name).exists()]
        moments[-1].mkdir()
        for name in names:
            shutil.copyfile(path.parent / name, moments[-1] / name)
        return True

    def arm(connection):
        connection.exec_trace = copy

    apsw.connection_hooks.append(arm)
    try:
        opened(path.parent)
    finally:
        apsw.connection_hooks.remove(arm)
    wanted = contents(path)
    versions = []
    for folder in moments:
        versions.append(version_of(folder / FILE_NAME))
        if versions[-1] == version:
            assert dump(folder / FILE_NAME) == before
        opened(folder)
        found = contents(folder / FILE_NAME)
        assert found.keys() == wanted.keys()
        for table in found.keys() - {"meta", "run_of"}:  # a salt is drawn by each upgrade, runs are filed in time
            assert found[table] == wanted[table]
    assert sorted(versions) == versions
    assert set(versions) == set(range(version, SCHEMA_VERSION + 1))
    assert versions.count(version) > 5


@pytest.mark.parametrize("version", RELEASED)
def test_journal_of_a_newer_release_is_refused_and_left_as_it_was(tmp_path, version):
    path = lay(tmp_path, version)
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.pragma("user_version", SCHEMA_VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(CannotStart) as refused:
        opened(tmp_path)
    assert str(refused.value) == (
        f"journal {path} was written by a newer sinchflow (schema {SCHEMA_VERSION + 1}, this one knows "
        f"{SCHEMA_VERSION}): upgrade sinchflow, or restore a backup from before the upgrade"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [each for each in RELEASED if each < SCHEMA_VERSION])
def test_reading_what_an_earlier_schema_does_not_have_says_what_to_do(tmp_path, version):
    path = lay(tmp_path, version)
    reader = open_reader(path)
    assert len(reader.sends((), 100)) == len(contents(path)["send"])
    with pytest.raises(JournalError, match="it is of an earlier release: start the daemon once"):
        reader.note(1)
    reader.close()
    assert version_of(path) == version
