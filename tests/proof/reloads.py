"""Reloads under load, most of them of files as editors, checkouts and bad luck leave them.

A daemon in this process with its real watch on the files, and `reload()` beside it. Each whole version of the flow says
its number in its answer, so it is known of each answer whether its flow was valid and live when the event came.
"""

import asyncio
import itertools
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from tests.proof.dose import Dose, Figure, at_least, exactly
from tests.runtime.conftest import House, _eventually, _serve

_FLOW = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: 'version %d'}]\n"
_BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(9))}]\n" for a, b in itertools.pairwise("abcdefghi")
)


def prove(dose: Dose) -> Iterable[Figure]:
    """See the module's text."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return asyncio.run(_Play(dose).play(dose.times(1_000)))
    finally:
        structlog.reset_defaults()


class _Play:
    def __init__(self, dose: Dose) -> None:
        self._dose = dose
        self._random = dose.random
        self._house = House(dose.folder)
        self._flows = dose.folder / "flows"
        self._file = self._flows / "greet.yaml"
        self._version = 0
        self._written = 0  # the last whole version that stands, or stood, on disk
        self._is_gone = False  # no flow at all is a valid set, too
        self._times_gone = 0
        self._sent: dict[str, tuple[int, bool]] = {}  # by sender: the version that was live, whether none may have been
        self._not_taken = 0
        self._wrong: list[str] = []
        self._counts = {"refused": 0, "taken": 0}

    async def play(self, times: int) -> list[Figure]:
        house = self._house
        async with _serve(house.sim) as house.base:
            house.settings()
            self._settings = (self._dose.folder / "sinchflow.yaml").read_text()
            self._whole()
            async with house.at_work():
                loads = [asyncio.create_task(self._load(first)) for first in range(4)]
                for number in range(times):
                    await self._turn()
                    self._dose.say(f"{number} of {times} reloads, {len(self._sent)} events")
                for load in loads:
                    load.cancel()
                await asyncio.gather(*loads, return_exceptions=True)
                await _eventually(lambda: not house.daemon.worker.open_runs and not house.daemon.worker.waiting_events)
                await asyncio.sleep(0.2)
                internal = house.daemon.stats.internal_errors
        return self._figures(times, internal)

    def _figures(self, times: int, internal: int) -> list[Figure]:
        answers: dict[str, list[int]] = {}
        for to, text in self._house.got():
            answers.setdefault(to, []).append(int(text.split()[1]))
        unanswered = [who for who, (_, may_be) in self._sent.items() if who not in answers and not may_be]
        doubled = [who for who, found in answers.items() if len(found) > 1]
        stale = [who for who, found in answers.items() if who in self._sent and found[0] < self._sent[who][0]]
        return [
            at_least("reloads", sum(self._counts.values()), times), at_least("events", len(self._sent), 1),
            Figure(name="reloads refused", value=self._counts["refused"]),
            Figure(name="answered", value=len(answers)),
            exactly("webhooks not acknowledged", self._not_taken), exactly("answered twice", len(doubled)),
            exactly("acknowledged and not answered", len(unanswered)),
            exactly("answered by a version that was not live any more", len(stale)),
            exactly("broken states taken, or not loud; good ones refused, or not green", len(self._wrong)),
            exactly("internal errors", internal), *(Figure(name="wrong", value=words) for words in self._wrong[:3]),
        ]  # fmt: skip

    async def _load(self, first: int) -> None:
        for number in itertools.count(first, 4):
            sender = f"+614{10_000_000 + number}"
            live, may_be_gone, times_gone = self._live(), self._is_gone, self._times_gone
            body = {"reply_id": sender, "source_address": sender, "destination_address": "+61491593156"}
            body["content"] = "HI"
            answer = await self._house.post(body)
            if answer.status_code != 202:
                self._not_taken += 1
            self._sent[sender] = (live, may_be_gone or self._times_gone > times_gone)
            await asyncio.sleep(self._random.choice((0, 0, 0.01)))

    def _live(self) -> int:
        flow = self._house.daemon.worker.catalog.flows.get("greet")
        return 0 if flow is None else int(str(flow.steps).partition("version ")[2].partition("'")[0].partition('"')[0])

    async def _turn(self) -> None:
        """Break something, reload, mend it with the next version, reload."""
        kind = self._random.choice(_KINDS)
        before = self._live()
        self._is_gone = kind in _MAY_LEAVE_NONE
        self._times_gone += self._is_gone
        kind(self)
        if self._random.random() < 0.1:
            await asyncio.sleep(0.25)  # the watch looks, too
        reason = await self._house.daemon.reload()
        self._counts["taken" if reason is None else "refused"] += 1
        is_red = "reload" in self._house.daemon.stats.troubles
        if is_red is (reason is None):
            self._wrong.append(f"{kind.__name__}: {reason!r}, and status says otherwise")
        if kind in _MUST_BE_REFUSED and reason is None:
            self._wrong.append(f"{kind.__name__} was taken: {self._file.read_bytes()[:200]!r}")
        if reason is not None and self._live() != before:
            self._wrong.append(f"{kind.__name__} was refused, and version {before} is not live any more")
        self._mend()
        reason = await self._house.daemon.reload()
        self._counts["taken" if reason is None else "refused"] += 1
        if reason is not None or self._live() != self._written or "reload" in self._house.daemon.stats.troubles:
            self._wrong.append(f"after {kind.__name__}: {reason!r}, live is {self._live()} of {self._written}")
        self._is_gone = False

    def _mend(self) -> None:
        for stray in self._dose.folder.glob("flows*/*"):
            if stray != self._file:
                shutil.rmtree(stray) if stray.is_dir() and not stray.is_symlink() else stray.unlink()
        if not self._flows.is_dir() or self._flows.is_symlink():
            self._flows.unlink(missing_ok=True)
            self._flows.mkdir()
        for other in self._dose.folder.glob("flows-*"):
            shutil.rmtree(other)
        if self._file.is_dir():
            shutil.rmtree(self._file)
        elif self._file.is_symlink() or self._file.exists():
            self._file.unlink()
        settings = self._dose.folder / "sinchflow.yaml"
        if not settings.exists() or settings.read_text() != self._settings:
            settings.write_text(self._settings)
        self._whole()

    # --- what happens to files --------------------------------------------------------------------------------------

    def _next(self) -> str:
        self._version += 1
        return _FLOW % self._version

    def _whole(self) -> None:
        text = self._next()
        fresh = self._flows / ".greet.yaml.tmp"
        fresh.write_text(text)
        fresh.replace(self._file)
        self._written = self._version

    def unknown_key(self) -> None:
        self._file.write_text(self._next().replace("reply", "replay"))

    def half_written(self) -> None:
        text = self._next()
        self._file.write_text(text[: self._random.randrange(15, len(text) - 4)])

    def no_bytes(self) -> None:
        self._file.write_bytes(b"")

    def no_text(self) -> None:
        self._file.write_bytes(self._next().encode() + b"# \xff\xfe\x80")

    def nul_bytes(self) -> None:
        self._file.write_bytes(b"\0" * 200)

    def unreadable(self) -> None:
        self._file.unlink()
        self._file.symlink_to("greet.yaml")  # a loop, which root cannot read either

    def dangling(self) -> None:
        (self._flows / "other.yaml").symlink_to("nowhere.yaml")

    def folder_with_a_files_name(self) -> None:
        (self._flows / "x.yaml").mkdir()

    def bomb(self) -> None:
        (self._flows / "bomb.yaml").write_text(_BOMB)

    def twice(self) -> None:
        (self._flows / "copy.yaml").write_text(self._next())

    def conflict(self) -> None:
        text = self._next()
        self._file.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n")

    def broken_settings(self) -> None:
        (self._dose.folder / "sinchflow.yaml").write_text("credentials: {api_key: [\n")

    def no_settings(self) -> None:
        (self._dose.folder / "sinchflow.yaml").unlink()

    def vanished(self) -> None:
        self._file.unlink()

    def renamed_folder(self) -> None:
        self._flows.rename(self._dose.folder / "flows-away")

    def swap_files(self) -> None:
        for name in (".greet.yaml.swp", "greet.yaml~", "4913", "#greet.yaml#"):
            (self._flows / name).write_bytes(os.urandom(50))

    def checkout(self) -> None:
        """Many files come and go at once."""
        for number in range(20):
            path = self._flows / f"branch-{number}.yaml"
            path.write_text(f"name: b{number}\non: {{inbound_sms: {{keyword: B{number}}}}}\nsteps: [{{reply: x}}]\n")
        for number in range(0, 20, 2):
            (self._flows / f"branch-{number}.yaml").unlink()

    def link(self) -> None:
        """The file becomes a link to a whole one elsewhere."""
        place = Path(self._dose.folder / "flows-linked")
        place.mkdir()
        (place / "real.yaml").write_text(self._next())
        self._file.unlink()
        self._file.symlink_to(place / "real.yaml")
        self._written = self._version


_Kind = Callable[[_Play], None]
_MUST_BE_REFUSED: tuple[_Kind, ...] = (
    _Play.unknown_key, _Play.half_written, _Play.no_text, _Play.nul_bytes, _Play.unreadable, _Play.bomb, _Play.twice,
    _Play.conflict, _Play.broken_settings,
)  # fmt: skip
_MAY_LEAVE_NONE: tuple[_Kind, ...] = (_Play.vanished, _Play.renamed_folder, _Play.no_bytes, _Play.no_settings)
_KINDS: tuple[_Kind, ...] = (
    *_MUST_BE_REFUSED, *_MAY_LEAVE_NONE, _Play.dangling, _Play.folder_with_a_files_name, _Play.swap_files,
    _Play.checkout, _Play.link,
)  # fmt: skip
