"""The provider's API without a network between: a client that asks a simulated Sinch in the same process."""

from collections.abc import Mapping

import msgspec

from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.web import Reply
from sinchflow.sinch.client import Answer, BasicKey, Client, NotSent, Unknown

_HEADERS: Mapping[str, str] = {"content-type": "application/json"}
_encode = msgspec.json.Encoder().encode


class DirectClient(Client):
    """As `Client`; every call is answered at once."""

    def __init__(self, sinch: SimulatedSinch) -> None:
        super().__init__("https://sinch.invalid", BasicKey(api_key="", api_secret=""))
        self._sinch = sinch

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """See `Client.call`."""
        path, _, query = target.partition("?")
        reply = self._sinch.answer(method, path, query.encode(), body)
        return Answer(status=reply.status, headers=_HEADERS, body=_written(reply))


def _written(reply: Reply) -> bytes:
    if reply.body is None:
        return b""
    return reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
