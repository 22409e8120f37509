"""The admin port: open questions for everybody, commands for who has the token."""

import asyncio

import pytest

CONTACT = "+61491570156"
FLOWS = """\
name: notice
on: manual
steps:
  - send_sms: {to: "+61491570156", message: The kettle is on.}
---
name: off
enabled: false
on: manual
steps: [{log: x}]
---
name: greet
on: {inbound_sms: {keyword: HI}}
steps: [{reply: Hello.}]
---
name: shop / eu
on: manual
steps: [{log: x}]
---
name: failing
on: manual
steps: [{fail: it went wrong}]
"""


@pytest.fixture
def admin(play, house):
    """Run a scenario with these flows."""
    house.flow(FLOWS)
    return play


def test_health_ready_and_metrics_need_no_token(admin):
    async def scenario(house):
        port = house.daemon.admin_port
        for path, kind in (("health", "application/json"), ("ready", "application/json"), ("metrics", "text/plain")):
            answer = await house.http.get(f"http://127.0.0.1:{port}/{path}")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(kind)
        assert await house.health() == {"status": "green", "troubles": {}, "flows": 5}

    admin(scenario)


def test_api_wants_the_token(admin):
    async def scenario(house):
        for method, path in (("GET", "/api/sends"), ("POST", "/api/flows/notice/start"), ("POST", "/api/reload")):
            for header in (None, "", "Bearer", "Bearer wrong", "Basic dG9rZW4=", "Bearer t\xf6ken"):
                headers = {} if header is None else {b"authorization": header.encode("latin-1")}
                url = f"http://127.0.0.1:{house.daemon.admin_port}{path}"
                answer = await house.http.request(method, url, headers=headers)
                assert (answer.status_code, path, header) == (401, path, header)
                assert "daemon.json" in answer.json()["error"]
        assert house.daemon.stats.runs_started == 0

    admin(scenario)


def test_manual_flow_starts_and_its_run_is_named(admin, eventually):
    async def scenario(house):
        answer = await house.admin("/api/flows/notice/start", "POST")
        assert answer.status_code == 202
        await eventually(lambda: house.got() == [(CONTACT, "The kettle is on.")])
        [send] = await house.sends()
        assert send["run"] == answer.json()["run"]
        assert (await house.admin("/api/flows/shop%20%2F%20eu/start", "POST")).status_code == 202

    admin(scenario)


REFUSED = [
    ("/api/flows/nobody/start", "POST", 404, 'no flow "nobody"; flows: failing, greet, notice, off, shop / eu'),
    ("/api/flows/off/start", "POST", 409, "`enabled: false` in flows/flow.yaml:"),
    ("/api/flows/greet/start", "POST", 409, "add `manual` to its `on:` in flows/flow.yaml:"),
    ("/api/flows/notice/start", "GET", 405, None),
    ("/api/sends?state=sending&state=nonsense", "GET", 400, 'unknown state "nonsense"'),
    ("/api/sends?limit=0", "GET", 400, "limit"),
    ("/api/sends?limit=x", "GET", 400, "limit"),
    ("/api/sends?limit=100001", "GET", 400, "limit"),
    ("/api/nothing", "GET", 404, None),
]


def test_what_cannot_be_done_is_refused_with_the_reason(admin):
    async def scenario(house):
        for path, method, status, words in REFUSED:
            answer = await house.admin(path, method)
            assert (path, answer.status_code) == (path, status)
            assert words is None or words in answer.json()["error"]

    admin(scenario)


def test_metrics_count_what_happened(admin, eventually):
    async def scenario(house):
        await house.text_in("HI")
        await house.text_in("What?")
        await house.post(b"nonsense")
        await house.post(b"{}", path="/hooks/wrong/inbound")
        await house.admin("/api/flows/failing/start", "POST")
        await eventually(lambda: house.daemon.stats.runs_ended.total() == 2)
        metrics = (await house.admin("/metrics")).text
        for line in (
            'sinchflow_events_total{kind="inbound_sms"} 2.0',
            'sinchflow_events_total{kind="manual"} 1.0',
            'sinchflow_refused_requests_total{status="400"} 1.0',
            'sinchflow_refused_requests_total{status="404"} 1.0',
            'sinchflow_runs_ended_total{status="completed"} 1.0',
            'sinchflow_runs_ended_total{status="failed"} 1.0',
            'sinchflow_sends_total{state="sent"} 1.0',
            'sinchflow_provider_calls_total{outcome="Accepted"} 1.0',
            "sinchflow_unmatched_total 1.0",
            "sinchflow_quarantined_total 1.0",
            "sinchflow_runs_started_total 2.0",
            "sinchflow_open_runs 0.0",
            "sinchflow_queued_sends 0.0",
            "sinchflow_flows 5.0",
            'sinchflow_trouble{subject="quarantine"} 1.0',
            'sinchflow_trouble{subject="provider"} 0.0',
        ):
            assert f"\n{line}\n" in metrics, line
        health = await house.admin("/health")
        assert (health.status_code, health.json()["status"]) == (200, "red")

    admin(scenario)


def test_sends_are_listed_newest_first_by_state_and_number(admin, eventually):
    async def scenario(house):
        for number in range(3):
            await house.text_in("HI", f"+6149157015{number}")
            await eventually(lambda: house.daemon.stats.sends["sent"] == number + 1)  # noqa: B023
        await eventually(lambda: house.daemon.worker.is_idle)  # what was counted is on disk, too
        listed = (await house.admin("/api/sends?state=sent&limit=2")).json()["sends"]
        assert [send["to"] for send in listed] == ["+61491570152", "+61491570151"]
        assert (await house.admin("/api/sends?state=held")).json() == {"sends": []}
        assert set(listed[0]) == {"id", "state", "run", "to", "message", "message_id", "reason"}

    admin(scenario)


def test_many_starts_at_once_are_one_run_each(admin, eventually):
    async def scenario(house):
        answers = await asyncio.gather(*(house.admin("/api/flows/notice/start", "POST") for _ in range(20)))
        assert len({answer.json()["run"] for answer in answers}) == 20
        await eventually(lambda: len(house.sim.messages) == 20)
        await eventually(lambda: house.daemon.worker.is_idle)
        assert house.daemon.stats.runs_started == 20

    admin(scenario)


def test_discovery_file_is_the_owners_alone_and_goes_with_the_daemon(house, admin):
    path = house.root / ".sinchflow/daemon.json"

    async def scenario(_house):
        assert path.stat().st_mode & 0o777 == 0o600

    admin(scenario)
    assert not path.exists()
