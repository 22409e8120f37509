"""Puts a step's question to the provider, once, and says what came of it.

All of them may be repeated without harm. Whether there is another attempt is decided by `engine.backoff`, as for the
calls of `http` steps. Each call of a question waits for the account's throttle (`runtime.line`).
"""

import asyncio
from typing import Any

from sinchflow.model.command import AskProvider, Failed, Told
from sinchflow.model.event import clean_data
from sinchflow.model.message import as_message
from sinchflow.runtime.attempted import Attempted
from sinchflow.sinch.authorisation import opt_in, opt_out
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed
from sinchflow.sinch.messages import cancel_message, get_message
from sinchflow.sinch.senders import gather_senders

#: What a failed call is to `retry: {when: […]}`.
_KINDS = {"connection": "connection", "unknown": "timeout"}


async def ask_provider(calls: Calls, command: AskProvider, source_number: str | None) -> Attempted:
    """One attempt. Never raises for what the network or the provider does.

    source_number: the account's own, the default sender as far as we know it.
    """
    patience_s = None if command.expires_after is None else command.expires_after.total_seconds()
    try:
        async with asyncio.timeout(patience_s):
            data = await _answer(calls, command, source_number)
    except CallFailed as failure:
        kind = "status" if failure.status is not None else _KINDS.get(failure.kind, "status")
        failed = Failed(command=command.id, kind=kind, message=failure.message, status=failure.status)
        return Attempted(outcome=failed, retry_after=failure.retry_after)
    except TimeoutError:
        words = f"no answer from the provider within {patience_s:g} s, the wait for the account's throttle included"
        return Attempted(outcome=Failed(command=command.id, kind="timeout", message=words))
    return Attempted(outcome=Told(command=command.id, data=clean_data(data)))


async def _answer(calls: Calls, command: AskProvider, source_number: str | None) -> dict[str, Any]:
    match command.what:
        case "message":
            return as_message(await get_message(calls, command.subject))
        case "cancel":
            return as_message(await cancel_message(calls, command.subject))
        case "senders":
            return await gather_senders(calls, source_number)
        case "opt_out":
            await opt_out(calls, [command.subject])
            return {"number": command.subject, "opted_out": True}
        case "opt_in":
            await opt_in(calls, command.subject)
            return {"number": command.subject, "opted_out": False}
