"""The phone page: what it serves, and what it refuses."""

import asyncio
import re
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from sinchflow.console import phone
from sinchflow.simulate.conversation import Conversation

CUSTOMER = "+61491570156"


@pytest.fixture
def conversation():
    return Conversation(lambda: datetime(2026, 12, 1, tzinfo=UTC))


@pytest.fixture
def ask(conversation):
    """Ask the page's application; texts in are only noted."""

    async def text_in(customer: str, text: str) -> str | None:
        if text == "bad":
            return "that will not do"
        conversation.add("in", text, customer)
        return None

    app = Starlette(routes=phone.routes(conversation.after, text_in, [CUSTOMER]))

    def asked(method: str, path: str, **options):
        async def exchange() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://phone") as client:
                return await client.request(method, path, **options)

        return asyncio.run(exchange())

    return asked


def test_page_is_one_file_that_asks_nobody_else(ask):
    page = ask("GET", "/phone")
    assert page.status_code == 200
    assert re.findall(r"https?://|src=|href=", page.text) == []
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_texting_in_is_seen_as_a_line(ask):
    assert ask("POST", "/phone/texts", json={"customer": CUSTOMER, "text": "HOURS"}).status_code == 202
    assert ask("GET", "/phone/lines").json() == {
        "customers": [CUSTOMER],
        "lines": [
            {
                "number": 1,
                "at": "2026-12-01T00:00:00+00:00",
                "kind": "in",
                "text": "HOURS",
                "customer": CUSTOMER,
                "detail": {},
            }
        ],
    }


def test_only_newer_lines_are_given(ask, conversation):
    for text in ("one", "two", "three"):
        conversation.add("out", text, CUSTOMER)
    assert [line["text"] for line in ask("GET", "/phone/lines?after=1").json()["lines"]] == ["two", "three"]


@pytest.mark.parametrize("after", ["x", "-1", "²", ""])
def test_odd_numbers_mean_from_the_start(ask, conversation, after):
    conversation.add("out", "one", CUSTOMER)
    assert len(ask("GET", "/phone/lines", params={"after": after}).json()["lines"]) == 1


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": {"customer": CUSTOMER, "text": "HOURS"}}, 415),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b'{"customer": "\xff"}', "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"customer": CUSTOMER}}, 400),
        ({"json": {"customer": CUSTOMER, "text": "bad"}}, 400),
    ],
)
def test_what_cannot_be_a_text_is_refused_with_a_reason(ask, conversation, options, status):
    refused = ask("POST", "/phone/texts", **options)
    assert refused.status_code == status
    assert refused.json()["error"]
    assert conversation.after(0) == []
