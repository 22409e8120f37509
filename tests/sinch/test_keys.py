"""How a request proves whose it is: the vectors of both kinds of key, and the sub-account's header."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sinchflow.sinch.client import BasicKey, Client, HmacKey

VECTORS = json.loads((Path(__file__).parent / "data" / "test-vectors.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 8, 18, 3, 43, 24, tzinfo=UTC)


def test_basic_key_gives_the_vector():
    vector = VECTORS["basic"]
    key = BasicKey(api_key=vector["api_key"], api_secret=vector["api_secret"])
    assert key.headers("GET", "/v1/replies", b"") == {"Authorization": vector["authorization"]}


@pytest.mark.parametrize("vector", VECTORS["hmac"], ids=lambda vector: vector["name"])
def test_hmac_key_gives_the_vector(vector):
    key = HmacKey(api_key=vector["api_key"], api_secret=vector["api_secret"], now=lambda: NOW)
    method, target, _ = vector["request_line"].split(" ")
    headers = key.headers(method, target, (vector["body"] or "").encode())
    expected = {"Date": vector["date"], "Content-MD5": vector["content_md5"], "Authorization": vector["authorization"]}
    assert headers == {name: value for name, value in expected.items() if value is not None}


@pytest.mark.parametrize("change", ["method", "target", "body", "secret", "date"])
def test_hmac_signature_depends_on_every_part(change):
    parts = {"method": "POST", "target": "/v1/messages?a=b", "body": "{}", "secret": "s", "date": NOW}
    other = parts | {change: NOW.replace(second=25) if change == "date" else f"{parts[change]}x"}

    def signature(given) -> str:
        key = HmacKey(api_key="k", api_secret=given["secret"], now=lambda: given["date"])
        return key.headers(given["method"], given["target"], given["body"].encode())["Authorization"]

    assert signature(parts) != signature(other)


@pytest.mark.parametrize("key", [BasicKey(api_key="k", api_secret="hush"), HmacKey(api_key="k", api_secret="hush")])
def test_secret_is_never_shown(key):
    assert "hush" not in f"{key!r} {key!s}"


@pytest.mark.parametrize("sub_account", [None, "Acme East"])
def test_call_carries_the_key_and_the_sub_account(sub_account):
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    async def scenario():
        key = HmacKey(api_key="k", api_secret="s", now=lambda: NOW)
        async with Client(
            "https://sim.example/", key, sub_account=sub_account, transport=httpx.MockTransport(answer)
        ) as client:
            await client.call("GET", "/v1/replies?x=1")
            await client.call("POST", "/v1/messages", b"{}")

    asyncio.run(scenario())
    assert [request.headers.get("account") for request in seen] == [sub_account] * 2
    assert [request.headers["accept"] for request in seen] == ["application/json"] * 2
    assert seen[0].url.raw_path == b"/v1/replies?x=1"
    assert 'headers="Date request-line"' in seen[0].headers["authorization"]
    assert 'headers="Date Content-MD5 request-line"' in seen[1].headers["authorization"]
