"""`sinchflow plan`: what `apply` would change at the provider."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from sinchflow.cli.invocation import root_of

if TYPE_CHECKING:
    from sinchflow.cli.webhooks import Section, Site


def plan(
    context: typer.Context,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Only this account.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 when there is something to change.")
    ] = False,
) -> None:
    """Show how the webhooks at Sinch differ from what the project wants. Changes nothing.

    One webhook per kind of event (inbound, receipts, opt-outs) at webhooks.public_url. Ours carry a header with
    webhooks.name; those of others are shown and never touched. Flows' own webhooks need nothing at Sinch: they are
    shown with their addresses and a line to try each with.

    \b
    Exit codes: 0 looked; 4 Sinch or the network refused.
    With --detailed-exitcode: 0 nothing to do, 2 changes or conflicts.

    \b
    Examples:
      sinchflow plan
      sinchflow plan --json --detailed-exitcode
    """
    from sinchflow.cli.provider import Provider
    from sinchflow.cli.webhooks import Site
    from sinchflow.deploy.flow_calls import flow_call_lines
    from sinchflow.deploy.show import plan_data
    from sinchflow.language.check import Checker

    site = Site(Provider(root_of(context)), account)
    sections = site.plans()
    if as_json:
        accounts = [plan_data(section.plan, site.mask) for section in sections]
        print(json.dumps({"accounts": accounts}, ensure_ascii=False, indent=2))
    else:
        show(site, sections)
        for line in flow_call_lines(Checker().check(root_of(context)).flows, site.hooks.public_url):
            print(line)
        if any(section.plan.to_do for section in sections):
            print("Do it with `sinchflow apply`.")
        else:
            has_conflicts = any(section.plan.conflicts for section in sections)
            print("Something is in the way, see above." if has_conflicts else "Nothing to do.")
    if detailed_exitcode and not all(section.plan.is_settled for section in sections):
        raise typer.Exit(2)


def show(site: "Site", sections: "list[Section]") -> None:
    """The plans of all accounts, one section each."""
    from sinchflow.cli.webhooks import print_lines
    from sinchflow.deploy.show import Line, plan_lines

    for section in sections:
        print_lines([Line(section.title), *plan_lines(section.plan, site.mask)])
