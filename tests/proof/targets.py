"""Forbidden targets: whatever a flow or a redirect names, `http` dials no address of the machine or of its network.

Every target is called by the `http` step of a flow, at once and by each kind of redirect, in a whole daemon. What is
dialled is seen at the sockets (`_watch`), and behind most addresses there is a server that must not be met.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from tests.proof._watch import Dials, named, watched
from tests.proof.dose import Dose, Figure, at_least, exactly
from tests.runtime.conftest import House, Url, _serve, response

FLOW = """\
name: reach
on: manual
inputs: {url: {type: string}}
steps:
  - id: call
    http: {url: "{{ inputs.url }}", follow_redirects: true}
    timeout: 5s
"""
PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07::1"
PRIVATE = ("127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:127.0.0.1", "0.0.0.0")
#: What names mean, answer by answer.
MEANINGS = {
    "hop.example": [["127.0.0.1"]],  # allowed by name: where redirects come from
    **{f"private{number}.example": [[address]] for number, address in enumerate(PRIVATE)},
    "many.example": [list(PRIVATE)],
    "metadata.google.internal": [["169.254.169.254"]],
    "127.0.0.1.nip.example": [["127.0.0.1"]],
    "xn--mller-kva.example": [["192.168.0.1"]],
}
#: Names that change what they mean: only the answer that was checked is dialled.
CHANGING = {
    "first-public.example": [[PUBLIC], ["127.0.0.1"]],
    "first-private.example": [["127.0.0.1"], [PUBLIC]],
    "mixed.example": [["127.0.0.1", PUBLIC, "10.0.0.1", OTHER_PUBLIC, "::1"]],
    "mapped.example": [["::ffff:127.0.0.1", PUBLIC]],
}
#: Addresses; `PORT` is where the server listens that must not be met.
HOSTS = [
    "127.0.0.1", "127.8.8.8", "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1", "00000177.00.0.01", "0000000000000000000000000000177.0.0.1", "0x0000000000000000000000007f.1",
    "00000000000000000000000000017700000001", "127.0.0.1.", "127.0.0.1..", "0", "0.0.0.0", "00", "0x0", "4294967295",
    "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost", "127.0.0.1.5", "1.127.0.0.1",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
    "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::1]", "[2001:0:53aa:64c:0:0:80ff:fffe]", "[fe80::1]",
    "[fe80::1%25lo]", "[fe80::1%lo]", "[::1%25lo]", "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
    "[ff0e::1]",
    "[4000::1]", "[3fff::1]", "[100::1]", "[2001:db8::1]", "127。0。0。1", "127．0．0．1", "１２７.0.0.1", "①②⑦.⓪.⓪.①",
    "²130706433", "١٢٧.0.0.1", "ⅼocalhost", "ⓛocalhost", "loc\u00adalhost", "localhost\u200b", "127.0.0.1%00.example",
    "127.0.0.1%2f.example", "%31%32%37.0.0.1", "%6cocalhost", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "100.127.255.254", "169.254.169.254", "0xA9FEA9FE", "2852039166", "169.254.43518",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]", "169.254.170.2", "168.63.129.16", "192.0.0.192", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    *(name for name in MEANINGS if name != "hop.example"), "PRIVATE0.example", "private0.example.", "müller.example",
]  # fmt: skip
#: Whole addresses, in which clients look for the host in different places, and ways that lead elsewhere.
URLS = [
    *(f"http://{login}@127.0.0.1:PORT/" for login in ("good.example", "good.example:80", "a:b@c", "hop.example%40")),
    "http://good.example\\@127.0.0.1:PORT/", "http://127.0.0.1:PORT\\@good.example/",

    "http://127.0.0.1:PORT#@good.example/", "http://good.example#@127.0.0.1:PORT/", "http://127.0.0.1:PORT?@good.example/",
    "http://127.0.0.1:PORT;good.example/", "http://127.0.0.1\t:PORT/", "http://127.0.0.1 :PORT/", "http://127.0.0.1\n:PORT/",
    "http://127.0.0.1:PORT\r\nHost: good.example/", "http://[::1]@127.0.0.1:PORT/", "http://[127.0.0.1]:PORT/",
    "http://[::1]:PORT:80/", "https://127.0.0.1:PORT/", "https://localhost:PORT/", "HTTP://127.0.0.1:PORT/",
    "http://127.0.0.1:0PORT/", "//127.0.0.1:PORT/", " http://127.0.0.1:PORT/", "\x00http://127.0.0.1:PORT/",
    "ws://127.0.0.1:PORT/", "wss://127.0.0.1:PORT/", "file:///etc/passwd", "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:PORT/_x", "ftp://127.0.0.1:PORT/", "dict://127.0.0.1:PORT/", "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info", "jar:http://127.0.0.1:PORT/!/", "data:text/plain,x", "javascript:1",
    "tcp://127.0.0.1:PORT/", "http://169.254.169.254/latest/meta-data/",
]  # fmt: skip
#: Addresses without a host. In a redirect they mean the host that sends it, which is allowed here.
HOSTLESS = [
    "http:/127.0.0.1:PORT/", "http:127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "http:////127.0.0.1:PORT/",
    "http:\\\\127.0.0.1:PORT/", "http://", "http://:PORT/", "http://@:PORT/", "/127.0.0.1:PORT/", "",
]  # fmt: skip
AT_ONCE = 20
KINDS = (301, 302, 303, 307, 308)


def prove(dose: Dose) -> Iterable[Figure]:
    """Scale 1 plays every target in every way."""
    forbidden = [*(f"http://{host}:PORT/" for host in HOSTS), *URLS]
    plays = [(url, kind) for url in forbidden for kind in (None, *KINDS)] + [(url, None) for url in HOSTLESS]
    chosen = sorted(dose.random.sample(range(len(plays)), min(len(plays), dose.times(len(plays), 55))))
    with watched() as dials, named({**MEANINGS, **CHANGING}) as names:
        outcome = asyncio.run(_play(dose, dials, [plays[number] for number in chosen]))
    yield at_least("forbidden targets", len({plays[number][0] for number in chosen}), 40)
    yield Figure(name="calls of them, at once and by redirects", value=len(chosen))
    yield exactly("dialled", len(outcome.dialled))
    yield exactly("met", outcome.met)
    yield exactly("answered", len(outcome.answered))
    if outcome.dialled or outcome.answered:
        yield Figure(name="which", value=[*outcome.dialled, *outcome.answered][:20])
    yield exactly("private addresses dialled by names that change", len(outcome.rebound - {PUBLIC, OTHER_PUBLIC}))
    yield exactly("permitted redirects answered, public addresses dialled", outcome.permitted, 2)
    yield exactly("look-ups for a call of a name that changes", max(names.asked[name] for name in CHANGING), 1)


class _Outcome:
    def __init__(self) -> None:
        self.dialled: list[Any] = []
        self.answered: list[str] = []
        self.met = 0
        self.permitted = 0
        self.rebound: set[str] = set()


async def _play(dose: Dose, dials: Dials, plays: list[tuple[str, int | None]]) -> _Outcome:
    outcome = _Outcome()
    house = House(dose.folder)
    house.flow(FLOW)

    def onward(request: bytes) -> bytes:
        path = request.split(b" ")[1].decode()
        if not path[1:].isdigit():
            return response() if path == "/there" else response(status=302, Location="/there")
        number = int(path[1:])
        url, kind = plays[number]
        place = url.replace("PORT", str(victim.port)).encode()
        # in bytes, as they come: nobody checks what a server writes into its headers
        return b"HTTP/1.1 %d X\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (kind, place)

    async with _serve(house.sim) as house.base, Url(response()).running() as victim, Url(onward).running() as hop:
        house.settings(outbound="{allow: [hop.example]}")
        dials.known |= {int(house.base.rpartition(":")[2]), hop.port}
        async with house.at_work():
            dials.known |= {house.daemon.port, house.daemon.admin_port}

            async def play(number: int) -> None:
                url, kind = plays[number]
                there = url.replace("PORT", str(victim.port))
                run = await _run(house, there if kind is None else f"http://hop.example:{hop.port}/{number}")
                if run["status"] != "failed":
                    outcome.answered.append(f"{url} ({kind}): {run['status']}")

            for first in range(0, len(plays), AT_ONCE):
                batch = range(first, min(first + AT_ONCE, len(plays)))
                await asyncio.gather(*map(play, batch))
                for number in batch if dials.taken() else ():  # again, one by one, to see which it was
                    await play(number)
                    outcome.dialled += [(*plays[number], address) for address in dials.taken()]
                dose.say(f"{first} of {len(plays)}")
            for name in CHANGING:
                await _run(house, f"http://{name}/")
            outcome.rebound = {address[0] for address in dials.taken()}
            control = await _run(house, f"http://hop.example:{hop.port}/permitted")
            outcome.permitted = (PUBLIC in outcome.rebound) + (control["status"] == "completed")
        outcome.met = len(victim.requests)
    return outcome


async def _run(house: House, url: str) -> dict[str, Any]:
    """The run whose `http` step calls this, when it is over."""
    answer = await house.admin("/api/flows/reach/start", "POST", json={"inputs": {"url": url}})
    assert answer.status_code == 202, answer.text
    while True:
        run: dict[str, Any] = (await house.admin(f"/api/runs/{answer.json()['run']}")).json()
        if run["status"] in ("completed", "failed"):
            return run
        await asyncio.sleep(0.002)
