"""`sinchflow simulate` as a process: every session of tests/cases/phone, and what it shows and saves, word for word.

A session is NAME.txt, typed in the project beside it; in NAME.out stand what is shown, the exit code and the files that
it has saved. `UPDATE_CASES=1 pytest -n0 tests/cli/test_simulate.py` writes the latter anew: read what it wrote.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sinchflow.cli.typed import COMMANDS
from sinchflow.language.check import Checker
from sinchflow.simulate.play.many import Troupe
from sinchflow.simulate.play.project import TestProject

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/phone"
SESSIONS = sorted(CASES.glob("*.txt"))
PAGE = (ROOT / "docs/simulate.md").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path):
    shutil.copytree(CASES / "project", tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("session", SESSIONS, ids=lambda path: path.stem)
def test_session(session, project, sinchflow):
    typed = session.read_text(encoding="utf-8")
    done = sinchflow("simulate", "--now", "2026-12-01T09:00", stdin=typed)
    saved = sorted(project.glob("**/*.test.yaml"))
    files = "".join(f"--- {path.relative_to(project)}\n{path.read_text(encoding='utf-8')}" for path in saved)
    shown = f"{done.stdout}--- exit code {done.returncode}\n{files}"
    expected = session.with_suffix(".out")
    if os.environ.get("UPDATE_CASES"):
        expected.write_text(shown, encoding="utf-8")
    assert (shown, done.stderr) == (expected.read_text(encoding="utf-8"), "")
    assert Checker().check(project, tests=True).diagnostics == ()
    tests = TestProject(project)
    troupe = Troupe(tests)
    assert [each.failure for each in troupe.play_all([*tests.scripts()]) if each.failure] == []
    troupe.close()


def test_every_command_is_played_in_a_session():
    typed = "".join(path.read_text(encoding="utf-8") for path in SESSIONS)
    played = set(re.findall(r"^(/\S+)", typed + "/reload\n", re.MULTILINE))  # it needs files that change: test_phone.py
    assert COMMANDS.keys() - played == set()


def test_every_command_is_on_the_page():
    listed = set(re.findall(r"`(/\w+!?)", PAGE.split("| typed | does |")[1].split("\n\n")[0]))
    assert listed == {*COMMANDS, "/quit"}


def test_every_expected_output_belongs_to_a_session():
    assert {path.stem for path in CASES.glob("*.out")} == {path.stem for path in SESSIONS}


MISTAKES = [
    (("--now", "soon"), 2, "'--now': \"soon\" is no time: write it like 2026-12-01T09:00"),
    (("--contact", "12"), 2, 'sinchflow: "12" is no phone number: write it as +61491570156'),
    (("extra",), 2, "extra"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES)
def test_wrong_arguments_are_told(arguments, code, words, project, sinchflow):
    done = sinchflow("simulate", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_folder_without_a_project_is_told(tmp_path, sinchflow):
    done = sinchflow("simulate")
    assert (done.returncode, done.stdout, done.stderr) == (
        2, "", f"sinchflow: no project in {tmp_path.resolve()}: there is neither sinchflow.yaml nor flows/; begin with "
        "`sinchflow init`\n",
    )  # fmt: skip


def test_a_project_with_errors_is_refused_with_its_findings(project, sinchflow):
    (project / "flows/bad.yaml").write_text("on: inbound_sms\nsteps:\n  - replay: Hi\n")
    done = sinchflow("simulate", stdin="BOOK\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('sinchflow: the project has errors:\nflows/bad.yaml:3:5: unknown key "replay"')


def test_a_broken_test_file_keeps_nobody_from_the_phone(project, sinchflow):
    (project / "bad.test.yaml").write_text("tests: 5\n")
    assert sinchflow("simulate", stdin="TELL x\n").returncode == 0


def test_it_begins_now_in_the_projects_zone(project, sinchflow):
    done = sinchflow("simulate", stdin="hello\n")
    assert re.fullmatch(
        r"\w{3} \d\d \w{3} \d{4}\n\d\d:\d\d:00  \+61491570156 › hello\n\d\d:\d\d:00 {15}# no flow takes this message\n",
        done.stdout,
    )


def test_another_contact_and_bytes_that_are_no_text(project, sinchflow):
    done = sinchflow("simulate", "--now", "2026-12-01T09:00", "--contact", "0491 570 158", stdin="a\x00\x1b[31mb\n")
    assert done.stdout.splitlines()[1] == "09:00:00  +61491570158 › a\\u0000\\u001b[31mb"


class Terminal:
    """A process at a terminal: what is typed, and what is shown up to the next prompt."""

    def __init__(self, *command, cwd):
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", "NO_COLOR": "1"}
        master, slave = pty.openpty()
        self.process = subprocess.Popen(command, cwd=cwd, env=environ, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._master = master

    def shown(self):
        """Up to the next prompt, or the end."""
        shown = b""
        while not shown.endswith(" › ".encode()):
            try:
                shown += os.read(self._master, 65_536)
            except OSError:  # the process has left
                os.close(self._master)
                break
        return shown.decode().replace("\r\n", "\n")

    def type(self, text):
        os.write(self._master, text.encode())
        return self.shown()


def test_at_a_terminal_the_line_that_is_typed_is_the_line_of_the_chat(project):
    command = (sys.executable, "-m", "sinchflow", "simulate", "--now", "2026-12-01T09:00")
    terminal = Terminal(*command, cwd=project)
    assert (
        terminal.shown()
        == """\
sinchflow simulate  7 flows; time is virtual (Australia/Melbourne); nothing leaves this machine
  Type a text and Enter to send it; /help shows more, Ctrl-D ends.

Tue 01 Dec 2026
09:00:00  +61491570156 › """
    )
    assert terminal.type("TELL two\\\n") == "TELL two\\\n                       › "
    assert (
        terminal.type("lines\n")
        == """\
lines
09:00:00  +61491570158 ‹ +61491570156 says: two
                         lines
09:00:00               # run 2 of relay completed
09:00:00  +61491570156 › """
    )
    assert terminal.type("/name mum +61491570158\n").endswith("\n09:00:00  +61491570156 › ")
    assert terminal.type("/from mum\n") == "/from mum\n09:00:00  mum          › "
    assert (
        terminal.type("/advance 23h\n")
        == """\
/advance 23h
Wed 02 Dec 2026
07:00:00  +61491570159 ‹ Good morning
07:00:00               # run 6 of morning completed
08:00:00  mum          › """
    )
    assert terminal.type("/wat\n").splitlines()[1] == (
        "  no command /wat: /help lists them; a text that begins with / is sent as //wat"
    )
    terminal.type("\x04")
    assert terminal.process.wait() == 0


FLOW, *_ = re.findall(r"^```yaml\n# (?:\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[CONSOLE] = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_session_of_the_page_is_true(tmp_path, sinchflow):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/parking.yaml").write_text(FLOW, encoding="utf-8")
    start, rest = CONSOLE.split("\n", 1)
    session, _, files = rest.partition("$ cat ")
    typed, shown = [], []
    for line in session.splitlines():
        if line.startswith("> "):
            typed.append(line.removeprefix("> "))
        else:
            shown.append(line)
    done = sinchflow(*start.split()[2:], stdin="\n".join(typed))
    assert (done.stdout.splitlines(), done.stderr) == (shown, "")
    name, _, text = files.partition("\n")
    assert (tmp_path / name).read_text(encoding="utf-8") == text
