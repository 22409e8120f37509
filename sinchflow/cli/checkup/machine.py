"""The machine: versions, time zones, limits on open files and on watches."""

import platform
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from sinchflow import __version__
from sinchflow.cli.checkup.finding import Finding, fail, ok, warn

#: sqlite.org: a bug that could lose what a write-ahead log held was mended in this version (design.md section 4).
_LEAST_SQLITE = (3, 51, 3)
_LEAST_FILES = 1_024
#: The daemon watches the project's few folders; others on the machine share the limit.
_LEAST_WATCHES = 8_192
_LEAST_WATCHERS = 16
_INOTIFY = Path("/proc/sys/fs/inotify")


def versions() -> Iterator[Finding]:
    """Of Python, SQLite and ourselves."""
    import apsw

    library = apsw.sqlite_lib_version()
    words = f"sinchflow {__version__}, Python {platform.python_version()}, SQLite {library}, {platform.system()}"
    if tuple(map(int, library.split("."))) < _LEAST_SQLITE:
        least = ".".join(map(str, _LEAST_SQLITE))
        yield fail("versions", f"{words}: this SQLite can lose data", f"install an `apsw` with SQLite {least} or newer")
    else:
        yield ok("versions", words)


def zones(timezone: str) -> Iterator[Finding]:
    """Whether time zones are known. timezone: the project's."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    for name in dict.fromkeys((timezone, "Australia/Sydney", "America/New_York")):
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError, ValueError):
            yield fail("time zones", f"{name} is not known here", "install the package tzdata: `pip install tzdata`")
            return
    yield ok("time zones", f"known; the project's is {timezone}")


def open_files() -> Iterator[Finding]:
    """Each connection is an open file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _LEAST_FILES:
        yield ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"up to {soft}")
    else:
        most = "any number" if hard == resource.RLIM_INFINITY else str(hard)
        yield warn(
            "open files",
            f"only {soft} at once: webhooks that come together are refused",
            f"raise it to {_LEAST_FILES} or more, up to {most} here: LimitNOFILE= of the unit, or `ulimit -n`",
        )


def watches(folder: Path = _INOTIFY) -> Iterator[Finding]:
    """What the system lets us watch for changed files. folder: where Linux says it."""
    if not sys.platform.startswith("linux"):
        return
    for file, least, what in (
        ("max_user_watches", _LEAST_WATCHES, "folders watched"),
        ("max_user_instances", _LEAST_WATCHERS, "programs that watch"),
    ):
        try:
            most = int((folder / file).read_text())
        except (OSError, ValueError):
            continue  # not told in this container
        if most < least:
            yield warn(
                "file watches",
                f"at most {most} {what} per user: changed flows may go unseen",
                f"`sysctl fs.inotify.{file}={least}`, or reload with SIGHUP",
            )
            return
    yield ok("file watches", "enough for reloading changed flows")
