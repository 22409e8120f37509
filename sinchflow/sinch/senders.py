"""The numbers and names that an account may send from, shaped as the connector's "Get sender IDs" (sinch-api.md 16.3).

Gathered from the documented endpoints, over all pages: source addresses (14.2) and dedicated numbers (14.3), which say
what a number can do. Dedicated numbers are a paid feature; an account without it simply has none.
"""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from sinchflow.sinch.authorisation import with_plus
from sinchflow.sinch.client import Calls
from sinchflow.sinch.failure import CallFailed, ask

_ADDRESSES = "/v1/messaging/numbers/sender_address/addresses"
_ASSIGNMENTS = "/v1/messaging/numbers/dedicated/assignments"
_PAGE_SIZE = 100
_MOST_PAGES = 1_000

#: How a sender came to be the account's, for people.
_USAGES = {
    "ALPHANUMERIC": "Alpha tag", "OWN_NUMBER": "Own number", "DEDICATED": "Dedicated number",
    "HOSTED_NUMBER": "Hosted number",
}  # fmt: skip
_TYPES = {
    "MOBILE": "mobile", "LANDLINE": "landline", "TEN_DLC": "10DLC", "TOLL_FREE": "toll-free",
    "SHORT_CODE": "short code", "HOSTED_TEN_DLC": "10DLC", "HOSTED_TOLL_FREE": "toll-free",
}  # fmt: skip


async def gather_senders(calls: Calls, default_number: str | None, vendor_id: str | None = None) -> dict[str, Any]:
    """`pagination default_sender senders account_id vendor_id`, as the connector names them. Raises CallFailed.

    default_number: the configured one; no endpoint tells the account's default. vendor_id: where known; else it is
    looked for in a reply or report that is waiting to be polled, which confirms nothing.
    """
    addresses = [each async for each in _pages(calls, _ADDRESSES)]
    dedicated = await _dedicated(calls)
    senders = [_from_address(each, dedicated) for each in addresses]
    listed = {_digits(sender["number"]) for sender in senders}
    senders += [_from_assignment(each) for digits, each in dedicated.items() if digits not in listed]
    for sender in senders:
        sender["is_default"] = default_number is not None and _digits(sender["number"]) == _digits(default_number)
    default = next((sender for sender in senders if sender["is_default"]), None)
    return {
        "pagination": {"page": 1, "page_size": len(senders), "total_count": len(senders), "page_count": 1},
        "default_sender": None
        if default_number is None
        else {
            "type": default["type"] if default else None,
            "number": default["number"] if default else default_number,
            "source_type": default["source_type"] if default else None,
            "mms_capable": default["mms_capable"] if default else False,
        },
        "senders": senders,
        "account_id": next((each["account_id"] for each in addresses if each.get("account_id")), None),
        "vendor_id": vendor_id or await _vendor_id(calls),
    }


async def _dedicated(calls: Calls) -> dict[str, dict[str, Any]]:
    """Assignments by the digits of their number."""
    try:
        found = {
            _digits(str(_mapping(each.get("number")).get("phone_number") or "")): each
            async for each in _pages(calls, _ASSIGNMENTS)
        }
    except CallFailed as failure:
        if failure.status == 403:
            return {}
        raise
    found.pop("", None)
    return found


async def _pages(calls: Calls, path: str) -> AsyncIterator[dict[str, Any]]:
    token: str | None = None
    for _ in range(_MOST_PAGES):
        query = {"page_size": str(_PAGE_SIZE)} | ({} if token is None else {"token": token})
        answer = await ask(calls, "GET", f"{path}?{urlencode(query)}")
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise CallFailed("the provider's answer is no list of senders; check base_url", "unknown")
        for each in entries:
            yield _mapping(each)
        following = _mapping(answer.get("pagination")).get("next_token")
        if not following or following == token:
            return
        token = str(following)


def _from_address(address: dict[str, Any], dedicated: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name = str(address.get("sender_address") or "")
    assigned = dedicated.get(_digits(name)) if _digits(name) else None
    number = _mapping((assigned or address).get("number"))
    usage = address.get("usage_type")
    return {
        "number": with_plus(name) if address.get("sender_address_type") == "INTERNATIONAL" else name,
        "number_id": number.get("id") or address.get("id"),
        "label": address.get("label") or _mapping((assigned or {}).get("assignment")).get("label"),
        "type": _sending_type(address.get("sender_address_type")),
        "source_type": usage,
        "display_type": _display_type(usage, number.get("type")),
        "is_default": False,
        "mms_capable": _is_mms_capable(number),
        "number_status": address.get("display_status") or "APPROVED",
    }


def _from_assignment(assigned: dict[str, Any]) -> dict[str, Any]:
    number = _mapping(assigned.get("number"))
    is_short = number.get("type") == "SHORT_CODE"
    written = str(number.get("phone_number") or "")
    return {
        "number": written if is_short else with_plus(written),
        "number_id": number.get("id"),
        "label": _mapping(assigned.get("assignment")).get("label"),
        "type": "SHORTCODE" if is_short else "INTERNATIONAL",
        "source_type": "DEDICATED",
        "display_type": _display_type("DEDICATED", number.get("type")),
        "is_default": False,
        "mms_capable": _is_mms_capable(number),
        "number_status": "APPROVED",
    }


def _sending_type(listed: Any) -> str | None:
    """The lists write SHORT_CODE where sending wants SHORTCODE (section 14.4)."""
    return "SHORTCODE" if listed == "SHORT_CODE" else listed


def _display_type(usage: Any, number_type: Any) -> str:
    words = _USAGES.get(str(usage), str(usage or "Sender").replace("_", " ").capitalize())
    return f"{words} ({_TYPES[str(number_type)]})" if str(number_type) in _TYPES else words


def _is_mms_capable(number: dict[str, Any]) -> bool:
    capabilities = number.get("capabilities")
    return isinstance(capabilities, list) and "MMS" in capabilities


def _mapping(value: Any) -> dict[str, Any]:
    """The value where an object belongs; anything else counts as an empty one."""
    return value if isinstance(value, dict) else {}


def _digits(number: str) -> str:
    """Numbers are compared by their digits; a name has none to speak of and is compared as it is."""
    return number.removeprefix("+") if number.removeprefix("+").isdigit() else number


async def _vendor_id(calls: Calls) -> str | None:
    for path, name in (("/v1/replies", "replies"), ("/v1/delivery_reports", "delivery_reports")):
        try:
            entries = _mapping(await ask(calls, "GET", path)).get(name)
        except CallFailed:  # a nicety, for which the senders are not given up
            return None
        for each in entries if isinstance(entries, list) else ():
            if found := _mapping(_mapping(each).get("vendor_account_id")).get("vendor_id"):
                return str(found)
    return None
