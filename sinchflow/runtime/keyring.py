"""The public signature keys of the project, in `signature-keys.json` in its root.

The provider shows a public key once, when it is created, so the file is written before anything else is done with it.
Public keys are no secrets: the file belongs into Git. Fetching, creating and enabling keys is not done here.
"""

import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sinchflow.errors import CannotStart
from sinchflow.sinch.signature import BadKey, SignatureKey, Verifier

#: In the project's root.
KEYS_FILE = "signature-keys.json"


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's content."""

    keys: list[SignatureKey]


def read_keys(root: Path) -> list[SignatureKey]:
    """The project's keys, those of all accounts; none without a file. Raises CannotStart for a file that is none."""
    path = root / KEYS_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        json.loads(data.decode())
    except (ValueError, RecursionError) as error:  # also text that is not UTF-8
        line = getattr(error, "lineno", 1)
        raise CannotStart(f"{KEYS_FILE}:{line}: is no JSON ({_reason(error)}): restore it from Git") from error
    try:
        return _checked(msgspec.json.decode(data, type=_Keys).keys, data)
    except (msgspec.DecodeError, RecursionError) as error:
        found = re.search(r"\$\.keys\[(\d+)\]", str(error))
        line = _line(data, int(found[1])) if found else 1
        raise CannotStart(f"{KEYS_FILE}:{line}: {error}; restore the file from Git") from error


def write_keys(root: Path, keys: Sequence[SignatureKey]) -> None:
    """Replace the file, whole or not at all. Raises CannotStart when it cannot be written."""
    path = root / KEYS_FILE
    text = json.dumps(msgspec.to_builtins(_Keys(list(keys))), indent=2) + "\n"
    try:
        handle, name = tempfile.mkstemp(prefix=f".{KEYS_FILE}.", dir=root)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise CannotStart(f"{path} cannot be written: {error.strerror or error}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "not UTF-8" if isinstance(error, UnicodeError) else "too long a number, or nested too deep"


def _checked(keys: list[SignatureKey], data: bytes) -> list[SignatureKey]:
    seen = set()
    for number, key in enumerate(keys):
        if key.key_id in seen:
            raise CannotStart(f"{KEYS_FILE}:{_line(data, number)}: key {key.key_id} stands there twice: delete one")
        seen.add(key.key_id)
        try:
            Verifier([key])
        except BadKey as error:
            raise CannotStart(f"{KEYS_FILE}:{_line(data, number)}: {error}, or restore the file from Git") from error
    return keys


def _line(data: bytes, number: int) -> int:
    """The line on which the key with this number, from 0, begins: keys are flat, so each has one opening brace."""
    begins = [found.start() for found in re.finditer(rb"\{", data)]
    place = begins[number + 1] if number + 1 < len(begins) else 0
    return data.count(b"\n", 0, place) + 1
