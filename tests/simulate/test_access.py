"""Which keys the simulated Sinch lets in: the documented vectors, and what is wrong by one detail."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from sinchflow.simulate.access import Access
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.client import Answer, Client, HmacKey

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "hmac-vectors.json").read_text())["hmac"]
WHEN = datetime(2026, 8, 18, 3, 43, 24, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def request_of(vector: dict[str, Any]) -> tuple[str, bytes, dict[bytes, bytes], bytes]:
    method, target, _ = vector["request_line"].split(" ")
    headers = {b"authorization": vector["authorization"].encode(), b"date": vector["date"].encode()}
    if vector["content_md5"]:
        headers[b"content-md5"] = vector["content_md5"].encode()
    return method, target.encode(), headers, (vector["body"] or "").encode()


def allows(vector: dict[str, Any], *, kind: str = "hmac", now: datetime = WHEN, **change: Any) -> bool:
    method, target, headers, body = request_of(vector)
    access = Access(kind, vector["api_key"], change.pop("secret", vector["api_secret"]), now=lambda: now)  # type: ignore[arg-type]
    headers |= change.pop("headers", {})
    asked = {"method": method, "target": target, "headers": headers, "body": body, **change}
    return access.allows(**asked)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"kind": "any"}, True),
        ({"now": WHEN + 5 * MINUTE}, True),
        ({"now": WHEN - 5 * MINUTE}, True),
        ({"now": WHEN + 6 * MINUTE}, False),
        ({"now": WHEN - 6 * MINUTE}, False),
        ({"kind": "basic"}, False),
        ({"secret": "another"}, False),
        ({"method": "PUT"}, False),
        ({"target": b"/v1/messages?x=1"}, False),
        ({"body": b"{}"}, False),
        ({"headers": {b"date": b"Tue, 18 Aug 2026 03:43:25 GMT"}}, False),
        ({"headers": {b"date": b"2026-08-18T03:43:24Z"}}, False),
        ({"headers": {b"authorization": b'hmac username="x"'}}, False),
        ({"headers": {b"authorization": b"Basic eDp5"}}, False),
    ],
)
def test_hmac_holds_to_the_vectors(vector: dict[str, Any], change: dict[str, Any], expected: bool) -> None:
    assert allows(vector, **change) == expected


def test_body_needs_its_digest() -> None:
    assert not allows(VECTORS[0], headers={b"content-md5": b""})
    assert not allows(VECTORS[0], headers={b"content-md5": b"5DVd0InvcqhzCiOKOjJCNw=="})


@pytest.mark.parametrize(
    "path", ["/v1/replies", "/v1/webhooks/messages?page=0", "/v1/iam/signature_keys/enabled", "/x"]
)
def test_wrong_key_is_refused_on_every_endpoint(talk: Any, path: str) -> None:
    headers = {"Authorization": 'hmac username="k"', "Date": format_datetime(datetime.now(UTC), usegmt=True)}
    sim = SimulatedSinch(api_key="k", api_secret="s", auth="any")
    answer = talk(sim, lambda http: http.get(path, headers=headers), auth=None)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid authentication credentials"})


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("GET", "/v1/webhooks/messages?page=0&page_size=5", b"", 200),
        ("GET", "/v1/number_authorisation/is_authorised/%2B61491570156", b"", 200),
        ("POST", "/v1/replies/confirmed", b'{"reply_ids": []}', 202),
    ],
)
def test_our_client_signs_as_is_expected(serve: Any, method: str, target: str, body: bytes, status: int) -> None:
    async def main() -> None:
        sim = SimulatedSinch(api_key="k", api_secret="s", auth="hmac")
        async with serve(sim) as url:
            for secret, expected in (("s", status), ("t", 401)):
                async with Client(url, HmacKey(api_key="k", api_secret=secret), sub_account="nz") as client:
                    answer = await client.call(method, target, body)
                    assert isinstance(answer, Answer)
                    assert answer.status == expected
        assert [call.account for call in sim.requests] == ["nz", "nz"]

    asyncio.run(main())
