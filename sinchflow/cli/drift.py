"""`sinchflow drift`: whether the webhooks at the provider are still what the project wants."""

import json
from typing import Annotated

import typer

from sinchflow.cli.invocation import root_of


def drift(
    context: typer.Context,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Only this account.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """List, field by field, what of our webhooks at Sinch is not as the project wants it. Changes nothing.

    The daemon does the same every `webhooks.drift_every`. Exit code 0 when all is as wanted, 1 when something differs.

    \b
    Examples:
      sinchflow drift
      sinchflow drift --account nz --json
    """
    from sinchflow.cli.provider import Provider
    from sinchflow.cli.webhooks import Site
    from sinchflow.deploy.drift import drift_lines

    site = Site(Provider(root_of(context)), account)
    found = {section.plan.account: drift_lines(section.plan, site.mask) for section in site.plans()}
    has_drifted = any(found.values())
    if as_json:
        accounts = [{"account": name, "differences": lines} for name, lines in found.items()]
        print(json.dumps({"accounts": accounts}, ensure_ascii=False, indent=2))
    else:
        for name, lines in found.items():
            print("\n".join([f"account {name}", *(f"  {line}" for line in lines or ["all is as wanted"])]))
        if has_drifted:
            print("See `sinchflow plan`, mend with `sinchflow apply`.")
    if has_drifted:
        raise typer.Exit(1)
