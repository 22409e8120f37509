"""What `validate` found out before, kept on disk, so that it judges again only what has changed.

Kept by the digest of each file's bytes, and as a whole by the program's own state and the settings that flows are
judged by. A file that is missing, of another program or unreadable is the same as an empty one: nothing is kept that
could not be found out again.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

import sinchflow
from sinchflow.language.files import read_file
from sinchflow.language.judge import FileResult
from sinchflow.language.rules.rule import Settings

#: Where it is kept, from the project's root.
CACHE = ".sinchflow/cache/validate"
#: What 10,000 flows give takes a tenth; a file of more is none of ours.
_MOST_BYTES = 100_000_000
#: Forms kept; the most of them are of texts that have been changed since.
_MOST_FORMS = 200_000
#: Packages whose code decides what is found.
_DECIDING = ("language", "language/rules", "expression", "model", "schemas")


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    digest: bytes
    result: FileResult


class _Stored(msgspec.Struct, array_like=True):
    """The file. key: of the program and the settings. forms: what the schema found nothing wrong with."""

    program: str
    settings: bytes
    forms: set[bytes] = set()
    files: dict[str, _Entry] = {}


class Kept:
    """The results of earlier checks of one project; `path` is the file that they are kept in."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored = _read(path)
        self._is_changed = False

    @property
    def forms(self) -> set[bytes]:
        """Forms that the schema is known to find nothing wrong with (`forms.Forms`)."""
        return self._stored.forms

    def begin(self, settings: Settings) -> None:
        """Results that other settings gave are dropped."""
        key = hashlib.sha256(msgspec.msgpack.encode(settings, order="deterministic")).digest()
        if key != self._stored.settings:
            self._stored.settings = key
            self._stored.files = {}
            self._is_changed = True

    def find(self, name: str, digest: bytes, *, is_judged: bool) -> FileResult | None:
        """What the file gave when it had this digest. is_judged: with its findings."""
        entry = self._stored.files.get(name)
        if entry is None or entry.digest != digest or (is_judged and entry.result.findings is None):
            return None
        return entry.result

    def add(self, name: str, digest: bytes, result: FileResult) -> None:
        """Keep what a file gave; without its findings where they would not last."""
        kept = result if result.is_lasting else msgspec.structs.replace(result, findings=None)
        self._stored.files[name] = _Entry(digest, kept)
        self._is_changed = True

    def learn(self, forms: Iterable[bytes]) -> None:
        """The schema found nothing wrong with these forms either."""
        if len(self._stored.forms) > _MOST_FORMS:
            self._stored.forms.clear()
        before = len(self._stored.forms)
        self._stored.forms.update(forms)
        self._is_changed |= len(self._stored.forms) != before

    def forget_all_but(self, names: Iterable[str]) -> None:
        """Files of other names are gone."""
        gone = self._stored.files.keys() - set(names)
        for name in gone:
            del self._stored.files[name]
        self._is_changed |= bool(gone)

    def save(self) -> None:
        """Write it, if anything is new; where that cannot be done, the next check takes longer, no more."""
        if not self._is_changed:
            return
        import tempfile

        try:
            folder = self._path.parent
            folder.mkdir(parents=True, exist_ok=True)
            ignore = folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
            descriptor, written = tempfile.mkstemp(dir=folder)
            try:
                with open(descriptor, "wb") as file:
                    file.write(msgspec.msgpack.encode(self._stored))
                os.replace(written, self._path)
            except BaseException:
                os.unlink(written)
                raise
        except OSError:
            return
        self._is_changed = False


def _read(path: Path) -> _Stored:
    program = _program()
    data = read_file(path, _MOST_BYTES)
    try:
        if isinstance(data, str) or len(data) > _MOST_BYTES:
            return _Stored(program, b"")
        stored = msgspec.msgpack.decode(data, type=_Stored)
    except (msgspec.MsgspecError, ValueError):
        return _Stored(program, b"")
    return stored if stored.program == program else _Stored(program, b"")


def _program() -> str:
    """The version, and the state of the code that decides: a developer's change counts like a new version."""
    root = Path(sinchflow.__file__).parent
    found = hashlib.sha256(sinchflow.__version__.encode())
    for folder in _DECIDING:
        try:
            entries = sorted(os.scandir(root / folder), key=lambda each: each.name)
        except OSError:  # not a folder on disk
            continue
        for entry in entries:
            if entry.name.endswith((".py", ".json")):
                state = entry.stat()
                found.update(f"{entry.name} {state.st_mtime_ns} {state.st_size}\n".encode())
    return found.hexdigest()
