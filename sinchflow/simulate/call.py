"""One call of the API, as the resources see it, and the refusals that they share (sinch-api.md section 15)."""

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from sinchflow.simulate.error_bodies import FEATURE_OFF, INVALID, api_error
from sinchflow.simulate.web import Reply

if TYPE_CHECKING:
    from sinchflow.simulate.account import Account


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request that showed the right key. `path` is decoded; `raw_query` is as on the wire."""

    method: str
    path: str
    raw_query: bytes
    body: bytes
    account: "Account"

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, the last of each name."""
        return dict(parse_qsl(self.raw_query.decode("latin-1"), keep_blank_values=True))

    def number(self, name: str, default: int | None, least: int, most: int) -> int | None:
        """A whole number of the query; None when it is none between `least` and `most`, or missing without default."""
        text = self.query.get(name)
        if text is None:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
        return number if least <= number <= most else None

    def json(self) -> dict[str, Any] | None:
        """The body, when it is a JSON object."""
        try:
            data = msgspec.json.decode(self.body)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None


def bad_request(*details: str, message: str = INVALID) -> Reply:
    """400 with `details`, as messages, replies, reports, numbers and signature keys have it."""
    return Reply(400, {"message": message, "details": details})


def not_found() -> Reply:
    """404."""
    return Reply(404, {"message": "Resource not found."})


def feature_off() -> Reply:
    """403."""
    return Reply(403, {"message": FEATURE_OFF})


def not_allowed(call: Call) -> Reply:
    """405, which no document mentions."""
    return Reply(405, api_error("method_not_allowed", "Method not allowed", f"{call.method} is not allowed here"))
