"""The admin port's door: who asks by a name that is not ours, or for a page of elsewhere, gets nothing."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sinchflow.runtime.admin_door import MAX_BODY_BYTES, AdminDoor

TOKEN = "token-of-the-test"
BEARER = f"Bearer {TOKEN}"


async def _count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())), headers={"Cache-Control": "max-age=5"})


APP = AdminDoor(
    Starlette(routes=[Route("/{path:path}", _count, methods=["GET", "POST"])]), token=TOKEN, names=["ops.example"]
)


def ask(method: str, path: str, *headers: tuple[str, str], body: bytes = b"") -> tuple[int, dict[bytes, bytes], bytes]:
    answered = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        answered.append(message)

    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path, "headers": encoded, "query_string": b"", "state": {}}
    asyncio.run(APP(scope, receive, send))
    return answered[0]["status"], dict(answered[0]["headers"]), b"".join(each["body"] for each in answered[1:])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("localhost:8081", 200), ("LocalHost.:8081", 200), ("127.0.0.1:8081", 200),
        ("10.1.2.3:8081", 200), ("[::1]:8081", 200), ("::1", 200), ("ops.example:8081", 200), ("", 200),
        ("evil.example", 421), ("evil.example:8081", 421), ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("[::1].evil.example", 421), ("user@evil.example", 421), ("127.0.0.1@evil.example:8081", 421), ("0x7f.1", 421),
        ("2130706433", 421), ("a\x1b]b", 421), ("\xff", 421), ("\"><script>", 421),
    ],
)  # fmt: skip
def test_only_our_names_and_addresses_are_answered(host, status):
    for path in ("/health", "/metrics", "/phone", "/api/sends"):
        found, _, body = ask("GET", path, ("host", host))
        assert (path, found) == (path, status)
        assert body.decode("ascii").isprintable()
    if status == 421:
        assert b"--admin-name" in body


def test_who_has_the_token_may_ask_by_any_name():
    assert ask("POST", "/api/x", ("host", "evil.example"), ("authorization", BEARER), body=b"abc")[::2] == (200, b"3")
    assert ask("POST", "/api/x", ("host", "evil.example"), ("authorization", "Bearer t\xf6ken"))[0] == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 200),
        ((("origin", "http://localhost:8081"),), 200),
        ((("sec-fetch-site", "same-origin"),), 200),
        ((("sec-fetch-site", "none"),), 200),
        ((("origin", "http://localhost:3000"),), 403),
        ((("origin", "null"),), 403),
        ((("origin", "https://evil.example"), ("authorization", BEARER)), 403),
        ((("sec-fetch-site", "cross-site"),), 403),
        ((("sec-fetch-site", "same-site"), ("origin", "http://localhost:8081")), 403),
    ],
)
def test_a_page_of_elsewhere_changes_nothing_and_does_not_reach_the_api(headers, status):
    host = ("host", "localhost:8081")
    assert ask("POST", "/phone/texts", host, *headers)[0] == status
    assert ask("GET", "/api/sends", host, *headers)[0] == status
    assert ask("GET", "/phone", host, *headers)[0] == 200  # a link may lead to a page


def test_answers_are_kept_nowhere_and_are_what_they_say():
    _, headers, _ = ask("GET", "/health")
    assert (headers[b"x-content-type-options"], headers[b"cache-control"]) == (b"nosniff", b"max-age=5")
    for headers in (ask("GET", "/health", ("host", "evil.example"))[1], ask("DELETE", "/health")[1]):
        assert (headers[b"x-content-type-options"], headers[b"cache-control"]) == (b"nosniff", b"no-store")


def test_large_bodies_are_refused():
    assert ask("POST", "/api/x", body=b"x" * MAX_BODY_BYTES)[::2] == (200, str(MAX_BODY_BYTES).encode())
    assert ask("POST", "/api/x", body=b"x" * (MAX_BODY_BYTES + 1))[0] == 413


def test_phone_page_and_api_go_on_working(play, house):
    house.flow("on: inbound_sms\nsteps:\n  - log: hi\n")

    async def scenario(house):
        url = f"http://localhost:{house.daemon.admin_port}"
        assert (await house.http.get(f"{url}/health")).status_code == 200
        rebound = await house.http.get(f"{url}/metrics", headers={"Host": "evil.example"})
        assert (rebound.status_code, "error" in rebound.json()) == (421, True)
        assert (await house.admin("/api/sends")).status_code == 200

    play(scenario)
