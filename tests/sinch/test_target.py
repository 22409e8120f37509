"""Ids and numbers of whatever form in a request's path: one part of it, or no request at all."""

import asyncio

import httpx
import pytest

from sinchflow.sinch import authorisation, messages, signature_keys, webhooks
from sinchflow.sinch.client import BasicKey, Client
from sinchflow.sinch.failure import CallFailed, ask

QUESTIONS = {
    "/v1/messages/": messages.get_message,
    "/v1/number_authorisation/mt/blacklist/": authorisation.opt_in,
    "/v1/number_authorisation/is_authorised/": lambda calls, text: authorisation.is_authorised(calls, [text]),
    "/v1/webhooks/messages/": webhooks.delete_webhook,
    "/v1/iam/signature_keys/": signature_keys.delete_key,
}


def asked(question) -> tuple[list[str], CallFailed | None]:
    """Path and query of each request as it leaves, after all that the HTTP library does to it; what was raised."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200, json={"numbers": []})

    async def scenario() -> None:
        key = BasicKey(api_key="k", api_secret="s")
        async with Client("https://sim.example", key, transport=httpx.MockTransport(answer)) as client:
            await question(client)

    try:
        asyncio.run(scenario())
    except CallFailed as failure:
        return seen, failure
    return seen, None


def is_refused(question) -> bool:
    """Whether one readable line was all that came of it."""
    seen, failure = asked(question)
    return seen == [] and failure is not None and failure.kind == "refused" and failure.message.isprintable()


@pytest.mark.parametrize("path", QUESTIONS)
@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("+61491570156", "%2B61491570156"),
        ("../replies", "..%2Freplies"),
        ("a/b", "a%2Fb"),
        ("a\\b", "a%5Cb"),
        ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"),
        ("%2e%2e", "%252e%252e"),
        ("a,b", "a%2Cb"),
        ("a b\r\nHost: x\0", "a%20b%0D%0AHost%3A%20x%00"),
        ("é👋", "%C3%A9%F0%9F%91%8B"),
        (".a", ".a"),
    ],
)
def test_text_stays_one_part_of_the_path(path, text, written):
    assert asked(lambda calls: QUESTIONS[path](calls, text)) == ([path + written], None)


@pytest.mark.parametrize("path", QUESTIONS)
@pytest.mark.parametrize("text", ["", ".", "..", "...", "a\ud800"])
def test_text_that_can_be_no_part_of_a_path_is_refused_before_any_call(path, text):
    assert is_refused(lambda calls: QUESTIONS[path](calls, text))


def test_deleting_a_key_cannot_disable_the_one_in_use():
    assert is_refused(lambda calls: signature_keys.delete_key(calls, "enabled"))


@pytest.mark.parametrize("body", [{"numbers": ["\ud800"]}, ["a\udfff"]])
def test_half_a_character_in_a_body_is_refused_before_any_call(body):
    assert is_refused(lambda calls: ask(calls, "POST", "/v1/x", body))
