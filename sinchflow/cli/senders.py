"""`sinchflow senders`: what the account may send from."""

import sys
from collections.abc import Sequence
from typing import Any

import typer

from sinchflow.cli.invocation import AsJson, OneAccount, root_of
from sinchflow.cli.output import print_json, table


def senders(context: typer.Context, account: OneAccount = "default", as_json: AsJson = False) -> None:
    """List the numbers and names that the account may send from.

    The default is `source_number` of sinchflow.yaml: Sinch does not tell the account's own.

    \b
    Examples:
      sinchflow senders
      sinchflow senders --account nz --json
    """
    from sinchflow.cli.provider import Provider, reach
    from sinchflow.sinch.senders import gather_senders

    connection = Provider(root_of(context)).connection(account)
    default = connection.source_number
    found = reach(connection, lambda calls: gather_senders(calls, default))
    if as_json:
        print_json(found)
        return
    listed = found["senders"]
    print(_table(listed) if listed else "the account has no numbers or names to send from; Sinch chooses the sender")
    if default is not None and not any(sender["is_default"] for sender in listed):
        print(
            f"sinchflow: source_number {default} of account {account} is not among them: "
            "Sinch may refuse messages from it, or send them from another number",
            file=sys.stderr,
        )


def _table(listed: Sequence[dict[str, Any]]) -> str:
    rows = (
        (
            sender["number"],
            sender["label"],
            sender["type"],
            sender["display_type"],
            "yes" if sender["mms_capable"] else "no",
            sender["number_status"],
            "default" if sender["is_default"] else "",
        )
        for sender in listed
    )
    return table(("number", "label", "type", "source", "MMS", "status", "default"), rows)
