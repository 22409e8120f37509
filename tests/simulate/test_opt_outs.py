"""The opt-out list as an API, and what it does to sends."""

import asyncio
from typing import Any

import httpx
import pytest

from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import SimulatedSinch

PATH = "/v1/number_authorisation/mt/blacklist"
ASK = "/v1/number_authorisation/is_authorised"
ONE, TWO = "+61491570156", "+61491570157"
FINAL = Timeline(enroute_s=None, submitted_s=None, final_s=0)


def test_numbers_are_listed_once_and_shown_without_a_plus(talk: Any, fits: Any) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        added = await http.post(PATH, json={"numbers": [ONE, TWO[1:]]})
        assert (added.status_code, added.json()) == (201, {"uri": PATH, "numbers": [ONE[1:], TWO[1:]]})
        fits("Addoneormorenumberstoyourblacklistresponse", added.json())
        assert (await http.post(PATH, json={"numbers": [ONE[1:], TWO]})).status_code == 200
        assert (await http.post(PATH, json={"numbers": [ONE, "+61491570158"]})).status_code == 201
        listed = await http.get(PATH)
        fits("Getnumberauthorisationblacklistresponse", listed.json())
        assert listed.json() == {"uri": PATH, "numbers": [ONE[1:], TWO[1:], "61491570158"], "pagination": {}}
        assert (await http.get(PATH, headers={"Account": "nz"})).json()["numbers"] == []

    talk(SimulatedSinch(), main)


def test_list_is_read_page_by_page_with_the_token_of_the_page_before(talk: Any, fits: Any) -> None:
    sim = SimulatedSinch(page_size=3)
    numbers = [f"6149157{number:04}" for number in range(7)]

    async def main(http: httpx.AsyncClient) -> None:
        await http.post(PATH, json={"numbers": numbers})
        found: list[str] = []
        uri, pages = PATH, 0
        while uri:
            page = (await http.get(uri)).json()
            fits("Getnumberauthorisationblacklistresponse", page)
            assert page["uri"] == uri
            found += page["numbers"]
            pages += 1
            token, uri = page["pagination"].get("page"), page["pagination"].get("next_uri")
            assert (uri is None) == (token is None)
        assert (found, pages) == (numbers, 3)
        assert (await http.get(f"{PATH}?token=nonsense")).status_code == 400

    talk(sim, main)


def test_number_can_be_asked_about_and_taken_off(talk: Any, fits: Any) -> None:
    async def main(http: httpx.AsyncClient) -> None:
        await http.post(PATH, json={"numbers": [TWO]})
        asked = await http.get(f"{ASK}/%2B61491570156,%2B61491570157")
        fits("Checkifoneorseveralnumbersarecurrentlyblacklistedresponse", asked.json())
        assert asked.json() == {
            "uri": f"{ASK}/{ONE},{TWO}",
            "numbers": [{"number": ONE, "authorised": True}, {"number": TWO, "authorised": False}],
        }
        assert (await http.get(f"{ASK}/{TWO}")).json()["numbers"][0]["authorised"] is False
        gone = await http.delete(f"{PATH}/%2B61491570157")
        assert (gone.status_code, gone.headers["content-type"]) == (200, "text/plain")
        assert (await http.delete(f"{PATH}/%2B61491570157")).status_code == 404
        assert (await http.get(f"{ASK}/{TWO[1:]}")).json()["numbers"][0]["authorised"] is True
        assert (await http.get(f"{ASK}/x")).status_code == 400
        assert (await http.put(PATH)).status_code == 405

    talk(SimulatedSinch(), main)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"numbers": [ONE] * 11}, "/numbers: must hold between 1 and 10 numbers"),
        ({"numbers": []}, "/numbers: must hold between 1 and 10 numbers"),
        ({"numbers": [ONE, "12", "a"]}, "/numbers/1: is no number in international format"),
        ({"numbers": [3]}, "/numbers: must be an array of numbers"),
        ({"number": ONE}, "/numbers: must be an array of numbers"),
        ([], "/numbers: must be an array of numbers"),
    ],
)
def test_bad_numbers_are_refused(talk: Any, fits: Any, body: Any, detail: str) -> None:
    answer = talk(SimulatedSinch(), lambda http: http.post(PATH, json=body))
    fits("400response", answer.json())
    assert (answer.status_code, answer.json()["details"][0]) == (400, detail)


@pytest.mark.parametrize(
    ("features", "expected"),
    [(Features(), ("rejected", "302")), (Features(opt_out_blocks=False), ("delivered", "220"))],
)
def test_send_to_a_listed_number_is_taken_and_then_rejected(
    talk: Any, features: Features, expected: tuple[str, str]
) -> None:
    sim = SimulatedSinch(timeline=FINAL, features=features)
    reports: dict[str, tuple[str, str]] = {}
    sim.watch_reports(lambda report: reports.update({report.message.destination_number: report_of(report)}))

    def report_of(report: Any) -> tuple[str, str]:
        return report.status, report.status_code

    async def main(http: httpx.AsyncClient) -> None:
        await sim.text_in(ONE, "STOP")
        await http.post(PATH, json={"numbers": [ONE]})
        sent = [{"content": "Hi", "destination_number": number, "delivery_report": True} for number in (ONE, TWO)]
        answer = await http.post("/v1/messages", json={"messages": sent})
        assert (answer.status_code, answer.json()["messages"][0]["status"]) == (202, "queued")
        while len(reports) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the in-process transport never lets timers run
        assert reports == {ONE: expected, TWO: ("delivered", "220")}

    talk(sim, main)
