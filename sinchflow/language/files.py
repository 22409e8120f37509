"""Which files belong to a project, and their bytes; whatever stands in the way of reading one is a finding."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from sinchflow.errors import UsageError
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.document import MAX_BYTES
from sinchflow.language.settings import PROJECT_FILE
from sinchflow.model.origin import Origin

#: What tells one state of a file from another; None: there is none.
Stamp = tuple[int, int, int] | None

_ENDINGS = (".yaml", ".yml")
#: What stands in a name for a byte that is not UTF-8.
_NO_TEXT = re.compile("[\ud800-\udfff]")
_UNNAMED = "has a name that is not UTF-8: rename it"
#: How the names of transcript tests end.
TESTS = (".test.yaml", ".test.yml")
#: Where the flows of a project stand.
FLOWS = "flows"


def is_project(root: Path) -> bool:
    """Whether the folder is a project: has `sinchflow.yaml` or `flows`."""
    return any(os.path.lexists(root / name) for name in (PROJECT_FILE, FLOWS))


def no_project(root: Path) -> UsageError:
    """What to tell whoever wants to work with a project where there is none."""
    words = f"there is neither {PROJECT_FILE} nor {FLOWS}/; begin with `sinchflow init`"
    return UsageError(f"no project in {root.resolve()}: {words}")


def flow_files(folder: Path, ancestors: tuple[Path, ...] = ()) -> Iterator[Path | tuple[Path, str]]:
    """Flow files below a folder in order of their names; a pair of path and reason where one cannot be taken.

    Files and folders whose name begins with a dot, transcript tests, and folders that are projects of their own are
    passed over. Links to folders are followed, but not back into a folder that they stand in.
    """
    try:
        real = folder.resolve(strict=True)
        children = sorted(folder.iterdir())
    except OSError as error:
        yield folder, _reason(error)
        return
    if real in ancestors:
        yield folder, "is a link that leads back to a folder around it"
        return
    for child in children:
        if child.name.startswith("."):
            continue
        if _NO_TEXT.search(child.name):
            yield child, _UNNAMED
        elif os.path.isdir(child):
            if child.name.endswith(_ENDINGS):
                yield child, "is a folder, but its name is that of a flow file"
            elif not os.path.lexists(child / PROJECT_FILE):
                yield from flow_files(child, (*ancestors, real))
        elif child.name.endswith(_ENDINGS) and not child.name.endswith(TESTS):
            yield child


def named_files(root: Path, paths: Sequence[Path]) -> Iterator[Path | tuple[Path, str]]:
    """The files that `paths` mean: a file itself, of a folder its flow files; no transcript tests.

    Relative paths begin at `root`.
    """
    for path in paths:
        whole = root / path
        if os.path.isdir(whole):
            yield from flow_files(whole)
        elif _NO_TEXT.search(whole.name):
            yield whole, _UNNAMED
        elif not whole.name.endswith(TESTS):
            yield whole


def read_file(path: Path, most: int = MAX_BYTES) -> bytes | str:
    """The file's bytes, one more than is allowed at most; or why it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return "is not a regular file"
            return file.read(most + 1)
    except OSError as error:
        return _reason(error)


def stamp_of(path: Path) -> Stamp:
    """The state of the file at this path; None where there is no regular file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # a zero byte in a path is a ValueError
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def names_beside(path: Path) -> list[str]:
    """The names in the file's folder; none where there is no such folder."""
    try:
        return os.listdir(path.parent)
    except (OSError, ValueError):
        return []


def cannot_take(file: str, reason: str) -> Diagnostic:
    """The finding for a file that is no readable flow file."""
    return finding(Origin(file, 1, 1), "file", f"{file} {reason}")


def shown_name(root: Path, path: Path) -> str:
    """The file's name as findings show it: from the project's root, or whole when it is outside."""
    absolute = Path(os.path.abspath(path))
    base = Path(os.path.abspath(root))
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else absolute.as_posix()


def _reason(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"
