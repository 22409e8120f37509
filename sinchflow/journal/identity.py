"""Whose file it is: what the header of a journal says of the program and the release that wrote it."""

from pathlib import Path

import apsw

from sinchflow.errors import CannotStart

#: "SNCH": written into the file's header, so that another program's database is never mistaken for a journal.
APPLICATION_ID = 0x534E4348
#: The schema that this release writes.
SCHEMA_VERSION = 3


def refuse_empty(connection: apsw.Connection, path: Path) -> None:
    """Raises CannotStart when there is nothing in the file, as when a first start was cut short."""
    if connection.execute("SELECT count(*) FROM sqlite_schema").get == 0 and not connection.pragma("application_id"):
        raise nothing_in(path)


def nothing_in(path: Path) -> CannotStart:
    """What all commands say of a file without anything in it. The daemon begins a journal in it."""
    return CannotStart(
        f"no journal at {path}: the file is empty; start the daemon, which begins one, or put a backup in its place "
        "with `sinchflow restore`"
    )


def refuse_foreign(connection: apsw.Connection, path: Path) -> None:
    """Raises CannotStart when the file is another program's, or of a newer release than this one."""
    application_id = connection.pragma("application_id")
    is_empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if application_id != APPLICATION_ID and not (is_empty and application_id == 0):
        raise CannotStart(f"{path} belongs to another program: name another folder with --data")
    version = connection.pragma("user_version")
    if version > SCHEMA_VERSION:
        raise CannotStart(
            f"journal {path} was written by a newer sinchflow (schema {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade sinchflow, or restore a backup from before the upgrade"
        )
