"""A daemon at work on a disk that falls ill and gets well again: what it answers, sends and says.

Real parts: the daemon, its ports, SQLite, the simulated Sinch on loopback. The disk refuses through `_vfs`, or the data
folder is taken away.
"""

import asyncio
import errno
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from tests.proof._vfs import Disk, What, as_raised
from tests.runtime.conftest import House, _eventually, _serve

HOURS = """\
name: hours
on: {inbound_sms: {keyword: HOURS}}
steps:
  - reply: "We are open, {{ contact.number }}."
"""

#: What is refused, by the name of the illness: operations and what they meet.
ILLNESSES: dict[str, dict[str, int]] = {
    "disk full": {"write": apsw.SQLITE_FULL, "name": errno.ENOSPC},
    "cannot be written": {"write": apsw.SQLITE_IOERR_WRITE, "truncate": apsw.SQLITE_IOERR_TRUNCATE},
    "cannot be flushed": {"sync": apsw.SQLITE_IOERR_FSYNC, "fsync": errno.EIO},
    "made read-only": {"write": apsw.SQLITE_READONLY, "truncate": apsw.SQLITE_READONLY, "name": errno.EROFS},
    "cannot be read": {"read": apsw.SQLITE_IOERR_READ, "open": apsw.SQLITE_CANTOPEN, "write": apsw.SQLITE_IOERR_WRITE},
    "corrupt": {"read": apsw.SQLITE_CORRUPT, "write": apsw.SQLITE_CORRUPT},
}
GONE = "folder taken away"


class Patient:
    """The daemon and its disk. wrong: what was not as it has to be."""

    def __init__(self, house: House, illness: str) -> None:
        self._house = house
        self._illness = illness
        self._data = house.root / ".sinchflow"
        self._refused: dict[str, int] = {}
        self.wrong: list[str] = []
        self.disk = Disk(house.root / ".sinchflow", self._before)

    def _before(self, what: What, path: str) -> None:
        if (code := self._refused.get(what)) is not None:
            raise as_raised(what, code, path)

    def fall_ill(self) -> None:
        """From now on the disk refuses."""
        if self._illness == GONE:
            self._data.rename(self._data.with_name("elsewhere"))
        else:
            self._refused = ILLNESSES[self._illness]

    def get_well(self) -> None:
        """It works again."""
        self._refused = {}
        if self._illness == GONE:
            self._data.with_name("elsewhere").rename(self._data)

    def expect(self, found: Any, wanted: Any, what: str) -> None:
        """Note what is not as wanted."""
        if found != wanted:
            self.wrong.append(f"{what}: {found!r}, not {wanted!r}")

    async def course(self, count: int, ill_s: float) -> None:
        """Well, ill for so long at least, well again; so many people text in each of these times."""
        house, numbers = self._house, [f"+6149157{number:04}" for number in range(3 * count + 1)]
        before, meanwhile, after = (numbers[part * count : (part + 1) * count] for part in range(3))
        under_way = numbers[-1]
        for number in before:
            self.expect(await self._text(number), 202, "well, a webhook is answered")
        await _eventually(lambda: len(house.sim.messages) == count)
        await self._health("well", 200)

        # A call is under way when the disk falls ill: the provider takes it, and what it says cannot be stored.
        fault = {"kind": "delay", "delay_s": 0.4, "times": 1}
        await house.http.post(f"{house.base}/_sim/faults", json=fault)
        self.expect(await self._text(under_way), 202, "well, a webhook is answered")

        async def is_sending() -> bool:
            return (await house.states()).get(under_way) == "sending"

        await _eventually(is_sending)
        self.fall_ill()
        for number in meanwhile:
            self.expect(await self._text(number), 503, "ill, a webhook is answered")
        await _eventually(lambda: len(house.sim.messages) == count + 1)
        await self._health("ill", 503)
        self.expect((await house.admin("/ready")).status_code, 503, "ill, /ready")
        self.expect((await house.admin("/metrics")).status_code, 200, "ill, /metrics")
        status = await house.admin("/api/status")
        self.expect(status.status_code, 200, "ill, /api/status")
        await asyncio.sleep(ill_s)  # what cannot be stored is tried again each second
        self.expect(len(house.sim.messages), count + 1, "ill, messages that the provider got")

        self.get_well()
        for number in [*after, *meanwhile]:
            await _eventually(partial(self._is_taken, number))
        await _eventually(self._is_healthy)

        async def are_sent() -> bool:
            return await house.states() == dict.fromkeys(numbers, "sent")

        await _eventually(are_sent)
        got = sorted(number for number, _ in house.got())
        self.expect(got, sorted(numbers), "messages that the provider got")

    async def _text(self, number: str) -> int:
        answer = await self._house.post({
            "reply_id": f"r-{number}", "source_address": number, "destination_address": "+61491593156",
            "content": "HOURS",
        })  # fmt: skip
        return answer.status_code

    async def _is_taken(self, number: str) -> bool:
        return await self._text(number) in (200, 202)

    async def _is_healthy(self) -> bool:
        return (await self._house.admin("/health")).status_code == 200

    async def _health(self, when: str, wanted: int) -> None:
        answer = await self._house.admin("/health")
        self.expect(answer.status_code, wanted, f"{when}, /health")
        words = str(answer.json()["troubles"].get("journal", ""))
        if (wanted == 503) is not (words.startswith("journal /") and "\n" not in words):
            self.wrong.append(f"{when}, /health says {words!r}")


def stops(root: Path, illness: str) -> bool:
    """Whether a daemon stops that has something to store, on a disk that does not get well."""

    async def whole() -> bool:
        house = House(root)
        house.flow(HOURS)
        house.settings()
        (root / ".sinchflow").mkdir()
        patient = Patient(house, illness)
        with patient.disk.in_place():
            async with asyncio.timeout(40), house.at_work():
                patient.fall_ill()
                house.daemon.switch.pause("", "", datetime.now(UTC))
        return True

    return asyncio.run(whole())


def nurse(root: Path, illness: str, *, count: int = 5, ill_s: float = 2.2) -> list[str]:
    """One course of an illness; what was wrong."""

    async def whole() -> list[str]:
        house = House(root)
        house.flow(HOURS)
        async with asyncio.timeout(60), _serve(house.sim) as house.base:
            house.settings()
            (root / ".sinchflow").mkdir()
            patient = Patient(house, illness)
            with ExitStack() as stack:
                stack.enter_context(patient.disk.in_place())
                async with house.at_work():
                    await patient.course(count, ill_s)
            return patient.wrong

    return asyncio.run(whole())
