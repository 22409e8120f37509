"""Raw bytes at the doors: what is malformed is refused in one line, what is slow or too much is closed."""

import asyncio
import contextlib
import json

import pytest

from sinchflow.runtime.bodies import Bodies
from sinchflow.runtime.guard import Refusal
from sinchflow.runtime.servers import listen, open_server, room_for_connections
from sinchflow.runtime.visitors import WELCOME, Patience

BODY = b'{"reply_id": "r1", "source_address": "+61491570156", "destination_address": "+61491593156", "content": "x"}'
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
WHOLE = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
SOON = Patience(first_byte_s=0.3, request_s=0.4, keep_alive_s=0.1, unread_s=0.4, linger_s=0.2, look_every_s=0.02)


class Room:
    """A server whose application reads the whole body and says how long it was."""

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.bodies: list[int] = []
        self.answer = b'{"ok":true}'
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.is_welcoming = True
        self.port = 0

    async def app(self, scope, receive, send):
        if self.is_welcoming:
            scope["state"][WELCOME]()
        if scope["path"] == "/early":
            await self._say(send, 404)
            return
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message["body"]), message["more_body"]
        self.bodies.append(size)
        await self.is_open.wait()
        await self._say(send, 200)

    async def _say(self, send, status):
        length = str(len(self.answer)).encode()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": self.answer})

    async def ask(self, sent: bytes, *, is_ended: bool = False) -> bytes:
        """All that is answered until the connection closes, or until it is silent for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            if is_ended:
                writer.write_eof()
        answered = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(5):
                while part := await reader.read(65536):
                    answered += part
        writer.close()
        return answered


@contextlib.asynccontextmanager
async def opened(patience: Patience = SOON, share: float = 0.5):
    room, listener = Room(), listen("127.0.0.1", 0, "--port")
    room.port = listener.getsockname()[1]
    async with asyncio.timeout(20), contextlib.AsyncExitStack() as undo:
        undo.callback(listener.close)
        await open_server(undo, room.app, listener, refused=room.refused.append, share=share, patience=patience)
        yield room


def statuses(answered: bytes) -> list[int]:
    return [int(line.split()[1]) for line in answered.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")] + [
        int(part[:3]) for part in answered.split(b"}HTTP/1.1 ")[1:]
    ]


#: what is sent, and the statuses that are answered before the connection closes
MALFORMED = {
    "rubbish": (b"\x00\x01\x02\x03\r\n\r\n", [400]),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500, [400]),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "HTTP/0.9": (b"GET /\r\n\r\n", [505]),
    "HTTP/3.7": (b"GET / HTTP/3.7\r\nHost: x\r\n\r\n", [400]),
    "no method": (b"/ HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
    "unknown method": (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
    "space in a name": (POST + b"Content Length: 2\r\n\r\n{}", [400]),
    "control character in a value": (POST + b"X: a\x00b\r\n\r\n", [400]),
    "line feed alone": (b"GET / HTTP/1.1\nHost: x\n\n", [400]),
    "folded header": (POST + b"X: a\r\n  b\r\n\r\n", [400]),
    "length is no number": (POST + b"Content-Length: 2x\r\n\r\n{}", [400]),
    "length is empty": (POST + b"Content-Length: \r\n\r\n", [400]),
    "length is negative": (POST + b"Content-Length: -1\r\n\r\n", [400]),
    "length has a plus": (POST + b"Content-Length: +2\r\n\r\n{}", [400]),
    "length is hexadecimal": (POST + b"Content-Length: 0x2\r\n\r\n{}", [400]),
    "length beyond 64 bits": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", [400]),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", [400]),
    "the same length twice": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", [400]),
    "lengths in a list": (POST + b"Content-Length: 2, 2\r\n\r\n{}", [400]),
    "length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunks and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", [400]),
    "chunked is not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", [400]),
    "unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400]),
    "chunk size is no number": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", [400]),
    "chunk size is negative": (POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", [400]),
    "chunk size beyond 64 bits": (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", [400]),
    "chunk is longer than said": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", [400]),
    "header of 40 KiB": (POST + b"X: " + b"x" * 40_000 + b"\r\n\r\n", [431]),
    "header without an end": (POST + b"X: " + b"x" * 300_000, [431]),
    "target of 40 KiB": (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [431]),
    "101 headers": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", [431]),
    "trailers without an end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 5_000, [431],
    ),
    "chunk extension without an end": (POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 300_000, [431]),
    "good, then rubbish": (WHOLE + b"\x00\x00\r\n\r\n", [200]),
    "early answer, then rubbish": (b"POST /early HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", [400]),
    "a thousand at once": (WHOLE * 1_000, [200]),
    "upgrade": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello", [200]),
    "tunnel": (b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
}  # fmt: skip


def test_malformed_requests_are_refused_and_the_next_caller_is_served():
    async def scenario():
        async with opened() as room:
            found = await asyncio.gather(*(room.ask(sent) for sent, _ in MALFORMED.values()))
            answers = dict(zip(MALFORMED, found, strict=True))
            expected = {name: found for name, (_, found) in MALFORMED.items()}
            assert {name: statuses(answered) for name, answered in answers.items()} == expected
            for answered in answers.values():
                assert all(line.decode("ascii").isprintable() for line in answered.splitlines())
                if not answered.endswith(room.answer):
                    assert json.loads(answered.rpartition(b"\r\n\r\n")[2]).keys() == {"error"}
                    assert b"connection: close" in answered
            assert {400, 431, 503, 505} == set(room.refused)
            assert statuses(await room.ask(WHOLE)) == [200]

    asyncio.run(scenario())


WELL_FORMED = {
    "three at once": (WHOLE * 3, [200, 200, 200]),
    "chunks of one byte": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", [200],
    ),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", [200]),
    "100 headers of 300 bytes": (b"GET / HTTP/1.1\r\n" + (b"X: " + b"y" * 300 + b"\r\n") * 100 + b"\r\n", [200]),
    "empty lines before": (b"\r\n\r\n" + WHOLE, [200]),
    "trailers": (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n", [200]),
}  # fmt: skip


def test_odd_but_well_formed_requests_are_served():
    async def scenario():
        async with opened() as room:
            answers = await asyncio.gather(*(room.ask(sent) for sent, _ in WELL_FORMED.values()))
            assert [statuses(answered) for answered in answers] == [expected for _, expected in WELL_FORMED.values()]
            assert room.refused == []

    asyncio.run(scenario())


async def drip(room: Room, first: bytes, drop: bytes) -> bytes:
    """Send a little again and again; all that is answered until the connection closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
    writer.write(first)
    answered = b""
    with contextlib.suppress(ConnectionError):
        while not reader.at_eof():
            writer.write(drop)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.03):
                    answered += await reader.read(65536)
    writer.close()
    return answered


