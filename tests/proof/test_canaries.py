"""The short form of `canaries`: what an `http` call and one of the provider say when all that is told comes back."""

import asyncio
import json
import re
from datetime import timedelta

import pytest

from sinchflow.model.command import CallUrl
from sinchflow.model.event import SECRET_BEGIN, SECRET_END
from sinchflow.runtime.outbound import Outbound, OutboundClient
from sinchflow.runtime.perform import call_url
from sinchflow.runtime.secrets import Secrets
from sinchflow.sinch.client import BasicKey, Client, HmacKey
from tests.proof._echo import Echo
from tests.proof.canaries import NAMES, Canaries, calls
from tests.proof.dose import Dose


@pytest.fixture
def canaries(tmp_path):
    return Canaries(Dose(seed=7, scale=1, folder=tmp_path))


def marked(value):
    """Rendered as a template is: secrets as references."""
    return json.loads(re.sub(r"\{\{ secrets\.(\w+) \}\}", rf"{SECRET_BEGIN}\1{SECRET_END}", json.dumps(value)))


def command(call):
    given = marked(call)
    login = given.get("auth")
    return CallUrl(
        id="1:0:0", method=given.get("method", "GET"), url=given["url"], headers=given.get("headers", {}),
        query=list(given.get("query", {}).items()), follow_redirects=given.get("follow_redirects", False),
        content=json.dumps(given.get("json", given.get("form"))), parse=given.get("parse", "auto"),
        basic_auth=(login["username"], login["password"]) if login else None, timeout=timedelta(seconds=1),
    )  # fmt: skip


def test_what_an_http_step_says_holds_no_secret(canaries):
    async def scenario(port):
        secrets = Secrets({name: canaries.value(name).replace("PORT", str(port)) for name in NAMES})
        client = OutboundClient(Outbound(["127.0.0.1", "localhost"]))
        try:
            asked = {name: command(call) for name, call in calls(port).items() if name != "c-hang"}
            said = await asyncio.gather(*(call_url(client, each, secrets) for each in asked.values()))
            return dict(zip(asked, said, strict=True))
        finally:
            await client.close()

    with Echo().running() as echo:
        said = asyncio.run(scenario(echo.port))
        assert echo.asked > 15
    assert {name: found for name, each in said.items() if (found := canaries.found_in(repr(each).encode()))} == {}


@pytest.mark.parametrize("kind", [BasicKey, HmacKey])
def test_what_the_provider_says_holds_no_secret(canaries, kind):
    async def scenario(echo):
        key = kind(api_key=canaries.value("API_KEY"), api_secret=canaries.value("API_SECRET"))
        said = []
        async with Client(f"http://127.0.0.1:{echo.port}", key) as client:
            for echo.mode in ("200-json", "401", "500", "302", "429", "percent", "base64", "half", "reset"):
                said.append(await client.call("POST", "/v1/messages", b"{}"))
        return said

    with Echo().running() as echo:
        said = asyncio.run(scenario(echo))
    assert [found for each in said if (found := canaries.found_in(repr(each).encode()))] == []
    assert b"***" in said[0].body or kind is HmacKey
