"""Talking to a daemon that runs: finds it through its data folder and asks its admin port.

Knows the address and the token, nothing of what is asked. A daemon elsewhere (in a container, on another machine) is
named by `SINCHFLOW_ADMIN_URL`, with its token in `SINCHFLOW_ADMIN_TOKEN`.
"""

import json
import os
import re
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from sinchflow.errors import CannotStart, SinchflowError, UsageError

URL_VARIABLE = "SINCHFLOW_ADMIN_URL"
TOKEN_VARIABLE = "SINCHFLOW_ADMIN_TOKEN"

#: Where a daemon says how it is reached, in its data folder.
FILE_NAME = "daemon.json"
#: Seconds to wait for the daemon's answer: it answers from memory or one read of the journal.
_TIMEOUT_S = 10.0
#: A daemon that listens everywhere is reached on the loopback.
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_TOKEN = re.compile(r"[!-~]+")
_SHORTEST_TOKEN = 16


class Gone(CannotStart, ConnectionError):
    """No daemon is there (any more) where the data folder says. What can be read is in its journal."""


class Daemon(msgspec.Struct, frozen=True):
    """What a daemon writes into `daemon.json` while it runs. file: where that stands; None: it was named by its URL."""

    pid: int
    port: int
    admin_port: int
    token: str
    admin_host: str = "127.0.0.1"
    is_tls: bool = False
    file: Path | None = None

    @property
    def address(self) -> str:
        """`HOST:PORT` of the admin port, as commands reach it."""
        host = _EVERYWHERE.get(self.admin_host, self.admin_host)
        return f"[{host}]:{self.admin_port}" if ":" in host else f"{host}:{self.admin_port}"


def given_token() -> str | None:
    """The token that a daemon is told to want. Raises CannotStart when it is none that can be kept secret."""
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        return None
    if not _TOKEN.fullmatch(token) or len(token) < _SHORTEST_TOKEN:
        raise CannotStart(
            f"{TOKEN_VARIABLE} is no good token: it is {_SHORTEST_TOKEN} printable ASCII characters or more, without "
            "blanks; make one with `openssl rand -hex 24`, or leave it unset"
        )
    return token


def find(data: Path) -> Daemon | None:
    """The daemon that works on this data folder, or None. The file may be left over from one that was killed.

    With SINCHFLOW_ADMIN_URL it is the one there. Raises CannotStart when that says nothing of use.
    """
    url = os.environ.get(URL_VARIABLE)
    found = _written(data / FILE_NAME)
    return found if not url else _named(url, os.environ.get(TOKEN_VARIABLE) or (found.token if found else ""))


def demand(data: Path) -> Daemon:
    """The daemon that works on this data folder. Raises CannotStart when none does.

    `ask` does the same when it turns out that the daemon is gone.
    """
    daemon = find(data)
    if daemon is None:
        raise CannotStart(
            f"no daemon works on {data}: start it with `sinchflow run`, or name the folder of another with --data"
        )
    return daemon


def ask(daemon: Daemon, method: str, path: str, body: Any = None, *, timeout_s: float = _TIMEOUT_S) -> Any:
    """The daemon's answer to one request, decoded.

    Raises Gone, which is a ConnectionError, when nobody is there (any more), UsageError when it does not know what is
    asked for, and SinchflowError with its reason when it refuses.
    """
    kind = HTTPSConnection if daemon.is_tls else HTTPConnection
    connection = kind(_EVERYWHERE.get(daemon.admin_host, daemon.admin_host), daemon.admin_port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {daemon.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        status, content = response.status, response.read()
    except ConnectionError as error:
        raise _gone(daemon) from error
    except (OSError, HTTPException) as error:
        who = f"(pid {daemon.pid}) does not answer on port" if daemon.file else "does not answer at"
        where = daemon.admin_port if daemon.file else daemon.address
        raise CannotStart(f"the daemon {who} {where}: {error}") from error
    finally:
        connection.close()
    if status == 401:
        raise _stranger(daemon)
    return _answer(status, content, path)


def _written(path: Path) -> Daemon | None:
    try:
        found = replace(msgspec.json.decode(path.read_bytes(), type=Daemon), file=path)
        return found if _TOKEN.fullmatch(found.token) else None
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}; its owner can, or root") from error


def _named(url: str, token: str) -> Daemon:
    """The daemon that the environment names."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise CannotStart(f'{URL_VARIABLE} is "{url}": write http://HOST:PORT of the daemon\'s admin port')
    if not _TOKEN.fullmatch(token):
        raise CannotStart(f"{TOKEN_VARIABLE} is {'no token' if token else 'not set'}: the daemon's daemon.json says it")
    is_tls = parts.scheme == "https"
    return Daemon(
        pid=0, port=0, admin_port=port or (443 if is_tls else 80), token=token, admin_host=parts.hostname, is_tls=is_tls
    )


def _gone(daemon: Daemon) -> SinchflowError:
    if daemon.file is None:
        return CannotStart(f"no daemon answers at {daemon.address}, where {URL_VARIABLE} says")
    return Gone(
        f"no daemon works on {daemon.file.parent} any more (pid {daemon.pid} left {daemon.file.name} behind): "
        "start it with `sinchflow run`"
    )


def _stranger(daemon: Daemon) -> SinchflowError:
    """The token is not that of whoever has the port now."""
    if daemon.file is None:
        return CannotStart(f"the daemon at {daemon.address} refuses the token: set {TOKEN_VARIABLE} to its own")
    return Gone(
        f"{daemon.file} is not of the daemon at {daemon.address}, which refuses its token: the one that wrote it "
        f"(pid {daemon.pid}) is gone; start it with `sinchflow run`, or name the other's folder with --data"
    )


def _answer(status: int, content: bytes, path: str) -> Any:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    if status < 300:
        return answer
    reason = answer.get("error") if isinstance(answer, dict) else None
    if status == 404 and reason is None:
        raise SinchflowError(f"the daemon does not know {path.partition('?')[0]}: it runs another version of sinchflow")
    message = str(reason or f"the daemon answered {status} to {path}")
    raise UsageError(message) if status == 404 else SinchflowError(message)