#: sent first, then again and again, and what is answered
SLOW = [
    (b"", b"\r\n", []),  # not even a request
    (b"P", b"", [408]),
    (b"POST / HTTP/1.1\r\nX: ", b"x", [408]),
    (b"POST / HTTP/1.1\r\n", b"X: y\r\n", [408]),
    (POST + b"Content-Length: 5000\r\n\r\n", b"x", [408]),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", [408]),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X: y\r\n", [408]),
    (WHOLE + b"POST / HT", b"", [200, 408]),
    (b"POST /early HTTP/1.1\r\nContent-Length: 5000\r\n\r\n", b"x", [404]),
]


def test_who_is_slow_is_told_and_closed():
    async def scenario():
        async with opened() as room:
            found = await asyncio.gather(*(drip(room, first, drop) for first, drop, _ in SLOW))
            assert [statuses(each) for each in found] == [expected for _, _, expected in SLOW]
            assert set(room.refused) == {408}

    asyncio.run(scenario())


def test_who_says_nothing_is_closed():
    async def scenario():
        async with opened() as room:
            assert await room.ask(b"") == b""
            room.is_open.clear()
            asking = asyncio.create_task(room.ask(WHOLE))
            await asyncio.sleep(0.5)  # as long as the application works, nobody is late
            room.is_open.set()
            assert statuses(await asking) == [200]

    asyncio.run(scenario())


