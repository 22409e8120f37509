"""Detail reports: what each filter leaves, when a message shows up, and whose messages are seen."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sinchflow.simulate.bodies import Attachment
from sinchflow.simulate.fate import Timeline
from sinchflow.simulate.provider import SimulatedSinch

PATH = "/v2-preview/reporting/messages"
HANDSET = "+61491570156"
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
WINDOW = {"start_date": (NOW - 2 * DAY).isoformat(), "end_date": (NOW + 2 * DAY).isoformat()}
SENT = [
    {"content": "one", "destination_number": HANDSET, "metadata": {"sinchflow_id": "run-1/a", "order": "77"}},
    {"content": "two", "destination_number": HANDSET, "metadata": {"sinchflow_id": "run-12/b"}},
    {"content": "three", "destination_number": "+61491570007", "source_number": "Acme", "format": "TTS"},
]


@pytest.fixture
def detail(talk: Any) -> Any:
    """Texts of the messages that a report with these filters has, after some were sent and received."""

    def run(path: str = "detail", **asked: Any) -> httpx.Response:
        sim = SimulatedSinch(timeline=Timeline(enroute_s=None, submitted_s=None, final_s=0))

        async def main(http: httpx.AsyncClient) -> httpx.Response:
            await http.post("/v1/messages", json={"messages": SENT})
            sub = {**SENT[0], "content": "sub"}
            await http.post("/v1/messages", json={"messages": [sub]}, headers={"Account": "nz"})
            await sim.text_in(HANDSET, "answer")
            await sim.text_in("+61491570999", "STOP", attachments=[Attachment("image/png", "aGk=", "a.png")])
            while sim.messages[-1].status == "queued" or sim.account("nz").messages[-1].status == "queued":  # noqa: ASYNC110
                await asyncio.sleep(0)  # the in-process transport never lets timers run
            return await http.post(f"{PATH}/{path}", json={**WINDOW, **asked})

        answer: httpx.Response = talk(sim, main)
        return answer

    return run


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "one two three sub answer STOP"),
        ({"direction": "outbound"}, "one two three sub"),
        ({"direction": "inbound"}, "answer STOP"),
        ({"metadata_key": "sinchflow_id"}, "one two sub answer"),
        ({"metadata_key": "order", "direction": "outbound", "accounts": ["SimulatedAccount"]}, "one"),
        ({"metadata_key": "sinchflow_id", "metadata_value": "run-1"}, "one two sub answer"),
        ({"metadata_key": "sinchflow_id", "metadata_value": "run-1/"}, "one sub"),
        (
            {"metadata_key": "sinchflow_id", "metadata_values": ["run-12", "x"], "metadata_value": "run-1/"},
            "two answer",
        ),
        ({"accounts": ["nz"]}, "sub"),
        ({"accounts": ["elsewhere"]}, ""),
        ({"destination": "61491570007"}, "three"),
        ({"destinations": ["+61491570007", "+61491593156"]}, "three answer STOP"),
        ({"source": "Acme"}, "three"),
        ({"sources": [HANDSET], "source": "Acme"}, "answer"),
        ({"status": ["REJECTED"]}, "three"),
        ({"status": ["DELIVERED", "PROCESSED"], "channels": ["SMS"]}, "one two sub answer"),
        ({"message_format": ["TTS", "MMS"]}, "three STOP"),
        ({"opt_out": True}, "STOP"),
        ({"mms_media": True}, "STOP"),
        ({"end_date": (NOW - DAY).isoformat()}, ""),
        ({"start_date": (NOW + DAY).isoformat()}, ""),
        ({"page": 1, "page_size": 2}, "three sub"),
        ({"page": 9, "page_size": 2}, ""),
    ],
)
def test_each_filter_leaves_what_it_says(detail: Any, fits: Any, asked: dict[str, Any], expected: str) -> None:
    answer = detail(**asked)
    assert answer.status_code == 200
    fits("detailresponse", answer.json())
    assert [row["content"] for row in answer.json()["messages"]] == expected.split()


def test_row_tells_all_of_a_message(detail: Any) -> None:
    rows = {row["content"]: row for row in detail().json()["messages"]}
    one, three, answer = rows["one"], rows["three"], rows["answer"]
    assert one["metadata"] == [{"key": "sinchflow_id", "value": "run-1/a"}, {"key": "order", "value": "77"}]
    assert (one["status"], one["status_code"], one["status_description"]) == ("delivered", 220, "Message delivered")
    assert datetime.fromisoformat(one["timestamp"]).tzinfo is None
    assert len(one["delivered_timestamp"]) == len("2026-08-18T03:43:24")
    assert (three["status"], three["status_code"], three["source_address"]) == ("rejected", 302, "Acme")
    assert (answer["in_response_to"], answer["direction"]) == (rows["two"]["message_id"], "inbound")


def test_pages_tell_whether_there_is_more(detail: Any) -> None:
    pages = [detail(page=page, page_size=4).json()["pagination"] for page in (0, 1)]
    assert pages == [{"page": 0, "page_size": 4, "has_next": True}, {"page": 1, "page_size": 4, "has_next": False}]


def test_keys_in_use_are_listed(detail: Any, fits: Any) -> None:
    keys = detail("metakeys").json()
    fits("metakeyresponse", keys)
    assert keys == {"keys": ["order", "sinchflow_id"]}
    assert detail("metakeys", page=1, page_size=1).json() == {"keys": ["sinchflow_id"]}


@pytest.mark.parametrize("zone", ["Australia/Sydney", "UTC", None])
def test_time_without_a_zone_is_read_in_the_one_named(detail: Any, zone: str | None) -> None:
    local = {"start_date": (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")}
    count = len(detail(**local, timezone=zone).json()["messages"])
    assert count == 6
    # The same digits read in Sydney mean ten hours earlier or more, so an end that is past there is not past here.
    soon = {"end_date": (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")}
    assert len(detail(**soon, timezone=zone).json()["messages"]) == (0 if zone == "Australia/Sydney" else 6)


def test_message_shows_up_after_the_lag_only(talk: Any) -> None:
    sim = SimulatedSinch(report_lag_s=3600)

    async def main(http: httpx.AsyncClient) -> None:
        await http.post("/v1/messages", json={"messages": SENT})
        assert (await http.post(f"{PATH}/detail", json=WINDOW)).json()["messages"] == []
        assert (await http.post("/_sim/reporting", json={"lag_s": 0})).status_code == 204
        assert len((await http.post(f"{PATH}/detail", json=WINDOW)).json()["messages"]) == 3
        nz = await http.post(f"{PATH}/detail", json=WINDOW, headers={"Account": "nz"})
        assert nz.json()["messages"] == []

    talk(sim, main)


@pytest.mark.parametrize(
    "change",
    [
        {"start_date": None},
        {"start_date": "yesterday"},
        {"timezone": "Mars/Olympus"},
        {"page": -1},
        {"page_size": 101},
        {"direction": "sideways"},
        {"metadata_value": "x"},
        {"metadatakey": "x"},
    ],
)
def test_bad_request_is_refused(talk: Any, fits: Any, change: dict[str, Any]) -> None:
    answer = talk(SimulatedSinch(), lambda http: http.post(f"{PATH}/detail", json={**WINDOW, **change}))
    assert answer.status_code == 400
    fits("400response", answer.json())


@pytest.mark.parametrize(("method", "name", "status"), [("GET", "detail", 405), ("POST", "summary", 404)])
def test_other_calls_are_refused(talk: Any, method: str, name: str, status: int) -> None:
    assert talk(SimulatedSinch(), lambda http: http.request(method, f"{PATH}/{name}")).status_code == status


def test_times_outlive_forgotten_messages(talk: Any) -> None:
    sim = SimulatedSinch(keep=3)

    async def main(http: httpx.AsyncClient) -> list[str]:
        for number in range(4):
            sent = [{**SENT[0], "content": f"{number}{letter}"} for letter in "ab"]
            await http.post("/v1/messages", json={"messages": sent})
        rows = (await http.post(f"{PATH}/detail", json=WINDOW)).json()["messages"]
        return [row["content"] for row in rows]

    assert talk(sim, main) == ["2b", "3a", "3b"]
