"""Which addresses `http` steps may reach. Each is dialled for real, with a server behind it that must not be met."""

import asyncio
import socket
from datetime import timedelta

import pytest

from sinchflow.model.command import Answered, CallUrl
from sinchflow.runtime.outbound import Outbound, OutboundClient
from sinchflow.runtime.perform import call_url
from sinchflow.runtime.secrets import Secrets

NO_SECRETS = Secrets({})


def get(url: str) -> CallUrl:
    return CallUrl(id="1:0:0", method="GET", url=url, timeout=timedelta(seconds=5))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "localhost",
        "LOCALHOST",
        "0.0.0.0",
        "0",
        "2130706433",
        "127.1",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "127.0.0.1.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]",
        "[2002:7f00:1::]",
        "127。0。0。1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "anyone@127.0.0.1",
    ],
)
def test_special_address_is_refused_however_it_is_written(answering, host):
    async def scenario():
        async with answering() as url:
            client = OutboundClient(Outbound())
            outcome = (await call_url(client, get(f"http://{host}:{url.port}/"), NO_SECRETS)).outcome
            await client.close()
            assert url.requests == []
            return outcome

    outcome = asyncio.run(scenario())
    assert outcome.kind == "outbound"
    assert "outbound: {allow: [" in outcome.message


@pytest.mark.parametrize("url", ["http://0177.0.0.1/", "http://①②⑦.⓪.⓪.①/", "http://[::1/", "http://1.2.3.4.5/"])
def test_address_that_is_none_is_not_requested(url):
    async def scenario():
        client = OutboundClient(Outbound(["0.0.0.0/0", "::/0"]))
        try:
            return (await call_url(client, get(url), NO_SECRETS)).outcome
        finally:
            await client.close()

    assert asyncio.run(scenario()).kind in {"value", "connection"}


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("127.0.0.0/8", "127.0.0.1"),
        ("127.0.0.1/8", "127.0.0.1"),
        ("localhost", "LocalHost"),
    ],
)
def test_allowed_address_network_or_name_is_reached(answering, entry, host):
    async def scenario():
        async with answering() as url:
            client = OutboundClient(Outbound([entry]))
            outcome = (await call_url(client, get(f"http://{host}:{url.port}/"), NO_SECRETS)).outcome
            await client.close()
            return outcome

    assert isinstance(asyncio.run(scenario()), Answered)


@pytest.mark.parametrize(
    ("allow", "host", "address", "permitted"),
    [
        ((), "example.com", "93.184.215.14", True),
        ((), "example.com", "2606:2800:21f:cb07::1", True),
        ((), "rebind.example", "127.0.0.1", False),
        ((), "rebind.example", "64:ff9b::a00:1", False),
        ((), "fine.example", "64:ff9b::808:808", True),
        (("10.0.0.0/8",), "any.example", "10.9.9.9", True),
        (("10.0.0.0/8",), "any.example", "::ffff:10.9.9.9", True),
        (("10.0.0.0/8",), "any.example", "11.0.0.1", True),
        (("10.0.0.0/8",), "any.example", "172.16.0.1", False),
        (("crm.local",), "CRM.local", "192.168.0.5", True),
        (("crm.local",), "crm.local.evil.example", "192.168.0.5", False),
        (("fd00::/8",), "v6.example", "fd12::1", True),
    ],
)
def test_rules_judge_the_address_that_a_name_stands_for(allow, host, address, permitted):
    assert Outbound(allow).permits(host, address) is permitted


def test_redirect_to_a_special_address_is_refused_too(answering, respond):
    async def scenario():
        async with (
            answering() as secret,
            answering(respond(status=302, Location=f"http://127.0.0.1:{secret.port}/")) as url,
        ):
            client = OutboundClient(Outbound(["localhost"]))
            command = CallUrl(
                id="1:0:0", method="GET", url=f"http://localhost:{url.port}/", follow_redirects=True,
                timeout=timedelta(seconds=5),
            )  # fmt: skip
            outcome = (await call_url(client, command, NO_SECRETS)).outcome
            await client.close()
            return outcome, len(url.requests), len(secret.requests)

    outcome, asked, reached = asyncio.run(scenario())
    assert (outcome.kind, asked, reached) == ("outbound", 1, 0)


def test_rules_may_change_while_the_client_works(answering):
    async def scenario():
        async with answering() as url:
            client = OutboundClient(Outbound(["127.0.0.1"]))
            before = (await call_url(client, get(url.url), NO_SECRETS)).outcome
            client.rules = Outbound()
            after = (await call_url(client, get(url.url), NO_SECRETS)).outcome
            await client.close()
            return before, after

    before, after = asyncio.run(scenario())
    assert isinstance(before, Answered)
    assert after.kind == "outbound"


def test_machine_resolves_localhost_to_loopback():
    """What the tests above stand on."""
    assert {each[4][0] for each in socket.getaddrinfo("localhost", None)} <= {"127.0.0.1", "::1"}
