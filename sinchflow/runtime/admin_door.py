"""What every request to the admin port passes first: the port is on loopback, where web pages reach it, too.

A page of somebody else's that is open in a browser on this machine can send requests here, and can have its own name
point here (DNS rebinding), so that it may read the answers. So a name that is not known to be ours is refused, unless
the token is shown: pages do not have it. Addresses are no names; probes and Prometheus come with them. And what a
browser says was asked for by a page of elsewhere may not change anything, nor reach the API.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

from sinchflow.runtime.bodies import Bodies, Disconnected, Receive, Scope
from sinchflow.runtime.guard import WELCOME, Refusal
from sinchflow.runtime.replies import error_reply

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

#: The largest that is asked for: reasons, inputs of a start.
MAX_BODY_BYTES = 1024 * 1024

_SAFE = frozenset({"GET", "HEAD"})
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class AdminDoor:
    """Wraps the ASGI application of the admin port.

    names: of this machine, beside `localhost` and all addresses; in lower case, without a port.
    """

    def __init__(self, app: Any, *, token: str, names: Iterable[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._names = frozenset({"localhost", *names})
        self._bodies = Bodies(MAX_BODY_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it."""
        if scope["type"] != "http":
            return

        async def marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in _HEADERS if each[0] not in given)]
            await send(message)

        try:
            self._check(scope)
            body = b"" if scope["method"] in _SAFE else await self._bodies.read(scope, receive)
        except Refusal as refusal:
            reply = error_reply(refusal.status, refusal.reason)
            reply.raw_headers.extend(refusal.headers)
            await reply(scope, receive, marked)
            return
        except Disconnected:
            return
        whole: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def read() -> MutableMapping[str, Any]:
            return whole.pop() if whole else await receive()

        try:
            await self._app(scope, read, marked)
        except ClientDisconnect:
            return
        finally:
            self._bodies.release(scope)

    def _check(self, scope: Scope) -> None:
        """Raises Refusal."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if shows_token(headers.get("authorization", ""), self._token):
            if WELCOME in scope.get("state", {}):
                scope["state"][WELCOME]()
        elif not self._is_ours(host := headers.get("host", "")):
            name = host[:100] if host.isprintable() and host.isascii() else "that"
            raise Refusal(421, f'"{name}" is no name of this daemon; if it is to be, start it with --admin-name')
        if scope["path"].startswith("/api") or scope["method"] not in _SAFE:
            site = headers.get("sec-fetch-site", "none")
            origin = headers.get("origin")
            if site not in ("none", "same-origin") or origin not in (None, f"http://{headers.get('host')}"):
                raise Refusal(403, "a page of another origin may not ask for this")

    def _is_ours(self, host: str) -> bool:
        """Whether a request for this host is for us. One that names none comes from no browser."""
        name = host.strip().lower()
        if name.startswith("["):
            name, _, port = name[1:].partition("]")
            if port and not port.startswith(":"):
                return False
        elif name.count(":") <= 1:
            name = name.partition(":")[0]
        if not name or name.rstrip(".") in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def shows_token(authorization: str, token: bytes) -> bool:
    """Whether a header `Authorization`, as latin-1, is `Bearer` with the token; compared in constant time."""
    scheme, _, shown = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.encode("latin-1"), token)
