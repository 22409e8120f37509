"""The stand-in outside world."""

import asyncio

import httpx
import pytest

from sinchflow.simulate.outside import OutsideWorld


def call(world: OutsideWorld) -> httpx.Response:
    async def exchange() -> httpx.Response:
        async with httpx.AsyncClient(transport=world) as client:
            return await client.post("https://crm.example.com/x?a=1", json={"n": 1})

    return asyncio.run(exchange())


def test_call_is_answered_and_shown():
    shown = []
    answer = call(OutsideWorld(lambda line, detail: shown.append((line, detail["body"]))))
    assert (answer.status_code, answer.json()) == (200, {})
    assert shown == [("POST https://crm.example.com/x?a=1 → 200 (stand-in)", '{"n":1}')]


def test_live_call_is_shown_with_its_own_answer():
    shown = []
    inner = httpx.MockTransport(lambda _: httpx.Response(503))
    assert call(OutsideWorld(lambda line, _: shown.append(line), inner)).status_code == 503
    assert shown == ["POST https://crm.example.com/x?a=1 → 503"]


def test_live_call_that_breaks_is_shown_and_still_breaks():
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    shown = []
    with pytest.raises(httpx.ConnectError):
        call(OutsideWorld(lambda line, _: shown.append(line), httpx.MockTransport(refuse)))
    assert shown == ["POST https://crm.example.com/x?a=1 → ConnectError: refused"]
