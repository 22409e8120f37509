"""One connection to the provider's API: addresses, credentials, timeouts, and what came of a call.

A call ends in an `Answer`, in `NotSent` (no byte of the request can have been processed, so it may be made again) or
in `Unknown` (it may have been processed). It never raises for what the network or the provider does. Status codes and
bodies are for the endpoint modules (`messages`); retrying and throttling are for the runtime.

Few calls should be in flight: httpx slows down badly with many callers, and a hundred messages travel in one call.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import msgspec

from sinchflow import __version__
from sinchflow.sinch.concealing import Veil
from sinchflow.sinch.unpacking import ACCEPTED, TooLarge, Unreadable, read_body
from sinchflow.sinch.words import shown

if TYPE_CHECKING:  # httpx takes 0.1 s to import: only a program that calls the provider pays for it
    import httpx


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long each part of a call may take, in seconds; `call_s` bounds the whole of it."""

    connect_s: float = 5.0
    read_s: float = 20.0
    write_s: float = 10.0
    pool_s: float = 5.0
    call_s: float = 60.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The provider answered in full. `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSent(msgspec.Struct, frozen=True, kw_only=True):
    """The request never reached the provider."""

    reason: str


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """The provider may or may not have acted on the request."""

    reason: str


def _now() -> datetime:
    return datetime.now(UTC)


class Key(Protocol):
    """An API key with its secret: how a request proves whose it is."""

    def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """The headers to add to this request; `target` is path and query as sent."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """What of it nobody must read in an answer that quotes the request."""
        ...


class Calls(Protocol):
    """Whoever makes calls of one account: a `Client`, or one that waits for the account's throttle first."""

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """See `Client.call`."""
        ...


class BasicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the kind *Basic* (sinch-api.md 2.1)."""

    api_key: str
    api_secret: str

    def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """`Authorization: Basic`; the same for every request."""
        return {"Authorization": f"Basic {self._login}"}

    def secrets(self) -> tuple[str, ...]:
        """Key, secret, and both as the header has them."""
        return (self.api_key, self.api_secret, self._login)

    @property
    def _login(self) -> str:
        pair = f"{self.api_key}:{self.api_secret}".encode("utf-8", "surrogateescape")
        return base64.b64encode(pair).decode("ascii")

    def __repr__(self) -> str:
        return "BasicKey(…)"  # a secret has no place in a log


class HmacKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the kind *HMAC* (sinch-api.md 2.2). `now`: the clock, to be close to the provider's own."""

    api_key: str
    api_secret: str
    now: Callable[[], datetime] = _now

    def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """`Date`, `Content-MD5` where there is a body, and the signature over both and the request line."""
        import hashlib
        import hmac

        signed = {"Date": format_datetime(self.now(), usegmt=True)}
        if body:
            # The provider's choice of digest and of hex where RFC 1864 has base64; nothing rests on its strength.
            signed["Content-MD5"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        lines = [*(f"{name}: {value}" for name, value in signed.items()), f"{method} {target} HTTP/1.1"]
        secret = self.api_secret.encode("utf-8", "surrogateescape")
        signature = base64.b64encode(hmac.digest(secret, "\n".join(lines).encode(), "sha256")).decode("ascii")
        names = " ".join([*signed, "request-line"])
        shown_key = f'hmac username="{self.api_key}", algorithm="hmac-sha256"'
        return {**signed, "Authorization": f'{shown_key}, headers="{names}", signature="{signature}"'}

    def secrets(self) -> tuple[str, ...]:
        """Key and secret."""
        return (self.api_key, self.api_secret)

    def __repr__(self) -> str:
        return "HmacKey(…)"


#: More than any documented answer: 100 messages of 5000 characters, each escaped to six bytes, are 3 MB.
MAX_ANSWER_BYTES = 16 * 1024 * 1024

#: A server that closes an idle connection just as we write would leave the outcome unknown, so we close first.
_KEEPALIVE_S = 3.0
_MAX_CONNECTIONS = 8
#: Characters of a key or secret that is taken out of answers; a shorter one is in half of all texts.
_LEAST_SECRET = 8


class Client:
    """The API of one account. Use as an async context manager, or `close` it.

    base_url: from `SERVICES` or the user's own, with or without a slash at the end.
    sub_account: act for it with the parent account's key (sinch-api.md 2.3).
    transport: an httpx transport in place of the network.
    """

    def __init__(
        self,
        base_url: str,
        key: Key,
        *,
        sub_account: str | None = None,
        timeouts: Timeouts | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._account = {} if sub_account is None else {"Account": sub_account}
        self._timeouts = timeouts or Timeouts()
        self._transport = transport
        self._http: httpx.AsyncClient | None = None
        self._veil = Veil(each for each in key.secrets() if len(each) >= _LEAST_SECRET)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. A later call opens new ones."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """Make one request and wait for the whole answer. `target` begins with a slash; `body` is JSON or empty."""
        try:
            import httpx

            if self._http is None:
                self._http = self._open()
        except (ImportError, OSError) as error:  # no file may be opened at the moment: nothing has left
            return NotSent(reason=f"cannot call {self._base_url}: {_words(error)}")
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED,
            "Content-Type": "application/json",
            "User-Agent": f"sinchflow/{__version__}",
            **self._account,
            **self._key.headers(method, target, body),
        }
        try:
            request = self._http.build_request(method, self._base_url + target, content=body, headers=headers)
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            return NotSent(reason=f"{shown(self._base_url, 200)} is no usable address: {_words(error)}")
        try:
            async with asyncio.timeout(self._timeouts.call_s):
                return await self._exchange(self._http, request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            return NotSent(reason=f"cannot reach {self._base_url}: {_words(error)}")
        except httpx.TimeoutException:
            return Unknown(reason=f"{self._base_url} did not answer in time")
        except TimeoutError:
            return Unknown(reason=f"{self._base_url} did not finish its answer within {self._timeouts.call_s:g} s")
        except (httpx.HTTPError, httpx.StreamError, OSError, ImportError) as error:
            return Unknown(reason=f"the connection to {self._base_url} broke: {self._veil.hide(_words(error))}")

    async def _exchange(self, http: "httpx.AsyncClient", request: "httpx.Request") -> Answer | Unknown:
        response = await http.send(request, stream=True)
        try:
            body = await read_body(response, MAX_ANSWER_BYTES)
        except TooLarge:
            return Unknown(reason=f"the answer of {self._base_url} is larger than {MAX_ANSWER_BYTES} bytes")
        except Unreadable as error:
            return Unknown(reason=f"the answer of {self._base_url} cannot be read: {error}")
        finally:
            await response.aclose()
        headers = {name: self._veil.hide(value) for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=self._veil.hide_bytes(body))

    def _open(self) -> "httpx.AsyncClient":
        import ssl

        import httpx

        # Loading the root certificates takes 20 ms. Plain http has no use for them; the bare context trusts nobody.
        is_plain = self._base_url.startswith("http:") or self._transport is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else httpx.create_ssl_context(trust_env=False)
        return httpx.AsyncClient(
            verify=context,
            transport=self._transport,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(
                connect=self._timeouts.connect_s,
                read=self._timeouts.read_s,
                write=self._timeouts.write_s,
                pool=self._timeouts.pool_s,
            ),
            limits=httpx.Limits(
                max_connections=_MAX_CONNECTIONS,
                max_keepalive_connections=_MAX_CONNECTIONS,
                keepalive_expiry=_KEEPALIVE_S,
            ),
        )


def _words(error: Exception) -> str:
    return shown(str(error), 200) or type(error).__name__
