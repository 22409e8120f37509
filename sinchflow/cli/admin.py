"""Talking to a daemon that runs: finds it through its data folder and asks its admin port.

Knows the address and the token, nothing of what is asked.
"""

import json
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import msgspec

from sinchflow.errors import CannotStart, SinchflowError, UsageError

#: Seconds to wait for the daemon's answer: it answers from memory or one read of the journal.
_TIMEOUT_S = 10.0


class Daemon(msgspec.Struct, frozen=True):
    """What a daemon writes into `daemon.json` while it runs."""

    pid: int
    port: int
    admin_port: int
    token: str


def find(data: Path) -> Daemon | None:
    """The daemon that works on this data folder, or None. The file may be left over from one that was killed."""
    try:
        return msgspec.json.decode((data / "daemon.json").read_bytes(), type=Daemon)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    except OSError as error:
        raise CannotStart(f"cannot read {data / 'daemon.json'}: {error.strerror}") from error


def ask(daemon: Daemon, method: str, path: str, body: Any = None, *, timeout_s: float = _TIMEOUT_S) -> Any:
    """The daemon's answer to one request, decoded.

    Raises ConnectionError when nobody is there (any more), UsageError when it does not know what is asked for,
    and SinchflowError with its reason when it refuses.
    """
    connection = HTTPConnection("127.0.0.1", daemon.admin_port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {daemon.token}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        status, content = response.status, response.read()
    except ConnectionError:
        raise
    except (OSError, HTTPException) as error:
        raise CannotStart(
            f"the daemon (pid {daemon.pid}) does not answer on port {daemon.admin_port}: {error}"
        ) from error
    finally:
        connection.close()
    return _answer(status, content, path)


def _answer(status: int, content: bytes, path: str) -> Any:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    if status < 300:
        return answer
    reason = answer.get("error") if isinstance(answer, dict) else None
    message = str(reason or f"the daemon answered {status} to {path}")
    raise UsageError(message) if status == 404 else SinchflowError(message)
