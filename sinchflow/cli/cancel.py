"""`sinchflow cancel`: takes back a message that is scheduled."""

import typer

from sinchflow.cli.invocation import AsJson, OneAccount, root_of
from sinchflow.cli.message import MessageId, check_id, show
from sinchflow.errors import ProviderError


def cancel(
    context: typer.Context, message_id: MessageId, account: OneAccount = "default", as_json: AsJson = False
) -> None:
    """Take back a message that is scheduled for later, and show it as it is then.

    \b
    Example:
      sinchflow cancel 877c19ef-fa2e-4cec-827a-e1df9b5509f7
    """
    from sinchflow.cli.provider import Provider, reach
    from sinchflow.model.message import as_message
    from sinchflow.sinch.failure import CallFailed
    from sinchflow.sinch.messages import cancel_message

    check_id(message_id)
    connection = Provider(root_of(context)).connection(account)
    try:
        cancelled = reach(connection, lambda calls: cancel_message(calls, message_id))
    except ProviderError as error:
        if isinstance(error.__cause__, CallFailed) and error.__cause__.status == 400:
            words = "only a message that is still scheduled can be taken back: see `sinchflow message`"
            raise ProviderError(f"{error}; {words}") from error.__cause__
        raise
    show(as_message(cancelled), as_json=as_json)
