"""The provider's API without a network between: a client that asks a simulated Sinch in the same process."""

from collections.abc import Callable, Mapping

import msgspec

from sinchflow.simulate.error_bodies import INVALID
from sinchflow.simulate.message import Message, read_request
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.web import Reply
from sinchflow.sinch.client import Answer, BasicKey, Client, NotSent, Unknown

_HEADERS: Mapping[str, str] = {"content-type": "application/json"}
_encode = msgspec.json.Encoder().encode


class DirectClient(Client):
    """As `Client`; every call is answered at once.

    refuse: shown the messages of each call, and says of which the provider will not have it, in its words, by index.
    """

    def __init__(self, sinch: SimulatedSinch, refuse: Callable[[list[Message]], Mapping[int, str]]) -> None:
        super().__init__("https://sinch.invalid", BasicKey(api_key="", api_secret=""))
        self._sinch = sinch
        self._refuse = refuse

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """See `Client.call`."""
        path, _, query = target.partition("?")
        messages = read_request(body) if (method, path) == ("POST", "/v1/messages") else ()
        refused = self._refuse(messages) if isinstance(messages, list) else {}
        if refused:
            details = [f"/messages/{at}: {words}" for at, words in refused.items()]
            reply = Reply(400, {"message": INVALID, "details": details})
        else:
            reply = self._sinch.answer(method, path, query.encode(), body)
        return Answer(status=reply.status, headers=_HEADERS, body=_written(reply))


def _written(reply: Reply) -> bytes:
    if reply.body is None:
        return b""
    return reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
