"""Detail reports: which messages the provider has taken, by a metadata value (sinch-api.md section 13).

A message that is found was taken. One that is not found may have been: how long the report takes to show a message is
not documented. How it compares values, and in which time zone it reads times, is not either: the window is generous,
and values are compared here.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec

from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed, ask_raw

#: Values in one request, and messages on one page; the provider's limit for the page, and ours for the values.
MOST = 100
#: For whatever time zone the account has.
_MARGIN = timedelta(days=2)
#: A value of ours is on one message, or on two when it went out twice.
_MOST_PAGES = 10

_PATH = "/v2-preview/reporting/messages/detail"


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the provider has, by the value that was asked for. destination: as the provider writes it."""

    value: str
    message_id: str
    status: str | None
    destination: str


class _Pair(msgspec.Struct):
    key: str
    value: str | None = None


class _Row(msgspec.Struct):
    message_id: str
    status: str | None = None
    destination_address: str | None = None
    metadata: list[_Pair] | None = None


class _Pagination(msgspec.Struct):
    has_next: bool = False


class _Page(msgspec.Struct):
    messages: list[_Row]
    pagination: _Pagination | None = None


_decode = msgspec.json.Decoder(_Page).decode


async def find(calls: Calls, key: str, values: Collection[str], since: datetime, until: datetime) -> list[Reported]:
    """The outbound messages whose metadata `key` is one of these values (`MOST` at most). Raises CallFailed.

    since, until: when they may have been taken; the window that is asked for is wider.
    """
    found: list[Reported] = []
    for page in range(_MOST_PAGES):
        body = {
            "start_date": _written(since - _MARGIN),
            "end_date": _written(until + _MARGIN),
            "direction": "outbound",
            "metadata_key": key,
            "metadata_values": list(values),
            "page": page,
            "page_size": MOST,
        }
        try:
            answer = _decode(await ask_raw(calls, "POST", _PATH, body))
        except (ValueError, RecursionError):
            raise CallFailed("the provider's report cannot be read; check base_url", "unknown") from None
        found += _wanted(answer.messages, key, values)
        if answer.pagination is None or not answer.pagination.has_next or not answer.messages:
            break
    return found


def _wanted(rows: list[_Row], key: str, values: Collection[str]) -> list[Reported]:
    return [
        Reported(
            value=pair.value, message_id=row.message_id, status=row.status, destination=row.destination_address or ""
        )
        for row in rows
        for pair in row.metadata or ()
        if pair.key == key and pair.value is not None and pair.value in values
    ]


def _written(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
