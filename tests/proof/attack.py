"""Slow clients, idle sockets and bodies of 20 MB attack the webhook port, and good requests do not notice.

500 clients drip a byte a second, 5,000 say nothing, 8 send bodies of 20 MB with the right token, all again and again;
meanwhile customers text 50 times a second and get their replies. Once with as many open files as the machine allows,
and once with 1,024, where most of the attackers have to be thrown out for anybody to get in.
"""

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace

from tests.daemons import HOOKS, House, eventually, process
from tests.proof._house import REPLY, Customers, memory_mb, number_of, play, replied
from tests.proof.dose import Dose, Figure, at_least, at_most, exactly

_SECONDS = 60
_MEMORY_MB = 400


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    for name, prefix in {"many files": (), "1,024 files": ("prlimit", "--nofile=1024:1024")}.items():
        folder = dose.folder / name.replace(" ", "-")
        folder.mkdir()
        for figure in _attacked(dose, folder, prefix):
            yield replace(figure, name=f"{name}: {figure.name}")


def _attacked(dose: Dose, folder: Path, prefix: Sequence[str]) -> list[Figure]:
    slow, idle, large = dose.times(500, 20), dose.times(5_000, 100), dose.times(8, 2)
    seconds = max(2.0, _SECONDS * min(1.0, dose.scale))

    async def scenario(house: House) -> list[Figure]:
        async with house.daemon(*prefix) as running:
            port = house.found["port"]
            before_mb = memory_mb(running.pid)
            customers = Customers(port)
            alone = await customers.text(50, min(seconds, 10), lambda number: number_of(number, "+614910"))
            counts = map(str, (slow, idle, large))
            command = [sys.executable, "-m", "tests.proof._attackers", str(port), f"{HOOKS}/inbound", *counts]
            with process(command, house.folder, "attackers"):
                wanted = min(slow + idle, 500 if prefix else 2_000)
                await eventually(lambda: _is_crowded(running.pid, wanted))
                crowd = _connections(running.pid)
                texts = await customers.text(50, seconds, number_of)
                crowd = max(crowd, _connections(running.pid))
            after_mb = memory_mb(running.pid)
            accepted = len(alone.accepted) + len(texts.accepted)

            async def is_answered() -> bool:
                return (await replied(house)).total() >= accepted

            await eventually(is_answered)
            answers = await replied(house)
            calm = await customers.text(50, 2, lambda number: number_of(number, "+614912"))
            log = (house.folder / "daemon.err").read_text()
            refused = {
                line.split('"')[1]: float(line.rsplit(" ", 1)[1])
                for line in (await house.admin("/metrics")).text.splitlines()
                if line.startswith("sinchflow_refused_requests_total{")
            }
            return [
                Figure(name="connections that the daemon had at once", value=crowd),
                Figure(name="refusals by status", value=refused),
                Figure(name="p99 of an acknowledgement before the attack, s", value=round(alone.p99_s, 4)),
                at_most("p99 of an acknowledgement under attack", texts.p99_s, 1, "s"),
                exactly("texts that got no answer", texts.failures.total()),
                exactly("texts refused", texts.statuses.total() - texts.statuses[202]),
                exactly("texts acknowledged and not replied to", accepted - sum(answers.values())),
                exactly("replies sent twice", sum(count > 1 for count in answers.values())),
                at_least("413 to bodies of 20 MB", refused.get("413", 0), 1),
                at_most("memory under attack", after_mb, _MEMORY_MB, "MB"),
                Figure(name="memory before, MB", value=round(before_mb, 1)),
                at_most("p99 after the attack", calm.p99_s, 1, "s"),
                at_most("log written", len(log) / 1024, 200, "KiB"),
                exactly("internal errors in the log", log.count("internal error")),
            ]

    figures: list[Figure] = play(folder, REPLY, scenario, patience_s=seconds + 180)
    return figures


async def _is_crowded(pid: int, wanted: int) -> bool:
    await asyncio.sleep(0.1)
    return _connections(pid) >= wanted


def _connections(pid: int) -> int:
    """Its open files; few of them are no connections."""
    return len(os.listdir(f"/proc/{pid}/fd"))
