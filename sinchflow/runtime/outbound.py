"""Where `http` steps may go: the address that was checked is the address that is dialled.

Names are resolved by our own resolver, which passes on only addresses that may be reached; literal addresses are
checked before each request, redirects included. Private, loopback, link-local (cloud metadata) and other special
ranges are refused unless `outbound.allow` in the project file names them.

The transport is `httpx-aiohttp`: httpx's own pool slows down with many callers (tests/benchmarks/http_transport.py).
"""

import socket
import ssl
from collections.abc import Callable, Sequence

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from httpx_aiohttp import AiohttpTransport

from sinchflow import __version__
from sinchflow.expression.addresses import Reach, is_misspelt, literal_address
from sinchflow.runtime.places import MOST, MOST_PER_HOST
from sinchflow.sinch.unpacking import ACCEPTED


class OutboundRefused(OSError):
    """The address must not be reached; the message says which and how to allow it."""


class Outbound(Reach):
    """The addresses, networks and host names that may be reached although they are private."""

    def check_literal(self, host: str) -> None:
        """Raises OutboundRefused when `host` is an address that must not be reached, ValueError when it is none."""
        if is_misspelt(host):
            raise ValueError(f'"{host}" ends in a number and is no IPv4 address')
        address = literal_address(host)
        if address is not None and not self.permits(host, address):
            raise refusal(host, [host])


def refusal(host: str, addresses: Sequence[str]) -> OutboundRefused:
    """What happened and how to mend it."""
    meaning = "" if list(addresses) == [host] else f", which is {', '.join(addresses)}"
    return OutboundRefused(
        f"{host}{meaning}: a private or special address; if a flow may call it, "
        f"add it to `outbound: {{allow: [{host}]}}` in sinchflow.yaml"
    )


class _Resolver(AbstractResolver):
    """Resolves names, and passes on only what may be reached."""

    def __init__(self, outbound: "OutboundClient") -> None:
        self._outbound = outbound
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        permitted = [each for each in found if self._outbound.rules.permits(host, each["host"])]
        if not permitted:
            raise refusal(host, [each["host"] for each in found])
        return permitted

    async def close(self) -> None:
        await self._system.close()


class _CheckedTransport(httpx.AsyncBaseTransport):
    """Checks literal addresses of each request, redirects included, then hands on."""

    def __init__(self, outbound: "OutboundClient", inner: httpx.AsyncBaseTransport) -> None:
        self._outbound = outbound
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._outbound.rules.check_literal(request.url.host)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class OutboundClient:
    """The HTTP client of all `http` steps; `rules` may be exchanged while it works (reload).

    wrap: makes another transport of the checked one (`dev` shows each call, or answers it itself).
    """

    def __init__(
        self, rules: Outbound, wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None
    ) -> None:
        self.rules = rules
        # The session has certificates of its own. Loading others, which nobody asks, would hold the loop up for 20 ms.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        checked = _CheckedTransport(self, AiohttpTransport(verify=nobody, client=self._session))
        self.http = httpx.AsyncClient(
            transport=checked if wrap is None else wrap(checked),
            trust_env=False,
            timeout=httpx.Timeout(None),  # `call_url` bounds the whole attempt
            headers={"User-Agent": f"sinchflow/{__version__}", "Accept-Encoding": ACCEPTED},
        )

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(self),
            limit=MOST,
            limit_per_host=MOST_PER_HOST,
            use_dns_cache=False,
            keepalive_timeout=4.0,  # below the 5 s that common servers keep an idle connection
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    async def close(self) -> None:
        """Close its connections."""
        await self.http.aclose()
