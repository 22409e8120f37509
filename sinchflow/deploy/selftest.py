"""Asks our own public addresses whether it is our daemon that answers there.

What cannot be reached from here says nothing (the provider may reach it all the same); what answers wrongly does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sinchflow import __version__
from sinchflow.deploy.desired import SECRET, Wanted
from sinchflow.deploy.mask import Mask
from sinchflow.runtime.connections import Hooks
from sinchflow.sinch.unpacking import ACCEPTED, TooLarge, Unreadable, read_body

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
#: The daemon's answer is some 150 bytes.
_MOST_BYTES = 10_000

_CHECK = "check that the proxy passes this path on to the daemon, that the daemon runs, and that its token is this one"


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What the address of one kind answered. url: masked. `unreachable` is no failure."""

    kind: str
    url: str
    state: Literal["ok", "failed", "unreachable"]
    words: str


async def self_test(
    wanted: Sequence[Wanted],
    hooks: Hooks,
    account: str,
    transport: "httpx.AsyncBaseTransport | None" = None,
) -> tuple[Tested, ...]:
    """GET each address once, with the secret header where there is a secret. Never raises.

    transport: an httpx transport in place of the network.
    """
    import httpx

    mask = Mask(hooks)
    headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED, "User-Agent": f"sinchflow/{__version__}"}
    if hooks.secret is not None:
        headers[SECRET] = hooks.secret
    found = []
    async with httpx.AsyncClient(
        verify=httpx.create_ssl_context(trust_env=False),
        transport=transport,
        trust_env=False,
        follow_redirects=False,
        timeout=_TIMEOUT_S,
    ) as http:
        for each in wanted:
            state, words = await _test(http, each, headers, account)
            found.append(Tested(kind=each.kind, url=mask.url(each.url), state=state, words=mask.text(words)))
    return tuple(found)


async def _test(
    http: "httpx.AsyncClient", wanted: Wanted, headers: dict[str, str], account: str
) -> tuple[Literal["ok", "failed", "unreachable"], str]:
    import asyncio

    import httpx

    try:
        async with asyncio.timeout(_TIMEOUT_S), http.stream("GET", wanted.url, headers=headers) as response:
            body = await _beginning(response)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "failed", f"its certificate is not valid, so Sinch may refuse to call it: {error}"
        return "unreachable", f"not reachable from here ({str(error) or 'no connection in time'}); Sinch may reach it"
    except (httpx.HTTPError, TimeoutError) as error:
        words = str(error) or "it did not answer in time"
        return "failed", f"something is reached there that does not answer as the daemon does ({words}): {_CHECK}"
    except (httpx.InvalidURL, ValueError) as error:
        return "failed", f"is no address: {error}; mend webhooks.public_url"
    trouble = _trouble(response.status_code, response.headers.get("location"), body, wanted, account)
    return ("ok", "the daemon answers") if trouble is None else ("failed", trouble)


async def _beginning(response: "httpx.Response") -> bytes:
    """The body, empty where it is none of ours: too large, or packed in an odd way."""
    try:
        return await read_body(response, _MOST_BYTES)
    except (TooLarge, Unreadable):
        return b""


def _trouble(status: int, location: str | None, body: bytes, wanted: Wanted, account: str) -> str | None:
    """What is wrong with an answer; None when it is our daemon's and fits."""
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        answer = None
    if 300 <= status < 400:
        return f"answers {status} and sends the caller on to {location}: put the final address into webhooks.public_url"
    if status != 200 or not isinstance(answer, dict) or "sinchflow" not in answer:
        reason = answer.get("error") if isinstance(answer, dict) else None
        words = reason if isinstance(reason, str) else " ".join(body.decode("utf-8", "replace").split())
        return f"something else answers there: {status} {words[:120]!r}; {_CHECK}"
    if (answer.get("account"), answer.get("kind")) != (account, wanted.kind):
        return (
            f"answered by the daemon's address for {answer.get('kind')} of account {answer.get('account')}: "
            "check how the proxy rewrites paths"
        )
    return _secret_trouble(answer.get("secret"), is_wanted=SECRET in wanted.headers)


def _secret_trouble(state: Any, *, is_wanted: bool) -> str | None:
    match state:
        case "off" if is_wanted:
            return "the daemon demands no secret header, although the project has `webhooks.secret`: reload it"
        case "missing" if is_wanted:
            return f"the header {SECRET} does not arrive: check that the proxy passes it on"
        case "missing":
            return "the daemon demands a secret header that this project does not have: reload it"
        case "wrong":
            return f"the header {SECRET} holds another secret than the daemon's: use one SINCHFLOW_SECRET_… for both"
        case _:
            return None
