"""Answers of the admin API."""

from typing import Any

import msgspec
from starlette.responses import Response

#: The largest id that a journal can hold.
LARGEST_ID = 2**63 - 1


def json_reply(status: int, content: Any) -> Response:
    """A JSON body."""
    return Response(msgspec.json.encode(content), status_code=status, media_type="application/json")


def error_reply(status: int, reason: str) -> Response:
    """Why it was refused."""
    return json_reply(status, {"error": reason})
