"""Journals that are none, or no more: every command says so in one line, and leaves another program's file alone.

Each strange thing is put where the journal belongs, then each command that looks there is run on a copy of it.
"""

import hashlib
import os
import random
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import apsw
import msgspec

from sinchflow.journal.identity import APPLICATION_ID
from sinchflow.journal.sqlite import FILE_NAME
from tests.cli import forking
from tests.proof import _machine
from tests.proof._ledger import Conversations, Ledger
from tests.proof._scenes import opened
from tests.proof.dose import Dose, Figure, exactly

SETTINGS = """\
base_url: "http://127.0.0.1:9"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-test}
"""
FLOW = "name: hours\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: Hi}]\n"
#: What is looked at or changed by commands, without a daemon. `run` finds its port taken when the journal is good.
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "doctor": ("doctor",),
    "runs": ("runs", "list"),
    "run": ("run", "--admin-port", "0", "--port"),
    "sends": ("sends", "list"),
    "events": ("events", "list"),
    "quarantine": ("events", "list", "--quarantined"),
    "contacts": ("contacts", "show", "+61491570156"),
    "suppress": ("contacts", "suppress", "+61491570156"),
    "forget": ("contacts", "forget", "+61491570156"),
    "why": ("why", "+61491570156"),
    "backup": ("backup", "b"),
    "restore": ("restore",),
}
Spoil = Callable[[Path, random.Random], None]


class Strange(msgspec.Struct, frozen=True, kw_only=True):
    """spoil: makes it of a good data folder. is_foreign: no byte of it may change. words: in each refusal."""

    spoil: Spoil
    is_foreign: bool = False
    words: tuple[str, ...] = ()


def _file(content: bytes) -> Spoil:
    def spoil(data: Path, _chance: random.Random) -> None:
        _nothing(data)
        (data / FILE_NAME).write_bytes(content)

    return spoil


def _nothing(data: Path) -> None:
    for path in data.glob("journal*"):
        path.unlink()


def _directory(data: Path, _chance: random.Random) -> None:
    _nothing(data)
    (data / FILE_NAME).mkdir()


def _of_another(data: Path, _chance: random.Random) -> None:
    """As a program at work on it was killed: with a log."""
    _nothing(data)
    other = data.with_name("other")
    other.mkdir()
    connection = apsw.Connection(str(other / FILE_NAME))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE invoices (id, total); INSERT INTO invoices VALUES (1, 99)")
    for end in ("", "-wal"):
        shutil.copy(other / f"{FILE_NAME}{end}", data / f"{FILE_NAME}{end}")
    connection.close()
    shutil.rmtree(other)


def _newer(data: Path, _chance: random.Random) -> None:
    _nothing(data)
    connection = apsw.Connection(str(data / FILE_NAME))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99; CREATE TABLE future (x)")
    connection.close()


def _cut(data: Path, chance: random.Random) -> None:
    os.truncate(data / FILE_NAME, chance.randrange(100, (data / FILE_NAME).stat().st_size))


def _scratched(end: str, first: int, count: int) -> Spoil:
    """So many bytes somewhere after the first so many are others."""

    def spoil(data: Path, chance: random.Random) -> None:
        path = data / f"{FILE_NAME}{end}"
        content = bytearray(path.read_bytes())
        for _ in range(count):
            content[chance.randrange(first, len(content))] ^= chance.randrange(1, 256)
        path.write_bytes(content)

    return spoil


def _without_log(data: Path, _chance: random.Random) -> None:
    (data / f"{FILE_NAME}-wal").unlink()


def _beside(end: str, content: bytes | None) -> Spoil:
    def spoil(data: Path, _chance: random.Random) -> None:
        path = data / (end if end == "lock" or "." in end else f"{FILE_NAME}{end}")
        path.unlink(missing_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)

    return spoil


