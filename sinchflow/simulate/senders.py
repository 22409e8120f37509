"""What an account may send from: sender addresses and dedicated numbers (sinch-api.md 14.2 and 14.3), for reading.

Numbers are listed without a plus, as documented. What the documents leave open is decided so: a token is a place in the
list as filtered, and registering, verifying, buying and releasing are not simulated (404).
"""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from sinchflow.simulate.bodies import ACCOUNT
from sinchflow.simulate.call import Call, bad_request, not_allowed, not_found
from sinchflow.simulate.web import Reply

ADDRESSES = "/v1/messaging/numbers/sender_address/addresses"
ASSIGNMENTS = "/v1/messaging/numbers/dedicated/assignments"
_MOST = 1_000
_NEVER = "2026-01-01T00:00:00.000Z"


class SenderAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One approved sender address. expiry and display_status belong to own numbers."""

    sender_address: str
    sender_address_type: Literal["ALPHANUMERIC", "INTERNATIONAL", "SHORT_CODE"] = "INTERNATIONAL"
    usage_type: Literal["ALPHANUMERIC", "OWN_NUMBER", "DEDICATED", "HOSTED_NUMBER"] = "DEDICATED"
    destination_countries: tuple[str, ...] = ("AU",)
    reason: str = ""
    label: str = ""
    account_id: str = ACCOUNT
    created_date: str = _NEVER
    last_modified_date: str = _NEVER
    expiry: str | None = None
    display_status: Literal["APPROVED", "EXPIRING", "EXPIRED"] | None = None

    @property
    def id(self) -> str:
        """Made of the address."""
        return _id(f"address {self.sender_address}")

    def shown(self) -> dict[str, Any]:
        """As the API lists it."""
        found = {"id": self.id, **msgspec.structs.asdict(self)}
        found["sender_address"] = self.sender_address.removeprefix("+")
        return {name: value for name, value in found.items() if value is not None}


class DedicatedNumber(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number that the account holds, with what the account says about it."""

    phone_number: str
    country: str = "AU"
    type: Literal["MOBILE", "LANDLINE", "TEN_DLC", "TOLL_FREE", "SHORT_CODE", "HOSTED_TEN_DLC", "HOSTED_TOLL_FREE"] = (
        "MOBILE"
    )
    classification: Literal["BRONZE", "SILVER", "GOLD"] = "BRONZE"
    capabilities: tuple[Literal["SMS", "TTS", "MMS"], ...] = ("SMS",)
    label: str = ""
    metadata: dict[str, str] = {}

    @property
    def id(self) -> str:
        """Made of the number."""
        return _id(f"number {self.phone_number}")

    def shown(self) -> dict[str, Any]:
        """As the API lists it."""
        return {
            "assignment": {
                "id": _id(f"assignment {self.phone_number}"),
                "number_id": self.id,
                "label": self.label,
                "metadata": self.metadata,
            },
            "number": {
                "id": self.id,
                "phone_number": self.phone_number.removeprefix("+"),
                "country": self.country,
                "type": self.type,
                "classification": self.classification,
                "available_after": _NEVER,
                "capabilities": self.capabilities,
            },
        }


def answer_addresses(call: Call, addresses: Sequence[SenderAddress]) -> Reply:
    """GET of the list of sender addresses, and of one of them."""
    if call.method != "GET":
        return not_allowed(call)
    if call.path != ADDRESSES:
        id_ = call.path.removeprefix(f"{ADDRESSES}/")
        one = next((address for address in addresses if address.id == id_), None)
        return not_found() if one is None else Reply(200, one.shown())
    asked = call.query
    if "expiry_status" in asked and not {"sender_address_type", "usage_type"} <= set(asked):
        return bad_request("expiry_status: needs sender_address_type and usage_type")
    tests: dict[str, Callable[[SenderAddress, str], bool]] = {
        "sender_address": lambda address, text: text.removeprefix("+").lower() in address.sender_address.lower(),
        "sender_address_type": lambda address, text: address.sender_address_type == text,
        "usage_type": lambda address, text: address.usage_type == text,
        "expiry_status": lambda address, text: address.display_status == text,
    }
    found = [
        each for each in addresses if all(test(each, asked[name]) for name, test in tests.items() if name in asked)
    ]
    return _page(call, [each.shown() for each in found], 20)


def answer_assignments(call: Call, numbers: Sequence[DedicatedNumber]) -> Reply:
    """GET of the dedicated numbers that the account holds."""
    if call.method != "GET":
        return not_allowed(call)
    asked = call.query
    if "types" in asked:
        asked.pop("type", None)
    tests: dict[str, Callable[[DedicatedNumber, str], bool]] = {
        "number_id": lambda number, text: number.id == text,
        "matching": lambda number, text: text in number.phone_number,
        "country": lambda number, text: number.country == text,
        "type": lambda number, text: number.type == text,
        "types": lambda number, text: number.type in text.split(","),
        "classification": lambda number, text: number.classification == text,
        "service_types": lambda number, text: set(text.split(",")) <= set(number.capabilities),
        "label": lambda number, text: text in number.label,
    }
    found = [each for each in numbers if all(test(each, asked[name]) for name, test in tests.items() if name in asked)]
    reply = _page(call, [each.shown() for each in found], 50)
    reply.media_type = b"application/json;charset=UTF-8"
    return reply


def _page(call: Call, found: list[dict[str, Any]], default: int) -> Reply:
    size = call.number("page_size", default, 1, _MOST)
    token = call.query.get("token")
    start = 0 if token is None else _place(token)
    if size is None or start is None:
        return bad_request("page_size: must be a number from 1 on" if size is None else "token: is no token of ours")
    pagination: dict[str, Any] = {"page_size": size}
    if start + size < len(found):
        pagination["next_token"] = str(uuid.UUID(int=start + size))
    return Reply(200, {"data": found[start : start + size], "pagination": pagination})


def _place(token: str) -> int | None:
    try:
        place = uuid.UUID(token).int
    except ValueError:
        return None
    return place if place < 1 << 32 else None


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))
