"""Carries out one `http` call: fills in secrets, dials, reads within bounds, and says what came of it.

It makes one attempt. Whether there is another, and when, is decided by `engine.backoff` and kept by the worker.
"""

import asyncio
import codecs
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
import msgspec
from msgspec.structs import replace

from sinchflow.model.command import Answered, CallUrl, Failed, Told
from sinchflow.model.event import SECRET_BEGIN, clean_data, clean_text
from sinchflow.runtime.attempted import Attempted
from sinchflow.runtime.csv_rows import read_rows
from sinchflow.runtime.outbound import OutboundClient, OutboundRefused
from sinchflow.runtime.secrets import Secrets, names_secret, show_references
from sinchflow.sinch.concealing import Veil
from sinchflow.sinch.unpacking import TooLarge, Unreadable, read_body

#: Of an unexpected answer's body, quoted in the error.
_QUOTED_CHARACTERS = 200


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_HEADERS = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
#: A server's wish for a pause is heeded up to this.
_LONGEST_WISH = timedelta(days=1)
#: As many as curl and httpx follow, and more than anybody needs.
_MOST_REDIRECTS = 20
#: Ways to write a text that take for ever, or run escapes of Python's: no server means them.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined"})


async def call_url(client: OutboundClient, command: CallUrl, secrets: Secrets) -> Attempted:
    """Make one attempt. Never raises: whatever goes wrong is a `Failed` with a sentence for people.

    No value of a secret that the command refers to is in what it gives, whoever quoted it.
    """
    target = f"{command.method} {show_references(command.url)}"
    names = secrets.names_in("\0".join(_texts(command)))
    veil = secrets.veil(names)
    try:
        request = _request(client, command, secrets)
    except KeyError as error:
        return _failed(
            command, "secret", f"{target}: secret {error.args[0]} is not set (SINCHFLOW_SECRET_{error.args[0]})"
        )
    except (httpx.InvalidURL, ValueError) as error:
        return _hidden(_impossible(command, target, error), veil)
    if names and (login := request.headers.get("authorization", "").partition(" ")[2]):
        veil = secrets.veil(names, [login])
    attempted = await _attempt(client, command, request, veil)
    return _hidden(attempted, veil) if names else attempted


def _hidden(attempted: Attempted, veil: Veil) -> Attempted:
    outcome = attempted.outcome
    if isinstance(outcome, Failed):
        return replace(attempted, outcome=replace(outcome, message=veil.hide(outcome.message)))
    if isinstance(outcome, Told):
        return attempted
    headers = {veil.hide(name): veil.hide(value) for name, value in outcome.headers.items()}
    return replace(attempted, outcome=replace(outcome, headers=headers))


def _texts(command: CallUrl) -> Iterator[str]:
    yield command.url
    yield command.content or ""
    yield from command.headers.values()
    yield from (value for _, value in command.query)
    yield from command.basic_auth or ()


async def _attempt(client: OutboundClient, command: CallUrl, request: httpx.Request, veil: Veil) -> Attempted:
    target = f"{command.method} {show_references(command.url)}"
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(command.timeout.total_seconds()):
            response = await _send(client, command, request)
            try:
                body = await read_body(response, command.max_bytes)
            finally:
                await response.aclose()
    except TimeoutError:
        words = f"{target}: no complete answer within {command.timeout.total_seconds():g} s"
        return _failed(command, "timeout", words, is_unknown=True)
    except TooLarge:
        return _failed(
            command, "too_large", f"{target}: the answer is larger than {command.max_bytes} bytes (max_bytes)"
        )
    except Unreadable as error:
        return _failed(command, "connection", f"{target}: the answer cannot be read: {error}", is_unknown=True)
    except (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError) as error:
        kind, words, is_unknown = _explain(target, error)
        return _failed(command, kind, words, is_unknown=is_unknown)
    except (httpx.InvalidURL, ValueError) as error:  # what aiohttp, or a redirect, finds wrong only on the way
        return _impossible(command, target, error)
    text = clean_text(veil.hide(_text(response, body)))
    if not is_expected(response.status_code, command.expect):
        return _unexpected(command, target, response, text)
    return _answered(command, target, response, text, loop.time() - began)