def test_who_does_not_read_is_closed():
    async def scenario():
        async with opened() as room:
            room.answer = b"x" * 20_000_000
            reader, writer = await asyncio.open_connection("127.0.0.1", room.port, limit=1000)
            writer.write(WHOLE)
            await asyncio.sleep(0.6)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(len(room.answer))
            writer.close()

    asyncio.run(scenario())


def test_strangers_give_way_to_newcomers_and_who_is_known_stays():
    slow = Patience(look_every_s=0.02)

    async def scenario():
        room_for = room_for_connections(0.004)
        assert room_for < 60
        async with opened(slow, share=0.004) as room:
            known, says = await asyncio.open_connection("127.0.0.1", room.port)
            says.write(WHOLE)
            await known.readuntil(b"}")
            room.is_welcoming = False
            others = [await asyncio.open_connection("127.0.0.1", room.port) for _ in range(room_for - 1)]
            others[1][1].write(b"POST / HT")
            await asyncio.sleep(0.1)
            assert statuses(await asyncio.wait_for(_after(room, others, 3), 5)) == [200] * 3
            assert await others[0][0].read() == b""
            assert statuses(await others[1][0].read()) == [503]
            says.write(WHOLE)
            assert b" 200 " in await known.readuntil(b"}")
            assert 503 in room.refused
            for _, writer in others:
                writer.close()
            says.close()

    async def _after(room, others, count):
        return b"".join([await _one(room) for _ in range(count)])

    async def _one(room):
        reader, writer = await asyncio.open_connection("127.0.0.1", room.port)
        writer.write(WHOLE)
        answered = await reader.readuntil(b"}")
        writer.close()
        return answered + b"\r\n"

    asyncio.run(scenario())


def test_newcomers_are_refused_while_all_are_at_work(eventually):
    async def scenario():
        async with opened(Patience(look_every_s=0.02), share=0.001) as room:
            room.is_open.clear()
            most = room_for_connections(0.001)  # as many open files as this process may have: 4 to 8
            whole = WHOLE.replace(b"Host: x", b"Connection: close")
            asking = [asyncio.create_task(room.ask(whole)) for _ in range(most)]
            await eventually(lambda: len(room.bodies) == most)
            assert statuses(await room.ask(b"")) == [503]
            room.is_open.set()
            assert [statuses(each) for each in await asyncio.gather(*asking)] == [[200]] * most

    asyncio.run(scenario())


def test_bodies_together_hold_no_more_than_they_may():
    async def one(bodies: Bodies, size: int, whole: asyncio.Event):
        left, scope = [size // 4] * 4, {"headers": []}

        async def receive():
            if not left[1:]:
                await whole.wait()
            return {"type": "http.request", "body": b"x" * left.pop(), "more_body": bool(left)}

        try:
            return len(await bodies.read(scope, receive))
        except Refusal as refusal:
            return refusal.status
        finally:
            bodies.release(scope)

    async def scenario():
        bodies, whole = Bodies(max_bytes=1_000_000, most_held=2_500_000), asyncio.Event()
        sizes = [1_000_000] * 5 + [1_000_004] + [16_000] * 50
        asked = [asyncio.create_task(one(bodies, size, whole)) for size in sizes]
        await asyncio.sleep(0.05)
        assert bodies.held <= 2_500_000
        whole.set()
        found = await asyncio.gather(*asked)
        assert (found[5], set(found[6:])) == (413, {16_000})
        assert {503, 1_000_000} == set(found[:5])
        assert bodies.held == 0

    asyncio.run(scenario())
