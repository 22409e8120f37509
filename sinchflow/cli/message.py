"""`sinchflow message`: a message at the provider, and what has become of it."""

from typing import Annotated, Any

import typer

from sinchflow.cli.invocation import AsJson, OneAccount, root_of
from sinchflow.cli.output import fields, print_json
from sinchflow.errors import UsageError

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id, as `send` and `sends list` show it.")]
#: What people ask for first.
_FIRST = ("message_id", "status", "destination_number", "source_number", "content")


def message(
    context: typer.Context, message_id: MessageId, account: OneAccount = "default", as_json: AsJson = False
) -> None:
    """Show a message as Sinch knows it, with its status. Sinch keeps messages for 45 days.

    \b
    Examples:
      sinchflow message 877c19ef-fa2e-4cec-827a-e1df9b5509f7
      sinchflow message 877c19ef-fa2e-4cec-827a-e1df9b5509f7 --json
    """
    from sinchflow.cli.provider import Provider, reach
    from sinchflow.model.message import as_message
    from sinchflow.sinch.messages import get_message

    check_id(message_id)
    connection = Provider(root_of(context)).connection(account)
    show(as_message(reach(connection, lambda calls: get_message(calls, message_id))), as_json=as_json)


def check_id(message_id: str) -> None:
    """Raises UsageError for what cannot be the id of a message."""
    import uuid

    try:
        uuid.UUID(message_id)
    except ValueError:
        raise UsageError(f'"{message_id}" is no message id: those of Sinch have 36 characters') from None


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """The message on stdout; for people without what it has not."""
    if as_json:
        print_json(found)
    else:
        print(fields({**{name: found[name] for name in _FIRST}, **found}))
