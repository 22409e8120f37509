"""Replies and delivery reports by polling (sinch-api.md sections 4 and 5).

One queue of each per account: the oldest 100 unconfirmed, the same ones until they are confirmed. Confirming hides
them from every reader of the account.
"""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed, ask, ask_raw

#: Entries that one call gives or takes.
MOST = 100


class _Replies(msgspec.Struct):
    replies: list[msgspec.Raw]


class _Reports(msgspec.Struct):
    delivery_reports: list[msgspec.Raw]


_Found = TypeVar("_Found", _Replies, _Reports)


async def unconfirmed_replies(calls: Calls) -> Sequence[bytes]:
    """The oldest unconfirmed replies, up to `MOST`, each as its JSON. Raises CallFailed."""
    found = _decoded(await ask_raw(calls, "GET", "/v1/replies"), _Replies)
    return [bytes(each) for each in found.replies]


async def confirm_replies(calls: Calls, reply_ids: Sequence[str]) -> None:
    """Take these, up to `MOST`, out of the queue. Raises CallFailed."""
    await ask(calls, "POST", "/v1/replies/confirmed", {"reply_ids": reply_ids}, expect=(200, 202), reads=False)


async def unconfirmed_reports(calls: Calls) -> Sequence[bytes]:
    """The oldest unconfirmed delivery reports, up to `MOST`, each as its JSON. Raises CallFailed."""
    found = _decoded(await ask_raw(calls, "GET", "/v1/delivery_reports"), _Reports)
    return [bytes(each) for each in found.delivery_reports]


async def confirm_reports(calls: Calls, report_ids: Sequence[str]) -> None:
    """Take these, up to `MOST`, out of the queue. Raises CallFailed."""
    body = {"delivery_report_ids": report_ids}
    await ask(calls, "POST", "/v1/delivery_reports/confirmed", body, expect=(200, 202), reads=False)


def _decoded(body: bytes, kind: type[_Found]) -> _Found:
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError):
        raise CallFailed("the provider's answer cannot be read; check base_url", "unknown") from None
