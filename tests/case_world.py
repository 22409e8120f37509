"""The world around a case of tests/cases/run in a daemon: the provider, and where `http` steps go.

Both wait with each answer until the case has it. Loaded by its path, as the rest of the stage is.
"""

import asyncio
import json
from typing import Any

import httpx

from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.web import Receive, Scope, Send, read_body


class Gate:
    """The provider's side: an ASGI app that keeps each message waiting until `release`."""

    def __init__(self) -> None:
        self.sim = SimulatedSinch(
            api_key="key", api_secret="s3cret", receipts=False, timeline=Timeline(enroute_s=None, submitted_s=None)
        )
        self.asked: list[dict[str, Any]] = []
        self._held: list[tuple[dict[str, Any], asyncio.Event]] = []
        self._free: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST" and scope["path"] == "/v1/messages":
            body = await read_body(receive) or b""
            [message] = json.loads(body)["messages"]  # `batch: 1`
            self.asked.append(message)
            name = (message["destination_number"], message["content"])
            if name in self._free:
                self._free.remove(name)
            else:
                may_go = asyncio.Event()
                self._held.append((message, may_go))
                await may_go.wait()

            async def again() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            await self.sim(scope, again, send)
        else:
            await self.sim(scope, receive, send)

    def release(self, to: str, content: str) -> None:
        """The provider takes this message, or will as soon as it comes."""
        for each in self._held:
            message, may_go = each
            if (message["destination_number"], message["content"]) == (to, content):
                self._held.remove(each)
                may_go.set()
                return
        self._free.append((to, content))

    def close(self) -> None:
        """Let all go that wait."""
        for _, may_go in self._held:
            may_go.set()


class World(httpx.AsyncBaseTransport):
    """Where `http` steps go: each call waits until the case answers it."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self._waiting: list[tuple[str, asyncio.Future[httpx.Response | Exception]]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer that the case has for it."""
        self.asked.append(request)
        answer: asyncio.Future[httpx.Response | Exception] = asyncio.get_running_loop().create_future()
        self._waiting.append((called(request.method, request.url), answer))
        result = await answer
        if isinstance(result, Exception):
            raise result
        return result

    def is_asked(self, name: str) -> bool:
        """Whether the call is waiting for its answer."""
        return any(each == name for each, _ in self._waiting)

    def answer(self, name: str, result: httpx.Response | Exception) -> None:
        """Answer the first call of this name."""
        at = next(at for at, (each, _) in enumerate(self._waiting) if each == name)
        self._waiting.pop(at)[1].set_result(result)

    def close(self) -> None:
        """Break off what waits."""
        for _, answer in self._waiting:
            answer.set_result(httpx.ConnectError("nobody listens any more"))
        self._waiting.clear()


def called(method: str, url: httpx.URL | str) -> str:
    """A call without its query, which `http` steps give apart."""
    url = httpx.URL(url)
    return f"{method} {url.copy_with(query=None)}"


_SENT = (
    "content", "source_number", "source_number_type", "format", "delivery_report", "media", "subject", "scheduled",
    "message_expiry_timestamp", "callback_url",
)  # fmt: skip


def plain_send(command: dict[str, Any]) -> dict[str, Any]:
    """A case's send as the provider should get it."""
    given = {"format": "SMS", "delivery_report": True, **command}
    return {"to": given["send"], "metadata": given.get("metadata", {})} | {
        name: given[name] for name in _SENT if name in given
    }


def plain_message(message: dict[str, Any]) -> dict[str, Any]:
    """A message as the provider got it, without our own metadata."""
    metadata = {key: value for key, value in message.get("metadata", {}).items() if key != "sinchflow_id"}
    return {"to": message["destination_number"], "metadata": metadata} | {
        name: message[name] for name in _SENT if name in message
    }


def as_far_as(found: Any, wanted: Any) -> Any:
    """What is found, without members of mappings that are not asked for."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {name: as_far_as(value, wanted[name]) for name, value in found.items() if name in wanted}
    return found
