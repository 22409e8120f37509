"""The simulated Sinch's webhooks as an API: the rules of section 6, each on its own."""

from typing import Any

import httpx
import pytest

from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.simulate.webhooks import Refused

PATH = "/v1/webhooks/messages"
GOOD = {"url": "https://a.example/hook", "method": "POST", "encoding": "JSON", "events": ["RECEIVED_SMS"]}
FULL = {
    **GOOD,
    "events": ["RECEIVED_SMS", "OPT_OUT_SMS", "FAILED_DR"],
    "headers": {"X-One": "1"},
    "template": '{"id":"$!moId"}',
    "read_timeout": 10_000,
    "retries": 5,
    "retry_delay": 60,
}


@pytest.mark.parametrize(
    ("webhook", "expected"),
    [(GOOD, {**GOOD, "headers": {}, "retries": 0}), (FULL, FULL), ({**FULL, "template": None}, None)],
)
def test_answer_leaves_out_what_was_never_set(
    talk: Any, fits: Any, webhook: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    answer = talk(SimulatedSinch(), lambda http: http.post(PATH, json=webhook))
    assert answer.status_code == 201
    fits("CreateWebhookresponse", answer.json())
    shown = {name: value for name, value in answer.json().items() if name != "id"}
    assert shown == (expected or {name: value for name, value in FULL.items() if name != "template"})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": None}, "url is required"),
        ({"events": None}, "events is required"),
        ({"method": None}, "method is required"),
        ({"encoding": None}, "encoding is required"),
        ({"url": "ftp://a.example"}, "url must be an HTTP(S) URL of up to 1000 characters"),
        ({"url": "https://a.example/" + "x" * 1000}, "url must be an HTTP(S) URL of up to 1000 characters"),
        ({"url": 3}, "url must be an HTTP(S) URL of up to 1000 characters"),
        ({"method": "HEAD"}, "method must be one of GET, POST, PATCH, PUT, DELETE"),
        ({"encoding": "YAML"}, "encoding must be one of JSON, FORM_ENCODED, XML"),
        ({"encoding": []}, "encoding must be one of JSON, FORM_ENCODED, XML"),
        ({"events": []}, "events must be at least one of RECEIVED_SMS"),
        ({"events": ["RECEIVED"]}, "events must be at least one of RECEIVED_SMS"),
        ({"events": "RECEIVED_SMS"}, "events must be at least one of RECEIVED_SMS"),
        ({"headers": {"content-type": "x"}}, "the header Content-Type is not allowed"),
        ({"headers": {"X" * 201: "x"}}, "a header's name must be one of HTTP, up to 200 characters"),
        ({"headers": {"X Y": "x"}}, "a header's name must be one of HTTP"),
        ({"headers": {"X": "x" * 1001}}, "the header X must be a line of up to 1000 characters"),
        ({"headers": {"X": "a\r\nB: c"}}, "the header X must be a line"),
        ({"headers": []}, "headers must be an object"),
        ({"read_timeout": 0}, "read_timeout must be a number from 1 to 60000"),
        ({"read_timeout": 60_001}, "read_timeout must be a number from 1 to 60000"),
        ({"retries": 6}, "retries must be a number from 0 to 5"),
        ({"retries": True}, "retries must be a number from 0 to 5"),
        ({"retry_delay": 4}, "retry_delay must be a number from 5 to 60"),
        ({"retry_delay": "5"}, "retry_delay must be a number from 5 to 60"),
        ({"template": "#if($x"}, "the template cannot be read"),
        ({"template": {}}, "template must be a text"),
        ({"template": "$moContent.__class__"}, "a template cannot have '._' here"),
        ({"read_timeout_ms": 3}, "read_timeout_ms is not a known member"),
    ],
)
def test_webhook_against_the_rules_is_refused(talk: Any, fits: Any, change: dict[str, Any], words: str) -> None:
    sim = SimulatedSinch()
    answer = talk(sim, lambda http: http.post(PATH, json={**FULL, **change}))
    assert answer.status_code == 400
    fits("UpdateWebhook400response", answer.json())
    assert answer.json()["message"].startswith(words)
    assert len(sim.webhooks) == 0


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"template": "$moId"}, 200, None),
        ({"events": ["FAILED_DR"], "headers": {"X-Two": "2"}, "encoding": "XML"}, 200, None),
        ({"url": "https://a.example/hook"}, 200, None),
        ({"url": "https://a.example/other"}, 409, "A webhook with the given url and method already exists."),
        ({"url": "https://a.example/other", "method": "PUT"}, 200, None),
        ({}, 400, "at least one member must be given"),
        ({"template": None}, 400, "at least one member must be given"),
        ({"events": []}, 400, "events must be at least one of"),
        ({"read_timeout": 5}, 400, "read_timeout cannot be updated"),
        ({"retries": 5}, 400, "retries cannot be updated"),
        ({"retry_delay": 5, "template": "x"}, 400, "retry_delay cannot be updated"),
        ({"id": "x"}, 400, "id is not a known member"),
        ([], 400, "the body must be a JSON object"),
    ],
)
def test_webhook_can_be_changed_within_the_rules(talk: Any, change: Any, status: int, words: str | None) -> None:
    sim = SimulatedSinch()

    async def main(http: httpx.AsyncClient) -> httpx.Response:
        await http.post(PATH, json={**GOOD, "url": "https://a.example/other"})
        id_ = (await http.post(PATH, json=FULL)).json()["id"]
        return await http.patch(f"{PATH}/{id_}", json=change)

    answer = talk(sim, main)
    assert answer.status_code == status
    if words is None:
        _, webhook = sim.webhooks
        assert answer.json() == webhook.shown() == {**FULL, **change, "id": webhook.id}
    else:
        assert answer.json()["message"].startswith(words)