async def _send(client: OutboundClient, command: CallUrl, request: httpx.Request) -> httpx.Response:
    """The answer's head. Redirects are followed here, because httpx would read what comes with them without limit."""
    for _ in range(_MOST_REDIRECTS + 1):
        response = await client.http.send(request, stream=True)
        if not command.follow_redirects or response.next_request is None:
            return response
        await response.aclose()
        request = _onward(command, request, response.next_request)
    raise httpx.TooManyRedirects(f"more than {_MOST_REDIRECTS} redirects")


def _onward(command: CallUrl, before: httpx.Request, request: httpx.Request) -> httpx.Request:
    """The request that a redirect asks for. What is secret stays with the host that the flow names.

    httpx takes `Authorization` out for another host; a token may be in any header, or in the body.
    """
    if request.url.scheme not in {"http", "https"} or not request.url.host:
        raise ValueError(f"a redirect to {str(request.url)[:100]}: a URL begins with http:// or https:// and a host")
    if _is_same_host(before.url, request.url):
        return request
    for name in (
        "authorization",
        "cookie",
        *(name for name, value in command.headers.items() if SECRET_BEGIN in value),
    ):
        request.headers.pop(name, None)
    if request.headers.get("content-length", "0") != "0" and names_secret(command.content or ""):
        raise OutboundRefused(f"a redirect to another host ({request.url.host}), and the body holds a secret")
    return request


