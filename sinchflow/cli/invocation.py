"""What the global options say, handed from `main` to the command that was asked for."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

#: Options that commands about one account of the provider's share.
OneAccount = Annotated[str, typer.Option("--account", metavar="NAME", help="Which account of the project.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


#: The largest id that a journal can hold.
_LARGEST_ID = 2**63 - 1


def an_id(written: str) -> int:
    """The id of a run, a message or an event, as an argument names it."""
    if not (written.isascii() and written.isdecimal() and 0 < int(written[:20]) <= _LARGEST_ID and len(written) <= 19):
        raise typer.BadParameter(f'"{written}" is no id: an id is a whole number, as the `list` commands show it')
    return int(written)


class Invocation:
    """The global options of one command line."""

    def __init__(self) -> None:
        self.root = Path()
        self.debug = False


def root_of(context: typer.Context) -> Path:
    """The project's directory: `-C DIR`, else the current one."""
    return context.ensure_object(Invocation).root


def data_folder_of(context: typer.Context, data: Path | None) -> Path:
    """Where the project's daemon keeps its state: `--data`, else `.sinchflow` in the project."""
    return root_of(context) / ".sinchflow" if data is None else data


def who() -> str:
    """Who uses the command, for the journal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
