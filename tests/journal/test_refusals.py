"""What opening a journal refuses, and in which words."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from sinchflow.errors import CannotStart
from sinchflow.journal.reader import open_reader
from sinchflow.journal.sqlite import APPLICATION_ID, FILE_NAME, SCHEMA_VERSION, SqliteJournal


def opening(folder: Path) -> str:
    """Open and close a journal; the reason when it is refused."""

    async def scenario() -> None:
        SqliteJournal(folder, asyncio.get_running_loop()).close()

    try:
        asyncio.run(scenario())
    except CannotStart as refusal:
        return str(refusal)
    return ""


def database(folder: Path, *statements: str) -> None:
    connection = apsw.Connection(str(folder / FILE_NAME))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    assert opening(tmp_path / "new" / "data") == ""
    assert (tmp_path / "new" / "data" / FILE_NAME).exists()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    database(tmp_path, "CREATE TABLE invoices (id)")
    assert "belongs to another program: name another folder with --data" in opening(tmp_path)
    database(tmp_path, "SELECT * FROM invoices")


def test_a_newer_journal_is_left_alone(tmp_path: Path) -> None:
    database(tmp_path, f"PRAGMA application_id = {APPLICATION_ID}", "PRAGMA user_version = 99")
    assert f"written by a newer sinchflow (schema 99, this one knows {SCHEMA_VERSION})" in opening(tmp_path)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"these are not the bytes of a database" * 100)
    assert "is not a SQLite database: name another folder with --data" in opening(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes().startswith(b"these are not")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    assert "cannot be written" in opening(tmp_path / "data")


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc/sys").exists(), reason="needs a read-only folder")
def test_a_read_only_folder_is_refused() -> None:
    assert "cannot be written" in opening(Path("/proc/sys/sinchflow"))


def test_a_second_daemon_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import asyncio, sys, pathlib\n"
            "from sinchflow.journal.sqlite import SqliteJournal\n"
            "async def main():\n"
            f"    journal = SqliteJournal(pathlib.Path({str(tmp_path)!r}), asyncio.get_running_loop())\n"
            "    print('open', flush=True)\n"
            "    sys.stdin.read()\n"
            "    journal.close()\n"
            "asyncio.run(main())\n",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    assert f"another sinchflow daemon (pid {holder.pid}) works on the journal" in opening(tmp_path)
    holder.kill()
    holder.communicate()
    assert opening(tmp_path) == "", "the lock of a killed daemon must not stay"


def test_a_reader_says_when_there_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"no journal at .*: start the daemon once"):
        open_reader(tmp_path / FILE_NAME)
