"""Sender addresses and dedicated numbers as they are listed: filtered, page by page, and not without the feature."""

from typing import Any

import httpx
import pytest

from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.senders import ADDRESSES, ASSIGNMENTS, DedicatedNumber, SenderAddress

SENDERS = (
    SenderAddress(sender_address="+61491593156", label="main"),
    SenderAddress(sender_address="Acme", sender_address_type="ALPHANUMERIC", usage_type="ALPHANUMERIC"),
    SenderAddress(
        sender_address="+61491570156",
        usage_type="OWN_NUMBER",
        display_status="EXPIRING",
        expiry="2026-12-01T00:00:00.000Z",
    ),
    SenderAddress(sender_address="190123", sender_address_type="SHORT_CODE"),
)
NUMBERS = (
    DedicatedNumber(phone_number="+61491593156", capabilities=("SMS", "MMS"), label="main", metadata={"a": "b"}),
    DedicatedNumber(phone_number="+6421555000", country="NZ", type="LANDLINE", classification="GOLD"),
    DedicatedNumber(phone_number="190123", type="SHORT_CODE"),
)


def found(talk: Any, path: str, **query: Any) -> dict[str, Any]:
    answer = talk(SimulatedSinch(senders=SENDERS, dedicated=NUMBERS), lambda http: http.get(path, params=query))
    assert answer.status_code == 200
    data: dict[str, Any] = answer.json()
    return data


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["61491593156", "Acme", "61491570156", "190123"]),
        ({"sender_address": "acm"}, ["Acme"]),
        ({"sender_address": "+6149157"}, ["61491570156"]),
        ({"sender_address_type": "SHORT_CODE"}, ["190123"]),
        ({"usage_type": "DEDICATED", "sender_address_type": "INTERNATIONAL"}, ["61491593156"]),
        (
            {"usage_type": "OWN_NUMBER", "sender_address_type": "INTERNATIONAL", "expiry_status": "EXPIRING"},
            ["61491570156"],
        ),
    ],
)
def test_addresses_are_filtered(talk: Any, fits: Any, query: dict[str, str], expected: list[str]) -> None:
    data = found(talk, ADDRESSES, **query)
    fits("GetAllApprovedSenderAddresses", data)
    assert [each["sender_address"] for each in data["data"]] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["61491593156", "6421555000", "190123"]),
        ({"matching": "555"}, ["6421555000"]),
        ({"country": "NZ"}, ["6421555000"]),
        ({"type": "SHORT_CODE"}, ["190123"]),
        ({"types": "SHORT_CODE,LANDLINE", "type": "MOBILE"}, ["6421555000", "190123"]),
        ({"classification": "GOLD"}, ["6421555000"]),
        ({"service_types": "MMS"}, ["61491593156"]),
        ({"label": "mai"}, ["61491593156"]),
        ({"number_id": NUMBERS[2].id}, ["190123"]),
    ],
)
def test_dedicated_numbers_are_filtered(talk: Any, fits: Any, query: dict[str, str], expected: list[str]) -> None:
    data = found(talk, ASSIGNMENTS, **query)
    fits("AssignedNumberListResponse", data)
    assert [each["number"]["phone_number"] for each in data["data"]] == expected
    assert all(each["assignment"]["number_id"] == each["number"]["id"] for each in data["data"])


@pytest.mark.parametrize(("path", "count", "default"), [(ADDRESSES, 4, 20), (ASSIGNMENTS, 3, 50)])
def test_pages_follow_the_token(talk: Any, path: str, count: int, default: int) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        whole = (await http.get(path)).json()
        assert (len(whole["data"]), whole["pagination"]) == (count, {"page_size": default})
        data, token = [], ""
        while token is not None:
            page = (await http.get(path, params={"page_size": 2, **({"token": token} if token else {})})).json()
            assert len(page["data"]) <= 2
            data += page["data"]
            token = page["pagination"].get("next_token")
        assert data == whole["data"]
        bad = [await http.get(path, params=query) for query in ({"token": "x"}, {"page_size": 0}, {"token": "f" * 32})]
        assert [answer.status_code for answer in bad] == [400, 400, 400]

    talk(SimulatedSinch(senders=SENDERS, dedicated=NUMBERS), main)


def test_one_address_is_found_by_its_id(talk: Any, fits: Any) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        one = await http.get(f"{ADDRESSES}/{SENDERS[2].id}")
        fits("GetSenderAddress", one.json())
        assert (one.json()["sender_address"], one.json()["display_status"]) == ("61491570156", "EXPIRING")
        assert (await http.get(f"{ADDRESSES}/x")).status_code == 404
        assert (await http.get(f"{ADDRESSES}?expiry_status=EXPIRED")).status_code == 400
        assert (await http.post(ADDRESSES)).status_code == 405
        assert (await http.delete(ASSIGNMENTS)).status_code == 405

    talk(SimulatedSinch(senders=SENDERS), main)


def test_account_has_its_number_unless_told_otherwise(talk: Any) -> None:
    data = talk(SimulatedSinch(number="+6421555000"), lambda http: http.get(ADDRESSES)).json()["data"]
    assert [each["sender_address"] for each in data] == ["6421555000"]
    assert talk(SimulatedSinch(senders=(), dedicated=()), lambda http: http.get(ASSIGNMENTS)).json()["data"] == []


@pytest.mark.parametrize(
    ("path", "features"),
    [
        (ADDRESSES, Features(sender_addresses=False)),
        (ASSIGNMENTS, Features(dedicated_numbers=False)),
        ("/v2-preview/reporting/messages/detail", Features(reporting=False)),
    ],
)
def test_without_the_feature_all_is_403(talk: Any, fits: Any, path: str, features: Features) -> None:
    answer = talk(SimulatedSinch(features=features), lambda http: http.get(path))
    assert answer.status_code == 403
    fits("403response", answer.json())
