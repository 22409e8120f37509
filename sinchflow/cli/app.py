"""The command line: one file per command, wired together with typer.

Knows nothing of what the commands do. Only the file of the command that is asked for is imported, and each command
imports what it needs when it is called, so that the command line answers at once.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from sinchflow.cli.invocation import Invocation
from sinchflow.errors import UsageError


class Command(NamedTuple):
    """A command: its name, what it does in a few words, and where it is. A group of commands is built by `build`."""

    name: str
    help: str
    module: str
    function: str

    @property
    def is_group(self) -> bool:
        """Whether it has commands of its own."""
        return self.function == "build"


#: In the order of `--help`.
COMMANDS = (
    Command("init", "Write a new project.", "init", "init"),
    Command("validate", "Find mistakes before they run.", "validate", "validate"),
    Command("explain", "What a finding means.", "explain", "explain"),
    Command("test", "Play the transcript tests.", "test", "play"),
    Command("simulate", "A phone in the terminal; no daemon, virtual time.", "simulate", "simulate"),
    Command("record", "A real run as a transcript test.", "record", "record"),
    Command("replay", "A real run against the flows of today.", "record", "replay"),
    Command("dev", "Try the flows; nothing leaves the machine.", "dev", "dev"),
    Command("run", "Run the daemon, connected to Sinch.", "run", "run"),
    Command("status", "How the daemon is; what needs a hand.", "status", "status"),
    Command("pause", "Stop all sends at once.", "pause", "pause"),
    Command("resume", "Let sends leave again.", "pause", "resume"),
    Command("doctor", "What is wrong with this machine and project.", "doctor", "doctor"),
    Command("backup", "A consistent copy of the journal.", "backup", "backup"),
    Command("restore", "Put a backup back, and go on from it.", "restore", "restore"),
    Command("start", "Start a flow by hand.", "start", "start"),
    Command("flows", "The flows, and what they did lately.", "flows", "flows"),
    Command("runs", "What runs do and did; retry, cancel.", "runs", "build"),
    Command("sends", "What became of the messages.", "sends", "build"),
    Command("events", "What came in; bodies that could not be read.", "events", "build"),
    Command("why", "Why something happened, or did not.", "why", "why"),
    Command("contacts", "What is known of people; forget them.", "contacts", "build"),
    Command("texts", "How many SMS each text takes.", "texts", "texts"),
    Command("graph", "Draw a flow.", "graph", "graph"),
    Command("routes", "Where a message goes.", "routes", "routes"),
    Command("send", "Send a message.", "send", "send"),
    Command("message", "What became of a message, at Sinch.", "message", "message"),
    Command("cancel", "Take back a scheduled message.", "cancel", "cancel"),
    Command("senders", "What the account may send from.", "senders", "senders"),
    Command("opt-out", "Put numbers on Sinch's opt-out list.", "opt_out", "opt_out"),
    Command("opt-in", "Take numbers off that list.", "opt_out", "opt_in"),
    Command("opt-outs", "Which numbers opted out.", "opt_out", "opt_outs"),
    Command("plan", "What would change of the webhooks at Sinch.", "plan", "plan"),
    Command("apply", "Register the webhooks at Sinch.", "apply", "apply"),
    Command("drift", "Whether the webhooks are still as wanted.", "drift", "drift"),
    Command("destroy", "Delete our webhooks at Sinch.", "destroy", "destroy"),
    Command("keys", "Keys with which Sinch signs.", "keys", "build"),
    Command("schema", "Print the JSON Schemas, for editors.", "schema", "schema"),
    Command("version", "Print the version.", "version", "version"),
)


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line: with the one command that the arguments ask for, or with all of them."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    name = asked_for(arguments)
    for command in [each for each in COMMANDS if each.name == name] or COMMANDS:
        function = getattr(import_module(f"sinchflow.cli.{command.module}"), command.function)
        if command.is_group:
            app.add_typer(function(), name=command.name, short_help=command.help)
        else:
            app.command(command.name, short_help=command.help)(function)
    return app


def asked_for(arguments: Sequence[str]) -> str | None:
    """The command's name among the arguments: the first that is no option of `sinchflow` itself."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-C":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
        elif argument != "--debug" and not argument.startswith("-C"):
            return None
    return None


def options(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Option("-C", metavar="DIR", help="Work on the project in DIR instead of the current directory.")
    ] = Path(),
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks when something goes wrong.")] = False,
) -> None:
    """Answers customers by SMS from YAML flows kept in a Git repository.

    A project is a directory with flows in flows/*.yaml and, optionally, settings in sinchflow.yaml.

    \b
    First steps:
      sinchflow init shop          write a project
      sinchflow -C shop validate   find mistakes before they run
      sinchflow -C shop dev        try it: you text in as a customer, nothing leaves the machine
      sinchflow -C shop run        the real thing, connected to Sinch
    """
    invocation = context.ensure_object(Invocation)
    invocation.debug = debug
    if not directory.is_dir():
        problem = "is not a directory" if directory.exists() else "does not exist"
        raise UsageError(f"-C {directory}: {problem}")
    invocation.root = directory