def test_pages_begin_with_0_and_tell_no_total(talk: Any, fits: Any) -> None:
    sim = SimulatedSinch()
    urls = [f"https://a.example/{number}" for number in range(25)]
    for url in urls:
        sim.webhooks.register(url, ["RECEIVED_SMS"])
    sim.account("nz").webhooks.register("https://nz.example/", ["RECEIVED_SMS"])

    async def main(http: httpx.AsyncClient) -> None:
        async def page(**query: Any) -> tuple[int, int, list[str]]:
            answer = await http.get(PATH, params=query)
            fits("RetrieveWebhookresponse", answer.json())
            data = answer.json()
            return data["page"], data["pageSize"], [webhook["url"] for webhook in data["pageData"]]

        assert await page() == (0, 20, urls[:20])
        assert await page(page=1) == (1, 20, urls[20:])
        assert await page(page=2, page_size=10) == (2, 10, urls[20:])
        assert await page(page=3, page_size=10) == (3, 10, [])
        nz = await http.get(PATH, headers={"Account": "nz"})
        assert [webhook["url"] for webhook in nz.json()["pageData"]] == ["https://nz.example/"]
        for query in ("page=-1", "page=x", "page_size=0", "page_size=101", "page="):
            answer = await http.get(f"{PATH}?{query}")
            assert answer.status_code == 400
            fits("UpdateWebhook400response", answer.json())

    talk(sim, main)


def test_url_and_method_are_unique_and_deleting_frees_them(talk: Any) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        first = await http.post(PATH, json=GOOD)
        again = await http.post(PATH, json=FULL)
        assert (again.status_code, again.json()) == (
            409,
            {"message": "A webhook with the given url and method already exists."},
        )
        assert (await http.post(PATH, json={**GOOD, "method": "PUT"})).status_code == 201
        path = f"{PATH}/{first.json()['id']}"
        assert (await http.get(path)).status_code == 405
        gone = [await http.delete(path), await http.delete(path), await http.patch(path, json={"template": "x"})]
        assert [(answer.status_code, answer.content) for answer in gone] == [(204, b""), (404, b""), (404, b"")]
        assert (await http.post(PATH, json=GOOD)).status_code == 201

    talk(SimulatedSinch(), main)


def test_python_registers_by_the_same_rules() -> None:
    sim = SimulatedSinch()
    webhook = sim.webhooks.register("http://127.0.0.1:1/", ["RECEIVED_SMS"], template="x", retries=1)
    assert list(sim.webhooks) == [webhook]
    with pytest.raises(Refused, match="already exists"):
        sim.webhooks.register("http://127.0.0.1:1/", ["RECEIVED_SMS"])
    sim.webhooks.clear()
    assert len(sim.webhooks) == 0
