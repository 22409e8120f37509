"""Carries out one `http` call: fills in secrets, dials, reads within bounds, and says what came of it.

It makes one attempt. Whether there is another, and when, is decided by `engine.backoff` and kept by the worker.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import httpx
import msgspec

from sinchflow.model.command import Answered, CallUrl, Failed
from sinchflow.model.event import clean_data, clean_text
from sinchflow.runtime.outbound import OutboundClient, OutboundRefused
from sinchflow.runtime.secrets import Secrets, show_references

#: Of an unexpected answer's body, quoted in the error.
_QUOTED_CHARACTERS = 200


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt gave. `retry_after`: the server's own wish, where it named one."""

    outcome: Answered | Failed
    retry_after: timedelta | None = None


class _TooLarge(Exception):
    """The body is over the step's `max_bytes`."""


async def call_url(client: OutboundClient, command: CallUrl, secrets: Secrets) -> Attempted:
    """Make one attempt. Never raises: whatever goes wrong is a `Failed` with a sentence for people."""
    target = f"{command.method} {show_references(command.url)}"
    try:
        request = _request(client, command, secrets)
    except KeyError as error:
        return _failed(
            command, "secret", f"{target}: secret {error.args[0]} is not set (SINCHFLOW_SECRET_{error.args[0]})"
        )
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        return _failed(command, "value", f"{target}: this cannot be requested: {error}")
    began = time.monotonic()
    try:
        async with asyncio.timeout(command.timeout.total_seconds()):
            response = await client.http.send(request, stream=True, follow_redirects=command.follow_redirects)
            try:
                body = await _read(response, command.max_bytes)
            finally:
                await response.aclose()
    except TimeoutError:
        return _failed(command, "timeout", f"{target}: no complete answer within {command.timeout.total_seconds():g} s")
    except _TooLarge:
        return _failed(
            command, "too_large", f"{target}: the answer is larger than {command.max_bytes} bytes (max_bytes)"
        )
    except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        return _failed(command, *_explain(target, error))
    names = secrets.names_in("".join((command.url, command.content or "", *command.headers.values())))
    text = clean_text(secrets.hide(_text(response, body), names))
    if not is_expected(response.status_code, command.expect):
        return _unexpected(command, target, response, text)
    return _answered(command, target, response, text, time.monotonic() - began)


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
    request = client.http.build_request(
        command.method,
        url,
        headers={name: fill(value) for name, value in command.headers.items()},
        content=None if content is None else content.encode(),
    )
    if command.basic_auth is not None:
        username, password = map(fill, command.basic_auth)
        request = next(httpx.BasicAuth(username, password).auth_flow(request))
    return request


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    """The decoded body. Raises _TooLarge as soon as it is over the limit, so a compressed bomb is cut early."""
    parts: list[bytes] = []
    size_bytes = 0
    async for part in response.aiter_bytes():
        size_bytes += len(part)
        if size_bytes > max_bytes:
            raise _TooLarge
        parts.append(part)
    return b"".join(parts)


def _text(response: httpx.Response, body: bytes) -> str:
    encoding = response.charset_encoding or "utf-8"
    try:
        return body.decode(encoding, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _answered(command: CallUrl, target: str, response: httpx.Response, text: str, duration_s: float) -> Attempted:
    parsed = None
    if command.parse != "text":
        is_json = command.parse == "json" or "json" in response.headers.get("content-type", "")
        try:
            parsed = clean_data(msgspec.json.decode(text)) if is_json and (text or command.parse == "json") else None
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            if command.parse == "json":
                return _failed(command, "parse", f"{target}: the answer is not JSON: {error}", response.status_code)
    headers = {name.lower(): clean_text(value) for name, value in response.headers.items()}
    outcome = Answered(
        command=command.id, status=response.status_code, headers=headers, text=text, json=parsed, duration_s=duration_s
    )
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
        return timedelta(seconds=min(int(value), 86_400))
    try:
        wait = parsedate_to_datetime(value) - (now or datetime.now(UTC))
    except (ValueError, TypeError):
        return None
    return max(wait, timedelta())


def _failed(command: CallUrl, kind: str, message: str, status: int | None = None) -> Attempted:
    return Attempted(outcome=Failed(command=command.id, kind=kind, message=message, status=status))


def _explain(target: str, error: BaseException) -> tuple[str, str]:
    """Kind and sentence for a call that got no answer.

    httpx-aiohttp maps a reset connection to ConnectTimeout, so the chain of causes decides, not the outermost type.
    """
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    for each in chain:
        if isinstance(each, OutboundRefused):
            return "outbound", f"{target}: not allowed: {each}"
    for each in chain:
        if isinstance(each, aiohttp.ClientConnectorDNSError):
            return "connection", f"{target}: the host name cannot be resolved"
        if isinstance(each, aiohttp.ClientConnectorError):
            return "connection", f"{target}: no connection: {each.os_error.strerror or each.os_error}"
        if isinstance(each, TimeoutError):
            return "timeout", f"{target}: timed out"
    words = str(error) or type(error).__name__
    return "connection", f"{target}: the connection broke: {words}"
