"""What becomes of an `http` call when nobody knows whether the other side acted on it. Pure."""

from sinchflow.engine.recovery import recover
from sinchflow.model.command import CallUrl
from sinchflow.model.flow import Flow, OnUnknownCall, Retry

#: RFC 9110 section 9.2.2.
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})
#: How a call is made again that may be, where its step has no `retry` of its own.
REPEATS = Retry(attempts=5)


def may_repeat(command: CallUrl) -> bool:
    """Whether the call does no harm twice: by its method (RFC 9110) or its `Idempotency-Key`."""
    return command.method in _IDEMPOTENT or any(name.lower() == "idempotency-key" for name in command.headers)


def on_crash(command: CallUrl) -> OnUnknownCall:
    """What becomes of a call that was under way when the daemon stopped; a `retry` of broken connections covers it."""
    is_retried = command.retry is not None and "connection" in command.retry.when
    return command.on_unknown or ("resend" if is_retried or may_repeat(command) else "hold")


def on_failure(flow: Flow, command: CallUrl) -> OnUnknownCall | None:
    """What becomes of a call that broke off or timed out; None: it has failed, and the flow goes on with that.

    The flow's author may have said what is to happen then: by `on_unknown`, by `retry`, or by an `on_error`. Else a
    call that may do harm twice is held.
    """
    if command.on_unknown is not None:
        return command.on_unknown
    if command.retry is not None or may_repeat(command) or _is_handled(flow, command.id):
        return None
    return "hold"


def _is_handled(flow: Flow, command_id: str) -> bool:
    """Whether an `on_error` takes a failure of the step that asked for the command."""
    address = command_id.split(":", 2)[1]
    recovery = recover(flow, address)
    return bool(flow.on_error) or recovery.at is not None or recovery.item is not None or recovery.is_end