def _is_same_host(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether they are served by the same; https may take the place of http, never the other way about."""
    if one.host != other.host:
        return False
    ports = [url.port or {"http": 80, "https": 443}[url.scheme] for url in (one, other)]
    if one.scheme == other.scheme:
        return ports[0] == ports[1]
    return one.scheme == "http" and ports == [80, 443]


def is_expected(status: int, expect: tuple[str, ...]) -> bool:
    """Whether a status is one of `expect`: codes (`409`) and classes (`2xx`)."""
    code = str(status)
    return any(code == each or (each.endswith("xx") and code[0] == each[0]) for each in expect)


def _request(client: OutboundClient, command: CallUrl, secrets: Secrets) -> httpx.Request:
    fill = secrets.fill
    content = command.content
    if content is not None:
        content_type = next((value for name, value in command.headers.items() if name.lower() == "content-type"), "")
        if "json" in content_type:
            content = secrets.fill_json(content)
        elif "x-www-form-urlencoded" in content_type:
            content = secrets.fill_form(content)
        else:
            content = fill(content)
    url = httpx.URL(fill(command.url))
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("a URL begins with http:// or https:// and a host")
    if command.query:
        url = url.copy_merge_params([(name, fill(value)) for name, value in command.query])
    headers = {name: fill(value) for name, value in command.headers.items()}
    for name, value in headers.items():
        _check_header(name, value)
    login = command.basic_auth
    if url.userinfo:  # aiohttp refuses a URL with a login beside the header that httpx makes of it
        login = login or (url.username, url.password)
        url = url.copy_with(userinfo=b"")
    request = client.http.build_request(
        command.method, url, headers=headers, content=None if content is None else content.encode()
    )
    if login is not None:
        username, password = map(fill, login)
        request = next(httpx.BasicAuth(username, password).auth_flow(request))
    return request


def _check_header(name: str, value: str) -> None:
    """Raises ValueError for what would break the request apart, or make another one of it (RFC 9110 section 5)."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f'"{name}" is no name of a header')
    if _NOT_IN_HEADERS.search(value):
        raise ValueError(f"header {name} holds a line break or another control character")


def _text(response: httpx.Response, body: bytes) -> str:
    encoding = response.charset_encoding or "utf-8"
    try:
        found = codecs.lookup(encoding).name.replace("_", "-")
        return body.decode("utf-8" if found in _NO_CHARSETS else found, "replace")
    except (LookupError, ValueError):  # no encoding, one that is not of texts, or no name of one
        return body.decode("utf-8", "replace")


def _answered(command: CallUrl, target: str, response: httpx.Response, text: str, duration_s: float) -> Attempted:
    parsed = None
    rows: tuple[dict[str, str], ...] | None = None
    if command.parse == "csv":
        try:
            rows, text = read_rows(text), ""  # the run keeps them once
        except ValueError as error:
            return _failed(command, "parse", f"{target}: the answer is not CSV: {error}", response.status_code)
    elif command.parse != "text":
        is_json = command.parse == "json" or "json" in response.headers.get("content-type", "")
        try:
            parsed = clean_data(msgspec.json.decode(text)) if is_json and (text or command.parse == "json") else None
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            if command.parse == "json":
                return _failed(command, "parse", f"{target}: the answer is not JSON: {error}", response.status_code)
    headers = {name.lower(): clean_text(value) for name, value in response.headers.items()}
    outcome = Answered(
        command=command.id, status=response.status_code, headers=headers, text=text, json=parsed, rows=rows,
        duration_s=duration_s,
    )  # fmt: skip
    return Attempted(outcome=outcome)


def _unexpected(command: CallUrl, target: str, response: httpx.Response, text: str) -> Attempted:
    quoted = " ".join(text.split())[:_QUOTED_CHARACTERS]
    said = f": {quoted}" if quoted else ""
    outcome = Failed(
        command=command.id,
        kind="status",
        message=f"{target} answered {response.status_code}{said}",
        status=response.status_code,
    )
    return Attempted(outcome=outcome, retry_after=retry_after(response.headers.get("retry-after")))


def retry_after(value: str | None, now: datetime | None = None) -> timedelta | None:
    """The wait that a `Retry-After` header asks for (RFC 9110 section 10.2.3): seconds, or a date."""
    if value is None:
        return None
    value = value.strip()
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:12])), _LONGEST_WISH)
    try:
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:  # "-0000": UTC, of an unknown place
        until = until.replace(tzinfo=UTC)
    return min(max(until - (now or datetime.now(UTC)), timedelta()), _LONGEST_WISH)


def _impossible(command: CallUrl, target: str, error: Exception) -> Attempted:
    return _failed(command, "value", f"{target}: this cannot be requested: {error}")


def _failed(
    command: CallUrl, kind: str, message: str, status: int | None = None, *, is_unknown: bool = False
) -> Attempted:
    outcome = Failed(command=command.id, kind=kind, message=message, status=status, is_unknown=is_unknown)
    return Attempted(outcome=outcome)


def _explain(target: str, error: BaseException) -> tuple[str, str, bool]:
    """Kind and sentence for a call that got no answer, and whether the server may have acted on it.

    httpx-aiohttp maps a reset connection to ConnectTimeout, so the chain of causes decides, not the outermost type.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for each in chain:
        if isinstance(each, OutboundRefused):
            return "outbound", f"{target}: not allowed: {each}", False
    for each in chain:
        if isinstance(each, aiohttp.ClientConnectorDNSError):
            return "connection", f"{target}: the host name cannot be resolved", False
        if isinstance(each, aiohttp.ClientConnectorError):
            return "connection", f"{target}: no connection: {each.os_error.strerror or each.os_error}", False
        if isinstance(each, aiohttp.ConnectionTimeoutError):
            return "timeout", f"{target}: no connection in time", False
        if isinstance(each, TimeoutError):
            return "timeout", f"{target}: timed out", True
    words = str(error) or type(error).__name__
    return "connection", f"{target}: the connection broke: {words}", True
