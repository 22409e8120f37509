"""What answers at our public addresses, and what it means."""

import asyncio
import json
import ssl
from typing import Any

import httpx
import pytest

from sinchflow.deploy.desired import wanted_webhooks
from sinchflow.deploy.selftest import self_test
from sinchflow.model.project import Webhooks
from sinchflow.runtime.connections import Hooks

TOKEN = "hook-token-of-the-test"
PASSWORD = "header-secret-of-the-test"
URL = f"https://sms.example.com/sms/hooks/{TOKEN}/inbound"


def daemon(**changes: Any) -> httpx.Response:
    answer = {"sinchflow": "1", "account": "default", "kind": "inbound", "instance": "i", "secret": "off", **changes}
    return httpx.Response(200, content=json.dumps(answer))


def outcome(answer: httpx.Response | Exception, secret: str | None) -> tuple[str, str]:
    """State and words for the address of inbound messages, where this is what comes back."""
    asked: list[httpx.Request] = []

    def at_the_edge(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    hooks = Hooks(token=TOKEN, secret=secret, public_url="https://sms.example.com/sms")
    wanted = wanted_webhooks(hooks, Webhooks(), "default")[:1]
    (found,) = asyncio.run(self_test(wanted, hooks, "default", httpx.MockTransport(at_the_edge)))
    assert [(request.method, str(request.url)) for request in asked] == [("GET", URL)]
    assert asked[0].headers.get("X-Sinchflow-Secret") == secret
    assert found.url == URL.replace(TOKEN, "***")
    return found.state, found.words


@pytest.mark.parametrize(
    ("answer", "secret", "state", "words"),
    [
        (daemon(), None, "ok", "the daemon answers"),
        (daemon(secret="ok"), PASSWORD, "ok", "the daemon answers"),
        (daemon(secret="missing"), PASSWORD, "failed", "the header X-Sinchflow-Secret does not arrive"),
        (daemon(secret="wrong"), PASSWORD, "failed", "another secret than the daemon's"),
        (daemon(secret="off"), PASSWORD, "failed", "the daemon demands no secret header"),
        (daemon(secret="missing"), None, "failed", "demands a secret header that this project does not have"),
        (
            daemon(kind="receipts"),
            None,
            "failed",
            "for receipts of account default: check how the proxy rewrites paths",
        ),
        (daemon(account="nz"), None, "failed", "for inbound of account nz"),
        (
            httpx.Response(404, json={"error": "no such path: the token is not"}),
            None,
            "failed",
            "404 'no such path: the",
        ),
        (httpx.Response(502, text="Bad  Gateway"), None, "failed", "answers there: 502 'Bad Gateway'; check that the"),
        (httpx.Response(200, text="<h1>Welcome</h1>"), None, "failed", "something else answers there: 200"),
        (httpx.Response(200, content=b"\xff" * 50_000), None, "failed", "something else answers there: 200"),
        (httpx.Response(200, json=[1]), None, "failed", "something else answers there: 200"),
        (httpx.Response(500, text=f"at /hooks/{TOKEN}/x"), None, "failed", "500 'at /hooks/***/x'"),
        (
            httpx.Response(301, headers={"Location": "https://www.example.com/"}),
            None,
            "failed",
            "sends the caller on to",
        ),
        (httpx.ConnectError("Name or service not known"), None, "unreachable", "(Name or service not known)"),
        (httpx.ConnectTimeout(""), None, "unreachable", "no connection in time"),
        (httpx.ReadTimeout(""), None, "failed", "it did not answer in time"),
        (httpx.RemoteProtocolError("Server disconnected"), None, "failed", "(Server disconnected)"),
        (
            httpx.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] {ssl.OPENSSL_VERSION}"),
            None,
            "failed",
            "certificate is",
        ),
    ],
)
def test_self_test(answer, secret, state, words):
    found = outcome(answer, secret)
    assert found[0] == state
    assert words in found[1]
    assert TOKEN not in found[1]
