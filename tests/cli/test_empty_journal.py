"""A journal without anything in it, as a first start that was cut short leaves it: all commands say the same."""

import pytest


@pytest.mark.parametrize(
    "command",
    [
        ("sends", "list"), ("runs", "list"), ("events", "list"), ("contacts", "show", "+61491570156"),
        ("contacts", "suppress", "+61491570156"), ("contacts", "forget", "+61491570156"), ("why", "+61491570156"),
        ("backup", "copy"), ("restore",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_says_that_there_is_no_journal_in_an_empty_file(sinchflow, tmp_path, command):
    (tmp_path / "sinchflow.yaml").write_text("{}")
    (tmp_path / ".sinchflow").mkdir()
    (tmp_path / ".sinchflow/journal.sqlite3").touch()
    ended = sinchflow(*command)
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert ".sinchflow/journal.sqlite3: the file is empty; start the daemon, which begins one, or put" in ended.stderr
    assert (tmp_path / ".sinchflow/journal.sqlite3").read_bytes() == b""
