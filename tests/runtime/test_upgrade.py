"""The daemon of today on a journal that an earlier release left in the middle of everything (tests/journal/data)."""

import contextlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import httpx
import pytest

from sinchflow.journal.sqlite import FILE_NAME
from sinchflow.runtime.daemon import Daemon, Options

DATA = Path(__file__).parents[1] / "journal/data"
RELEASED = sorted(int(path.stem.removeprefix("schema-")) for path in DATA.glob("schema-*.sql"))
#: As in the journals: see leave.py beside them.
ANNA, BEN, CLEO, DORA, EVE, FINN = (f"+6149157010{number}" for number in range(1, 7))
US = "+61491593156"
A_LANE_WAITS = timedelta(seconds=31)  #: for a run that is in hand, with the next message of its contact
FLOW = "name: hello\non: {inbound_sms: {keyword: HI}}\nsteps:\n  - reply: Hello from today.\n"


@pytest.fixture(params=RELEASED)
def left(request, house, monkeypatch) -> tuple[int, datetime]:
    """The schema of a journal that is in its place, and the time when it was left there."""
    data = house.root / ".sinchflow"
    data.mkdir()
    with contextlib.closing(apsw.Connection(str(data / FILE_NAME))) as journal:
        journal.execute((DATA / f"schema-{request.param}.sql").read_text())
        last = journal.execute("SELECT max(received_at) FROM event").get
    house.flow(FLOW, "hello.yaml")  # of all the flows that had begun, the only one that is still there
    return request.param, datetime.fromtimestamp(last / 1000, UTC)


@asynccontextmanager
async def at_work(house, clock):
    house.daemon = Daemon(Options(root=house.root, data=house.root / ".sinchflow", port=0, admin_port=0), clock=clock)
    await house.daemon.start()
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=15) as house.http:
            yield
    finally:
        await house.daemon.stop()


def test_daemon_goes_on_where_the_earlier_release_was_killed(
    left, house, scene, clock, eventually, answering, monkeypatch
):
    version, since = left

    async def scenario() -> None:
        async with answering() as url:
            monkeypatch.setenv("SINCHFLOW_SECRET_CRM_URL", url.url)
            clock.advance(since + timedelta(seconds=5) - clock.now())
            async with at_work(house, clock):
                # what was queued goes out, with the words of then; what was accepted is routed
                await eventually(lambda: (DORA, "Hello.") in house.got())
                clock.advance(A_LANE_WAITS)
                await eventually(lambda: (CLEO, "Hello from today.") in house.got())
                # the message that was on its way when the daemon was killed is not sent again without asking
                assert (CLEO, "Hello.") not in house.got()
                assert {state for to, state in await cleos(house)} & {"held", "unknown"}
                # a repeat from then starts nothing
                body = {"reply_id": "hi-of-ben", "source_address": BEN, "destination_address": US, "content": "HI"}
                assert (await house.post(body)).status_code == 200
                if version >= 2:
                    await goes_on_with_conversations()
                # the call that backed off is made when it is due, and the run ends
                assert url.requests == []
                clock.advance(timedelta(hours=1))
                await eventually(lambda: url.bodies() == [{"number": FINN}])
                await eventually(lambda: (FINN, "We call you back.") in house.got())
                if version >= 2:
                    await eventually(lambda: (BEN, "It is later now.") in house.got())
                assert [text for to, text in house.got() if to == BEN and text.startswith("Hello")] == []

    async def goes_on_with_conversations() -> None:
        await house.text_in("Yes please", ANNA)
        await eventually(lambda: (ANNA, "Confirmed, Anna.") in house.got())
        await house.text_in("HI", EVE)  # opted out
        skipped = None
        while not skipped:
            skipped = [send for send in await house.sends("skipped") if send["to"] == EVE]
        assert EVE not in [to for to, _ in house.got()]

    async def cleos(house):
        return [(send["to"], send["state"]) for send in await house.sends() if send["to"] == CLEO]

    scene(scenario)


def test_second_start_repeats_nothing(left, house, scene, clock, eventually, monkeypatch):
    version, since = left
    monkeypatch.setenv("SINCHFLOW_SECRET_CRM_URL", "http://127.0.0.1:9/")

    async def scenario() -> None:
        clock.advance(since + timedelta(seconds=5) - clock.now())
        async with at_work(house, clock):
            await eventually(lambda: (DORA, "Hello.") in house.got())
            clock.advance(A_LANE_WAITS)
            await eventually(lambda: (CLEO, "Hello from today.") in house.got())
            runs = (
                2 if version == 1 else 4
            )  # that of the unknown message, one that backs off, one that sleeps, one that waits for an answer
            await eventually(lambda: house.daemon.worker.open_runs == runs)
        async with at_work(house, clock):
            assert house.daemon.worker.open_runs == runs
            clock.advance(A_LANE_WAITS)
        assert sorted(house.got()) == [(CLEO, "Hello from today."), (DORA, "Hello.")]

    scene(scenario)
