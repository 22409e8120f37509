"""The `sinchflow` command: wires one file per command together and turns exceptions into one line and an exit code.

Knows nothing of what the commands do. Each command imports what it needs when it is called, so that `version` and
`--help` answer at once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sinchflow.cli import (
    apply,
    cancel,
    contacts,
    destroy,
    dev,
    drift,
    init,
    keys,
    message,
    opt_out,
    plan,
    routes,
    run,
    schema,
    send,
    senders,
    sends,
    start,
    validate,
    version,
)
from sinchflow.cli.invocation import Invocation
from sinchflow.errors import SinchflowError, UsageError


def main() -> None:
    """Run the command line and exit: 0 fine, 1 findings or failures, 2 usage, 3 cannot start, 4 provider or network."""
    invocation = Invocation()
    try:
        build()(obj=invocation, prog_name="sinchflow")
    except SinchflowError as error:
        report(invocation, f"sinchflow: {error}")
        sys.exit(error.exit_code)
    except Exception as error:
        # The last resort of the process: a bug of ours must still read as one line.
        again = "" if invocation.debug else "; run with `sinchflow --debug …` for the details"
        report(invocation, f"sinchflow: internal error: {type(error).__name__}: {error}{again}")
        sys.exit(1)


def report(invocation: Invocation, line: str) -> None:
    """The error on stderr, after its traceback where `--debug` asks for one."""
    if invocation.debug:
        import traceback

        traceback.print_exc()
    print(line, file=sys.stderr)


def build() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    app.command("init", short_help="Write a new project.")(init.init)
    app.command("validate", short_help="Find mistakes before they run.")(validate.validate)
    app.command("dev", short_help="Try the flows; nothing leaves the machine.")(dev.dev)
    app.command("run", short_help="Run the daemon, connected to Sinch.")(run.run)
    app.command("start", short_help="Start a flow by hand.")(start.start)
    app.add_typer(sends.build(), name="sends", short_help="What became of the messages.")
    app.add_typer(contacts.build(), name="contacts", short_help="What is known of people; forget them.")
    app.command("routes", short_help="Where a message goes.")(routes.routes)
    app.command("send", short_help="Send a message.")(send.send)
    app.command("message", short_help="What became of a message, at Sinch.")(message.message)
    app.command("cancel", short_help="Take back a scheduled message.")(cancel.cancel)
    app.command("senders", short_help="What the account may send from.")(senders.senders)
    app.command("opt-out", short_help="Put numbers on Sinch's opt-out list.")(opt_out.opt_out)
    app.command("opt-in", short_help="Take numbers off that list.")(opt_out.opt_in)
    app.command("opt-outs", short_help="Which numbers opted out.")(opt_out.opt_outs)
    app.command("plan", short_help="What would change of the webhooks at Sinch.")(plan.plan)
    app.command("apply", short_help="Register the webhooks at Sinch.")(apply.apply)
    app.command("drift", short_help="Whether the webhooks are still as wanted.")(drift.drift)
    app.command("destroy", short_help="Delete our webhooks at Sinch.")(destroy.destroy)
    app.add_typer(keys.build(), name="keys", short_help="Keys with which Sinch signs.")
    app.command("schema", short_help="Print the JSON Schemas, for editors.")(schema.schema)
    app.command("version", short_help="Print the version.")(version.version)
    return app


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
