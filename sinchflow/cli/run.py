"""`sinchflow run`: the daemon."""

from pathlib import Path
from typing import Annotated

import typer

from sinchflow.cli.invocation import data_folder_of, root_of

_LEVEL_VARIABLE = "SINCHFLOW_LOG_LEVEL"


def run(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option("--host", help="Where to listen for Sinch's webhooks.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="And on which port; 0 takes a free one.")
    ] = 8080,
    admin_host: Annotated[
        str, typer.Option("--admin-host", help="Where to listen for commands, /health and /metrics; keep it private.")
    ] = "127.0.0.1",
    admin_port: Annotated[
        int, typer.Option("--admin-port", min=0, max=65535, help="And on which port; 0 takes a free one.")
    ] = 8081,
    admin_name: Annotated[
        list[str] | None,
        typer.Option(
            "--admin-name",
            envvar="SINCHFLOW_ADMIN_NAME",
            metavar="NAME",
            show_default=False,
            help="A host name by which the admin port is asked (sinchflow:8081 in a compose file); may be repeated.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where the journal is kept.", show_default=".sinchflow")
    ] = None,
    log_level: Annotated[
        str, typer.Option("--log-level", envvar=_LEVEL_VARIABLE, help="debug, info, warning or error.")
    ] = "info",
    log_format: Annotated[
        str | None, typer.Option("--log-format", help="json or text.", show_default="text in a terminal, else json")
    ] = None,
    log_numbers: Annotated[
        bool, typer.Option("--log-numbers", help="Write phone numbers in full; else they are masked in the log.")
    ] = False,
) -> None:
    """Run the daemon: receive Sinch's webhooks, match flows, send messages, until SIGTERM or Ctrl-C.

    Needs `service`, `credentials` and `webhooks.token` in sinchflow.yaml. Flows are reloaded when their files change;
    one with errors keeps the old ones in service. Nothing acknowledged is lost, however the daemon ends.

    \b
    Sinch has to know where to call: `sinchflow plan` shows the webhooks that are missing, `sinchflow apply` makes them.

    Commands find the daemon through its data folder, which holds the token of the admin port. Elsewhere (from outside
    of a container) they need SINCHFLOW_ADMIN_URL, and SINCHFLOW_ADMIN_TOKEN: set for the daemon, too, it is the token.

    \b
    Examples:
      sinchflow run
      sinchflow -C shop run --port 9000 --data /var/lib/sinchflow
      sinchflow run --log-level debug --log-format json
    """
    from sinchflow.cli.admin import given_token
    from sinchflow.deploy.drift import drifted
    from sinchflow.runtime.daemon import Options, serve
    from sinchflow.runtime.logs import read_settings

    source = context.get_parameter_source("log_level")
    level_from = _LEVEL_VARIABLE if source is not None and source.name == "ENVIRONMENT" else "--log-level"
    settings = read_settings(log_level, log_format, has_numbers=log_numbers, level_from=level_from)
    data_folder = data_folder_of(context, data)
    options = Options(
        root=root_of(context), data=data_folder, host=host, port=port, admin_host=admin_host, admin_port=admin_port,
        admin_names=tuple(admin_name or ()), admin_token=given_token(),
    )  # fmt: skip
    serve(options, settings, check_drift=drifted)