THINGS = {
    "zero bytes": Strange(spoil=_file(b""), words=("empty", "no journal")),
    "text": Strange(spoil=_file(b"these are not the bytes of a database\n" * 200), is_foreign=True),
    "a directory": Strange(spoil=_directory),
    "of another program": Strange(spoil=_of_another, is_foreign=True, words=("belongs to another program",)),
    "of a newer release": Strange(spoil=_newer, is_foreign=True, words=("newer sinchflow", "this release knows")),
    "cut": Strange(spoil=_cut),
    "header scratched": Strange(spoil=_scratched("", 0, 40)),
    "pages scratched": Strange(spoil=_scratched("", 100, 4_000)),
    "log scratched": Strange(spoil=_scratched("-wal", 32, 200)),
    "log's header scratched": Strange(spoil=_beside("-wal", b"\xff" * 5_000)),
    "without its log": Strange(spoil=_without_log),
    "log is a directory": Strange(spoil=_beside("-wal", None)),
    "shared memory is garbage": Strange(spoil=_beside("-shm", b"\xa5" * 32_768)),
    "shared memory is a directory": Strange(spoil=_beside("-shm", None)),
    "lock is a directory": Strange(spoil=_beside("lock", None)),
    "daemon.json is empty": Strange(spoil=_beside("daemon.json", b"")),
    "daemon.json is garbage": Strange(spoil=_beside("daemon.json", b"\x00\xff[")),
}


def prove(dose: Dose) -> Iterable[Figure]:
    """Every thing with every command; those that chance makes more often."""
    forking.load()
    ground = _Ground(dose.folder, random.Random(dose.seed))
    count, faults = 0, {}
    for again in range(dose.times(5)):
        for name, thing in THINGS.items():
            for wrong in ground.meet(name, thing):
                faults[f"{name} {again}: {wrong}"] = True
            count += len(COMMANDS)
            dose.say(f"{name}, time {again + 1}: {len(faults)} faults")
    yield Figure(name="commands that met a strange journal", value=count)
    yield exactly("of them without one clear line, or that changed what is not ours", len(faults))
    for fault in list(faults)[:20]:
        yield Figure(name="fault", value=fault)


class _Ground:
    """A project with a data folder as a killed daemon leaves it, and a port that is taken."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self._chance = chance
        self._folder = folder
        project = self._good = folder / "good"
        (project / "flows").mkdir(parents=True)
        (project / "flows/hours.yaml").write_text(FLOW)
        (project / "sinchflow.yaml").write_text(SETTINGS)
        data = project / ".sinchflow"

        async def talk(journal: object) -> None:
            await Conversations(Ledger(), chance).hold(journal, 30)  # type: ignore[arg-type]
            shutil.copytree(data, folder / "killed", ignore=shutil.ignore_patterns("*-shm"))

        opened(data, talk)
        shutil.rmtree(data)
        (folder / "killed").rename(data)
        self._listener = socket.create_server(("127.0.0.1", 0))

    def meet(self, name: str, thing: Strange) -> Iterator[str]:
        """What is wrong with how the commands meet it."""
        spoiled, project = self._folder / "spoiled", self._folder / "project"
        shutil.copytree(self._good, spoiled)
        thing.spoil(spoiled / ".sinchflow", self._chance)
        before = _digests(spoiled / ".sinchflow")
        for command, arguments in COMMANDS.items():
            shutil.copytree(spoiled, project)
            code, out, err = self._run(project, arguments)
            words = f"{command} ({code}) {err.strip() or out.strip()}"[:300]
            if code not in (0, 1, 3, 4) or "internal error" in out + err or "Traceback" in out + err:
                yield words
            elif err.count("\n") > 1 or (code and not err + out):
                yield f"not one line: {words}"
            if thing.is_foreign and {**_digests(project / ".sinchflow"), **before} != _digests(project / ".sinchflow"):
                yield f"changed: {words}"
            if thing.words and code and command != "run" and not any(each in out + err for each in thing.words):
                yield f"other words: {words}"
            shutil.rmtree(project)
        shutil.rmtree(spoiled)

    def _run(self, project: Path, arguments: tuple[str, ...]) -> tuple[int, str, str]:
        port = (str(self._listener.getsockname()[1]),) if arguments[-1] == "--port" else ()
        out, err = self._folder / "out", self._folder / "err"

        def command() -> None:
            from sinchflow.cli.main import main

            os.chdir(project)
            os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
            sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
            sys.argv = ["sinchflow", *arguments, *port]
            try:
                main()
            except SystemExit as end:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(end.code if isinstance(end.code, int) else 1)

        code = _machine.play(command, err, patience_s=20)
        return code, out.read_text(errors="replace"), err.read_text(errors="replace")


def _digests(data: Path) -> dict[str, str]:
    """Of the journal's files; its shared memory is nobody's."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in data.glob("journal*")
        if path.is_file() and not path.name.endswith("-shm")
    }
