"""What reads requests, answers and files of others; the rest of what is fuzzed is in `_fuzzed`."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from tests.proof._corpus import FLOWS

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
Play = Callable[[bytes], None]


def is_one_line(words: str, most: int) -> None:
    assert words
    assert "\n" not in words
    assert len(words) < most


# --- what comes in over HTTP ----------------------------------------------------------------------------------------


def call(_: Path) -> Play:
    from sinchflow.model import codec
    from sinchflow.runtime.call_body import read_call
    from sinchflow.runtime.guard import Refusal
    from sinchflow.runtime.spans import read_traceparent

    kinds = [
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"text/plain",
        b"",
        b"application/x+json",
        b"multipart/x",
    ]

    def play(data: bytes) -> None:
        head, _, body = data.partition(b"\n")
        read_traceparent(head.decode("latin-1"))
        for kind in kinds:
            headers = [(b"content-type", kind), (b"x", head), (b"x", head), (b"traceparent", head)]
            try:
                fields = read_call(method="POST", path="/a", query=head, headers=headers, secret=(), body=body)
            except Refusal as refusal:
                is_one_line(refusal.reason, 1_000)
                continue
            assert codec.decode_data(codec.encode_data(fields)) == fields or b"e" in body.lower() or b"." in body

    return play


def doors(folder: Path) -> Play:
    """Both ports of a whole daemon: a request is a line `METHOD PATH`, headers, an empty line and a body."""
    from tests.runtime.conftest import TOKEN, House

    house = House(folder)
    house.settings()
    house.flow(FLOWS)
    loop = asyncio.new_event_loop()
    place = house.at_work()
    loop.run_until_complete(place.__aenter__())

    async def ask(data: bytes) -> bytes:
        line, _, rest = data.partition(b"\n")
        path = (
            quote(line.partition(b" ")[2].decode("latin-1"), safe="/?&=%:").encode().replace(b"TOKEN", TOKEN.encode())
        )
        head, _, body = rest.partition(b"\n\n")
        port = house.daemon.admin_port if path.startswith((b"/api", b"/health", b"/metrics")) else house.daemon.port
        head_lines = [
            b"%s %s HTTP/1.1" % (re.sub(rb"[^A-Z]", b"", line.partition(b" ")[0]) or b"POST", path[:30_000] or b"/"),
            b"Host: 127.0.0.1:%d" % port, b"Connection: close", b"Content-Length: %d" % len(body),
            b"Authorization: Bearer " + house.daemon.token.encode(),
            *(each for each in head.replace(b"\r",
            b"").split(b"\n") if re.match(rb"(?!content-length|host)[a-z-]+: [ -~]*$", each)),
        ]  # fmt: skip
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"\r\n".join([*head_lines, b"", b""]) + body)
            return (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n")[0]
        except ConnectionError:
            return b"HTTP/1.1 400 (closed before all was read)"
        finally:
            writer.close()

    def play(data: bytes, _at_work: Any = place) -> None:
        status = loop.run_until_complete(ask(data))
        assert re.match(rb"HTTP/1.1 (?:[1234]..|503)", status), status

    return play


def answers(_: Path) -> Play:
    """What any server answers an `http` step with, through httpx."""
    import httpx

    from sinchflow.model.command import CallUrl
    from sinchflow.runtime.outbound import Outbound, OutboundClient
    from sinchflow.runtime.perform import call_url
    from sinchflow.runtime.secrets import Secrets

    loop = asyncio.new_event_loop()
    now: list[bytes] = [b""]

    class Wire(httpx.AsyncByteStream):
        def __init__(self, body: bytes) -> None:
            self._body = body

        async def __aiter__(self) -> Any:
            yield self._body

    def answer(_request: httpx.Request) -> httpx.Response:
        head, _, body = now[0].partition(b"\n\n")
        parts = [line.partition(b":") for line in head.split(b"\n")]
        status = int(parts[0][0]) if parts[0][0].isdigit() and len(parts[0][0]) == 3 else 200
        return httpx.Response(
            status, headers=[(name, value.strip()) for name, _, value in parts if name], stream=Wire(body)
        )

    client = OutboundClient(Outbound(), lambda _: httpx.MockTransport(answer))
    secrets = Secrets({"A": "s3cr3t"})

    def play(data: bytes) -> None:
        now[0] = data
        for parse in ("auto", "json", "csv", "text"):
            command = CallUrl(
                id="1:0:0", method="POST", url="https://a.example/\ufdd0A\ufdd1", follow_redirects=True,
                max_bytes=20_000, parse=parse,
                timeout=timedelta(seconds=5),
            )  # fmt: skip
            attempted = loop.run_until_complete(call_url(client, command, secrets))
            shown = msgspec.json.encode(_printable(attempted))
            assert b"s3cr3t" not in shown

    return play


def _printable(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True)


def rows(folder: Path) -> Play:
    from sinchflow.language.lists import read_days, read_list
    from sinchflow.runtime.csv_rows import read_rows

    path = folder / "list.csv"

    def play(data: bytes) -> None:
        try:
            rows = read_rows(data.decode("utf-8", "replace"))
        except ValueError as error:
            is_one_line(str(error), 500)
        else:
            assert len({tuple(row) for row in rows}) <= 1
        path.write_bytes(data)
        read_list(path, folder, "AU")
        read_days(path, folder)

    return play


# --- files of a project ---------------------------------------------------------------------------------------------


def project(name: str) -> Callable[[Path], Play]:
    def make(folder: Path) -> Play:
        from sinchflow.language.check import Checker
        from sinchflow.language.diagnostic import present_text

        (folder / "flows").mkdir(exist_ok=True)
        (folder / "flows" / "own.yaml").write_text("name: own\non: manual\nsteps: [{log: x}]\n")
        checker = Checker(builds=name == "flows/a.yaml")

        def play(data: bytes) -> None:
            (folder / name).write_bytes(data)
            checked = checker.check(folder, now=NOW, tests=True)
            shown = present_text(checked.diagnostics, checked.texts)
            assert not set(map(chr, (*range(9), *range(11, 32), 127))) & set(shown), "control characters are shown"

        return play

    return make


def keys(folder: Path) -> Play:
    from sinchflow.errors import CannotStart
    from sinchflow.runtime.keyring import KEYS_FILE, read_keys

    def play(data: bytes) -> None:
        (folder / KEYS_FILE).write_bytes(data)
        try:
            read_keys(folder)
        except CannotStart:
            return

    return play
