"""Makes the calls of `http` steps, with a client that exists from the first call on.

httpx and aiohttp take half a second to import; a daemon is ready before that, and `warm_up` gets it out of the way of
the first call.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sinchflow.model.command import CallUrl, Failed
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.secrets import Secrets

if TYPE_CHECKING:
    import httpx

    from sinchflow.runtime.outbound import OutboundClient


class Dialler:
    """The outside world as `http` steps reach it.

    allow: as `outbound.allow` in the project file. wrap: makes another transport of the one that checks addresses.
    """

    def __init__(
        self,
        allow: Sequence[str],
        wrap: "Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None" = None,
    ) -> None:
        self._allowed = allow
        self._wrap = wrap
        self._client: OutboundClient | None = None
        #: what the header `traceparent` of a call says, by the command's id; None: there are no traces
        self.traceparent: Callable[[str], str | None] | None = None

    def allow(self, allow: Sequence[str]) -> None:
        """The addresses that may be reached although they are private, from the next connection on."""
        self._allowed = allow
        if self._client is not None:
            from sinchflow.runtime.outbound import Outbound

            self._client.rules = Outbound(allow)

    async def call(self, command: CallUrl, secrets: Secrets) -> Attempted:
        """Make one attempt; see `perform.call_url`."""
        try:
            from sinchflow.runtime.outbound import Outbound, OutboundClient
            from sinchflow.runtime.perform import call_url

            if self._client is None:
                self._client = OutboundClient(Outbound(self._allowed), self._wrap)
        except (ImportError, OSError) as error:  # no file may be opened at the moment: nothing has left
            words = f"the call cannot be made: {error}"
            return Attempted(outcome=Failed(command=command.id, kind="connection", message=words))
        if self.traceparent is not None and "traceparent" not in map(str.lower, command.headers):
            header = self.traceparent(command.id)
            if header is not None:
                command = replace(command, headers={**command.headers, "traceparent": header})
        return await call_url(self._client, command, secrets)

    def warm_up(self) -> None:
        """Import what the first calls need, of steps and to the provider. On any thread."""
        with suppress(ImportError, OSError):  # no file may be opened at the moment: the first call tries again
            import httpcore  # noqa: F401

            import sinchflow.runtime.perform  # noqa: F401

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()
