"""Answers of the admin API."""

from typing import Any

import msgspec
from starlette.responses import Response

#: The largest id that a journal can hold.
LARGEST_ID = 2**63 - 1


def whole_number(text: str, most: int) -> int | None:
    """What a caller wrote, if it is a whole number from 0 to `most`. Python itself refuses to read very long ones."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 30):
        return None
    number = int(text)
    return number if number <= most else None


def json_reply(status: int, content: Any) -> Response:
    """A JSON body."""
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def error_reply(status: int, reason: str) -> Response:
    """Why it was refused."""
    return json_reply(status, {"error": reason})
