"""`sinchflow destroy`: takes our webhooks away from the provider."""

import json
import sys
from typing import Annotated

import typer

from sinchflow.cli.invocation import root_of
from sinchflow.errors import UsageError


def destroy(
    context: typer.Context,
    account: Annotated[
        str | None, typer.Option("--account", metavar="NAME", help="Only this account.", show_default="all")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Delete the webhooks of this deployment (by webhooks.name) at Sinch. Those of others stay.

    From then on Sinch tells nobody about inbound messages, delivery receipts and opt-outs, unless others listen.

    \b
    Examples:
      sinchflow destroy
      sinchflow destroy --account nz --yes
    """
    import msgspec

    from sinchflow.cli.apply import carry_out, exit_code, tell
    from sinchflow.cli.plan import show
    from sinchflow.cli.provider import Provider
    from sinchflow.cli.webhooks import Site, is_agreed

    site = Site(Provider(root_of(context)), account)
    sections = site.removals()
    if not as_json:
        show(site, sections)
    has_work = any(section.plan.to_do for section in sections)
    if has_work and not yes:
        if not sys.stdin.isatty():
            raise UsageError("destroy deletes webhooks: say --yes where nobody can be asked")
        if not is_agreed("Delete them?"):
            print("Nothing was deleted.", file=sys.stderr)
            raise typer.Exit(1)
    applied = carry_out(site, sections)
    if as_json:
        left = sum(change.action == "foreign" for section in sections for change in section.plan.changes)
        print(json.dumps({"accounts": msgspec.to_builtins(applied), "left": left}, ensure_ascii=False, indent=2))
    else:
        tell(applied, "Ours are gone." if has_work else "Nothing of ours is there.")
    if code := exit_code(applied):
        raise typer.Exit(code)
