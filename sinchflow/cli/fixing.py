"""`sinchflow validate --fix` and `--diff`: what can be mended beyond doubt is mended in the files, or shown.

Files are replaced as a whole, so that nobody ever reads half of one, and only when they still are as they were checked.
"""

import errno
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinchflow.language.check import Checked, Checker
    from sinchflow.language.mend import Mended


def fix_files(checker: "Checker", root: Path, paths: Sequence[Path], now: datetime) -> tuple["Checked", bool]:
    """Mend the project's files, or those of `paths`, and say on stderr what was done.

    Returns what is found in them now, and whether all of them could be written.
    """
    mended, originals = _mend(checker, root, paths, now)
    failed = [name for name in mended.contents if not _replace(root, name, mended, originals[name])]
    if failed:
        return checker.check(root, paths, now, tests=True), False
    return mended.checked, True


def show_fixes(checker: "Checker", root: Path, paths: Sequence[Path], now: datetime) -> tuple["Checked", bool]:
    """Print what `fix_files` would change as a unified diff.

    Returns what would be found then, and whether there is nothing to change.
    """
    mended, originals = _mend(checker, root, paths, now)
    for name, data in mended.contents.items():
        print(_diff(name, originals[name].decode(), data.decode()), end="")
        print(f"would fix {_count(mended.counts[name])} in {name}", file=sys.stderr)
    return mended.checked, not mended.contents


def _mend(checker: "Checker", root: Path, paths: Sequence[Path], now: datetime) -> tuple["Mended", dict[str, bytes]]:
    """What mending gives, and the bytes that it began with."""
    from sinchflow.language.files import read_file
    from sinchflow.language.mend import mend

    originals: dict[str, bytes] = {}

    def read(name: str) -> bytes | None:
        data = read_file(root / name)
        return originals.setdefault(name, data) if isinstance(data, bytes) else None

    return mend(lambda contents: checker.check(root, paths, now, tests=True, instead=contents), read), originals


def _replace(root: Path, name: str, mended: "Mended", original: bytes) -> bool:
    """Write one file and say so; False when that cannot be done."""
    try:
        _write(Path(os.path.realpath(root / name)), original, mended.contents[name])
    except OSError as error:
        reason = error.strerror or str(error)
        print(f"{name} cannot be written, so nothing in it was fixed: {reason}", file=sys.stderr)
        return False
    print(f"fixed {_count(mended.counts[name])} in {name}", file=sys.stderr)
    return True


def _write(path: Path, original: bytes, data: bytes) -> None:
    """Put the bytes in the file's place at once; its owner and permissions stay."""
    status = path.stat()
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is write-protected")
    if path.read_bytes() != original:
        raise BlockingIOError(errno.EBUSY, "somebody else has changed it just now")
    descriptor, written = tempfile.mkstemp(prefix=".sinchflow-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                _give(file.fileno(), status)
            os.fsync(file.fileno())
        os.replace(written, path)
    except BaseException:
        os.unlink(written)
        raise


def _give(descriptor: int, status: os.stat_result) -> None:
    try:
        os.fchown(descriptor, status.st_uid, status.st_gid)
    except PermissionError:  # who is not root cannot give files away; the content matters more
        return


def _diff(name: str, before: str, after: str) -> str:
    """A unified diff as `patch` takes it."""
    from difflib import unified_diff

    old, new = (text.split("\n") for text in (before, after))
    lines = unified_diff(_ended(old), _ended(new), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _ended(lines: list[str]) -> list[str]:
    return [f"{line}\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])


def _count(findings: int) -> str:
    return "1 finding" if findings == 1 else f"{findings} findings"
