"""The webhook port: what is acknowledged, what is refused and in which words, and that nothing ever answers 500."""

import asyncio
import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinchflow.errors import JournalError
from sinchflow.journal.memory import MemoryJournal
from sinchflow.runtime.bodies import MAX_BODY_BYTES
from sinchflow.runtime.connections import Hooks
from sinchflow.runtime.guard import Guard
from sinchflow.runtime.ingress import Ingress
from sinchflow.runtime.stats import Stats
from tests.examples import examples

TOKEN = "hook-token-of-the-test"
INBOUND = {
    "reply_id": "r1",
    "source_address": "+61491570156",
    "destination_address": "+61491593156",
    "content": "HOURS",
}
REPLY = "name: hours\non: {inbound_sms: {keyword: HOURS}}\nsteps: [{reply: We are open.}]\n"


class FullDisk(MemoryJournal):
    """A journal that stores nothing until `is_full` is taken back."""

    is_full = True

    def accept(self, event, done):
        if self.is_full:
            self._call_soon(done, JournalError("the disk is full"))
        else:
            super().accept(event, done)

    def commit(self, changes, done):
        if self.is_full:
            self._call_soon(done, JournalError("the disk is full"))
        else:
            super().commit(changes, done)


class Door:
    """An ingress over a journal in memory, asked without a network."""

    def __init__(self, clock, journal=MemoryJournal) -> None:
        loop = asyncio.get_running_loop()
        self.stats = Stats()
        self.taken: list[str] = []
        self.journal = journal(loop.call_soon)
        self.app = Ingress(
            journal=self.journal, clock=clock, stats=self.stats, loop=loop,
            guard=lambda: Guard(Hooks(token=TOKEN), ["default"], {}),
            take=lambda event: self.taken.append(event.key),
        )  # fmt: skip

    async def post(self, content: bytes, path: str = f"/hooks/{TOKEN}/inbound", method: str = "POST") -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            return await http.request(method, path, content=content)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (json.dumps(INBOUND).encode("utf-16"), "not UTF-8"),
        (b"[" * 100_000, ""),
        (b'{"a":' * 100_000, ""),
        (b"[" * 100_000 + b"]" * 100_000, ""),
        (b"null", ""),
        (b"[]", ""),
        (b'"text"', ""),
        (b"{}", ""),
        (b'{"reply_id": []}', ""),
        (b'{"reply_id": "' + b"\xc3\x28" + b'"}', "not UTF-8"),
        (b"reply_id=1&content=x", "not JSON"),
    ],
)
def test_body_that_cannot_be_read_is_refused_with_a_reason_and_kept(clock, body, words):
    async def scenario():
        door = Door(clock)
        answer = await door.post(body)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json"
        reason = answer.json()["error"]
        assert words.lower() in reason.lower()
        assert "Traceback" not in reason
        assert [kept.body for kept in door.journal._quarantine] == [body]
        assert (door.stats.quarantined, door.stats.refused_requests[400], door.taken) == (1, 1, [])
        assert reason in door.stats.troubles["quarantine"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "method", "status", "words"),
    [
        ("/", "GET", 404, "no such path"),
        ("/hooks", "POST", 404, "no such path"),
        (f"/hooks/{TOKEN}", "POST", 404, "no such path"),
        (f"/hooks/{TOKEN}/elsewhere", "POST", 404, "no such path"),
        (f"/hooks/{TOKEN}/inbound/", "POST", 404, "no such path"),
        (f"/hooks/{TOKEN}x/inbound", "POST", 404, "token"),
        (f"/hooks/{TOKEN[:-1]}/inbound", "POST", 404, "token"),
        ("/hooks//inbound", "POST", 404, "token"),
        ("/hooks/t%C3%B6ken/inbound", "POST", 404, "token"),
        ("/hooks/%ff%fe/inbound", "POST", 404, "token"),
        ("/hooks/wrong/inbound", "GET", 404, "token"),
        (f"/hooks/{TOKEN}/inbound", "DELETE", 405, "webhooks are POST"),
        (f"/hooks/{TOKEN}/receipts", "PUT", 405, "webhooks are POST"),
        ("/health", "GET", 404, "no such path"),
        ("/metrics", "GET", 404, "no such path"),
        ("/api/sends", "GET", 404, "no such path"),
    ],
)
def test_wrong_path_token_or_method_is_refused_with_a_reason(clock, path, method, status, words):
    async def scenario():
        door = Door(clock)
        answer = await door.post(b"{}", path, method)
        assert (answer.status_code, words in answer.json()["error"]) == (status, True)
        assert ("allow" in answer.headers) == (status == 405)
        assert TOKEN not in answer.text
        assert door.stats.quarantined == 0

    asyncio.run(scenario())


def test_event_that_cannot_be_stored_is_answered_503_and_taken_when_it_comes_again(clock):
    async def scenario():
        door = Door(clock, FullDisk)
        answer = await door.post(json.dumps(INBOUND).encode())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "try again" in answer.json()["error"]
        assert door.stats.troubles["journal"] == "the disk is full"
        unreadable = await door.post(b"nonsense")
        assert unreadable.status_code == 503
        door.journal.is_full = False
        assert (await door.post(json.dumps(INBOUND).encode())).status_code == 202
        assert (await door.post(json.dumps(INBOUND).encode())).status_code == 200
        assert (door.taken, door.stats.troubles.get("journal")) == (["r1"], None)
        assert door.stats.repeats == 1

    asyncio.run(scenario())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["reply_id", "message_id", "source_address", "destination_address", "content", "metadata", "status",
     "delivery_report_id", "notification_id", "date_received", "attachments", "status_code"]
)  # fmt: skip


@settings(max_examples=examples(300), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(KEYS, JSON, max_size=6).map(lambda body: json.dumps(body).encode()) | st.binary())
def test_any_body_is_answered_202_or_400(clock, body):
    async def scenario():
        answer = await Door(clock).post(body)
        assert answer.status_code in {202, 400}
        assert ("error" in answer.json()) == (answer.status_code == 400)

    asyncio.run(scenario())


def test_repeat_is_acknowledged_and_starts_no_second_run(play, eventually, house):
    house.flow(REPLY)

    async def scenario(house):
        answers = [await house.post(INBOUND) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 200, 200]
        both = await asyncio.gather(*(house.post({**INBOUND, "reply_id": "r2"}) for _ in range(5)))
        assert sorted(answer.status_code for answer in both) == [200, 200, 200, 200, 202]
        await eventually(lambda: len(house.sim.messages) >= 2)
        await eventually(lambda: house.daemon.worker.is_idle)
        assert len(house.sim.messages) == 2
        assert house.daemon.stats.repeats == 6

    play(scenario)


async def raw(port: int, *pieces: bytes, path: str = f"/hooks/{TOKEN}/inbound") -> bytes:
    """What the server answers to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode())
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass  # it answers before it has read everything
    try:
        return await asyncio.wait_for(reader.readuntil(b"}"), 10)
    finally:
        writer.close()


def test_large_bodies_are_taken_up_to_the_limit_and_refused_above_it(play, house):
    async def scenario(house):
        port = house.daemon.port
        assert b" 413 " in await raw(port, b"Content-Length: 99999999999\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in await raw(port, chunked, *[chunk] * 9, b"0\r\n\r\n")
        assert b" 413 " in await raw(port, chunked, *[chunk] * 65)
        filler = "x" * (MAX_BODY_BYTES - len(json.dumps({**INBOUND, "x": ""})))
        answer = await house.post({**INBOUND, "x": filler})
        assert (len(json.dumps({**INBOUND, "x": filler})), answer.status_code) == (MAX_BODY_BYTES, 202)
        refused = await house.post({**INBOUND, "x": filler + "x"})
        assert (refused.status_code, refused.json()) == (413, {"error": "the body is larger than 8388608 bytes"})
        assert (await house.post({**INBOUND, "reply_id": "r3"})).status_code == 202

    play(scenario)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"Content-Length: x\r\n\r\n",),
        (b"Content-Length: -1\r\n\r\n",),
        (b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",),
        (b"No colon\r\n\r\n",),
    ],
)
def test_broken_http_is_a_bad_request(play, pieces):
    async def scenario(house):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.daemon.port)
        writer.write(f"POST /hooks/{TOKEN}/inbound HTTP/1.1\r\nHost: x\r\n".encode() + b"".join(pieces))
        assert b" 400 " in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        assert (await house.post(INBOUND)).status_code == 202

    play(scenario)


def test_request_target_of_odd_bytes_is_no_server_error(play):
    async def scenario(house):
        for target in (b"/hooks/\xff\xfe/inbound", b"/%", b"/%zz", b"*", b"http://x/hooks/y/inbound"):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.daemon.port)
            writer.write(b"POST " + target + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            status = await asyncio.wait_for(reader.readline(), 10)
            assert b" 404 " in status or b" 400 " in status, (target, status)
            writer.close()

    play(scenario)


@pytest.mark.parametrize(
    "content",
    [
        "HOURS \ud800",
        "HOURS \ufdd0TOKEN\ufdd1",
        "HOURS \0\x1b[2J",
        "HOURS {{ secrets.TOKEN }}",
        "HOURS " + "😀" * 2_000,
    ],
)
def test_odd_texts_go_through_the_whole_house(play, eventually, house, content):
    house.flow(REPLY.replace("We are open.", '"You said {{ match.rest }}"'))

    async def scenario(house):
        assert (await house.post({**INBOUND, "content": content})).status_code in {202, 400}
        await house.text_in("HOURS after", "+61491570157")
        await eventually(lambda: any(text == "You said after" for _, text in house.got()))
        assert "journal" not in house.daemon.stats.troubles
        assert house.daemon.stats.internal_errors == 0

    play(scenario)


def test_numbers_beyond_64_bits_go_through_the_whole_house(play, eventually, house):
    house.flow("name: n\non: inbound_sms\nvars: {x: '{{ event.metadata.n }}'}\nsteps: [{reply: 'got {{ vars.x }}'}]\n")

    async def scenario(house):
        await house.text_in("x", metadata={"n": 10**30})
        await house.text_in("x", "+61491570157", metadata={"n": 5})
        await eventually(lambda: ("+61491570157", "got 5") in house.got())
        assert "journal" not in house.daemon.stats.troubles

    play(scenario)
