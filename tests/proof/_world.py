"""One seed of the simulation: a process, the world around it, and what happens to both, on one time line.

The driver runs one callback after the other, of the process or of the world, and lets time jump to the next timer when
there is none. A crash comes between any two callbacks. After the trouble comes a time in which everything works, in
which a person says what became of whatever is held; then nothing may be left open.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from sinchflow.engine.cursors import held_calls
from sinchflow.runtime.catalog import Catalog
from sinchflow.sinch.services import SERVICES  # noqa: F401
from tests.proof._disk import Disk
from tests.proof._judge import Watch
from tests.proof._outside import Outside, run_now
from tests.proof._process import Process
from tests.proof._projects import CONTACTS, OUR_NUMBER
from tests.proof._virtual import TimeLine, VirtualLoop
from tests.proof._weather import weather

#: The provider's own: five more attempts, a minute apart.
_PUSH_RETRIES = 5
_PUSH_AGAIN_S = 60.0
_PUSH_TIMEOUT_S = 10.0
#: Of callbacks: a world that never comes to rest is a bug, of the program's or of ours.
_MOST_STEPS = 400_000
_DAY_S = 86_400.0
#: After this many virtual days everything must have ended.
_PATIENCE_S = 40 * _DAY_S


class World:
    """See the module's text. catalogs: the versions of the project; the last ones come by reload. say: the story."""

    def __init__(
        self, seed: int, catalogs: list[Catalog], sources: dict[str, Any], say: Callable[[str], None] | None = None
    ) -> None:
        self.random = random = Random(seed)
        self.line = TimeLine()
        self._tell = say
        self.weather = weather(random)
        self.catalogs = catalogs
        self.catalog = catalogs[0]
        self.sources = sources
        self.loop = VirtualLoop(self.line)
        self.watch = Watch(self.line)
        self.disk = Disk(random, self._after, self._saw)
        self.disk.failing = self.weather.disk
        self.outside = Outside(random, self.weather, self.loop, self.say, self._push, self.watch.departs)
        self.outside.sim.subscribe(self._customer_reads)
        self.outside.moment = self._moment
        self.outside.at_confirmation = self.watch.confirms
        self.aimed = self.weather.aimed
        self.skew_s = 0.0
        self.process: Process | None = None
        self.steps = 0
        self.crash_in: int | None = None
        self.counts = {"crashes": 0, "events": 0}
        self._texts = 0

    def say(self, words: str) -> None:
        """Tell the story."""
        if self._tell is not None:
            self._tell(f"{self.line.now_s:12.3f}  {words}")

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self.loop.call_later(seconds, call)

    def _moment(self) -> None:
        """A crash may come soon after this."""
        if self.aimed and self.crash_in is None and not self.outside.is_healed and self.random.random() < 0.05:
            self.aimed -= 1
            self.crash_in = self.random.randint(1, 8)

    def _saw(self, unit: Any) -> None:
        self.watch.saw(unit)
        self._moment()
        if self._tell is not None:
            self.say(_shown(unit))

    # --- the whole of it --------------------------------------------------------------------------------------------

    def play(self) -> list[str]:
        """What must not be and was; empty when all is well."""
        self.say(f"{self.weather}")
        self._start()
        self._plan()
        self._drive(self.weather.heals_s)
        self._heal()
        self._drive(self.line.now_s + 1_800.0)
        self._end()
        if self.process is not None:
            self.process.loop.kill()
        always = set.intersection(*({*catalog.flows} for catalog in self.catalogs))
        others = {name for catalog in self.catalogs for name in catalog.flows if name.startswith("flow")}
        always -= {name.replace("flow", "plain") for name in others}  # of the same keyword
        return self.watch.check(self.disk, self.outside, self.weather, self.catalog.project, always)

    def _end(self) -> None:
        self._come_to_rest()
        self._look_at(self.process)
        self._crash()  # what is left on disk is all that counts
        self._start()
        self._drive(self.line.now_s + 60.0)
        self._come_to_rest()  # what catch-up has found at the start may begin runs
        self._look_at(self.process)

    def _come_to_rest(self) -> None:
        """Let everything come to its end; whatever is held gets a person's word."""
        until = self.line.now_s + _PATIENCE_S
        while self.line.now_s < until:
            self._start()
            assert self.process is not None
            self._resolve_all(self.process)
            before = self.line.now_s
            self._drive(before + 3_600.0)
            if self.process is not None and self.process.is_at_rest and self._is_quiet_outside():
                break

    def _is_quiet_outside(self) -> bool:
        return not self.loop.ready and all(handle.cancelled() for *_, handle in self.loop.due)

    def _resolve_all(self, process: Process) -> None:
        settling, random = process.worker.settling, self.random
        for send_id, doubt in list(settling._doubts.items()):
            if doubt.is_held:
                self._resolve(process, send_id, random.choice(("fail", "skip")))
        for run_id, active in list(process.worker._runs._active.items()):
            if held_calls(active.run):
                process.worker.resolve_call(run_id, random.choice(("fail", "skip")))
                process.commits.flush_soon()

    def _resolve(self, process: Process, send_id: int, how: Any) -> None:
        refusal = process.worker.settling.by_hand(send_id, how, "somebody")
        if refusal is None:
            self.watch.by_hand.add(send_id)
        self.say(f"operator: resolve {send_id} as {how}: {refusal or 'done'}")

    def _heal(self) -> None:
        self.say("everything works again")
        self.outside.is_healed = True
        self.disk.failing = self.disk.slow = 0.0
        self.crash_in = None
        if self.process is None:
            self._start()
        assert self.process is not None
        self.process.switch.resume("somebody", self.process.clock.now())

    # --- the driver -------------------------------------------------------------------------------------------------

    def _drive(self, until_s: float) -> None:
        """Run what is to be run up to this time."""
        line, world = self.line, self.loop
        while True:
            process = self.process
            if process is not None and process.loop.ready:
                if self.crash_in is not None:
                    self.crash_in -= 1
                    if self.crash_in <= 0:
                        self._crash()
                        continue
                process.loop.run_one()
                if process.is_stopped:
                    self._stopped()
            elif world.ready:
                world.run_one()
            else:
                times = [each.next_s() for each in (world, process and process.loop) if each is not None]
                next_s = min((each for each in times if each is not None), default=None)
                if next_s is None or next_s > until_s:
                    line.now_s = max(line.now_s, until_s)
                    return
                line.now_s = max(line.now_s, next_s)
                world.wake()
                if process is not None:
                    process.loop.wake()
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise AssertionError(f"no rest after {self.steps} callbacks")

    # --- the process ------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self.process is not None:
            return
        self.say("the daemon starts")
        self.process = Process(
            disk=self.disk, outside=self.outside, catalog=self.catalog, line=self.line,
            skew_s=lambda: self.skew_s, breaks=self.watch.breaks,
        )  # fmt: skip
        self.sources["journal"] = self.process.journal

    def _look_at(self, process: Process | None) -> None:
        """What must hold at any time, looked at now."""
        if process is None:
            return
        self.watch.errors += [f"{each.get('message')}: {each.get('exception')!r}" for each in process.loop.errors]
        if process.stats.internal_errors:
            self.watch.errors.append(f"{process.stats.internal_errors} were counted")
        if process.clock.early:
            self.watch.breaks(f"{process.clock.early} timers were early")
        if process.is_quiet:
            for words in process.differences():
                self.watch.breaks(words)

    def _crash(self) -> None:
        self.crash_in = None
        process, self.process = self.process, None
        if process is not None:
            self.say("CRASH")
            self.counts["crashes"] += 1
            self._look_at(process)
            process.crash()
            down_s = self.random.choice((0.0, 0.5, 30.0, 900.0))
            self._after(down_s, self._start)

    def _stopped(self) -> None:
        process, self.process = self.process, None
        assert process is not None
        self.say("the daemon has stopped")
        self._look_at(process)
        process.crash()
        self._after(self.random.choice((0.0, 5.0)), self._start)

    # --- what happens -----------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        random, weather, over_s = self.random, self.weather, self.weather.over_s
        bursts = [random.uniform(0.0, over_s) for _ in range(random.randint(1, 5))]

        def some_time() -> float:
            return random.uniform(0.0, over_s) if random.random() < 0.4 else random.choice(bursts) + random.random()

        for _ in range(weather.events):
            self._after(some_time(), self._event)
        for _ in range(weather.crashes):
            self._after(some_time(), self._crash_soon)
        for _ in range(weather.jumps):
            self._after(some_time(), self._set_clock)
        for _ in range(weather.reloads):
            self._after(some_time(), self._reload)
        for _ in range(weather.sweeps):
            self._after(random.uniform(0.0, weather.heals_s * 3), self._sweep)
        for _ in range(weather.pauses):
            self._after(some_time(), self._pause)
        for _ in range(weather.operator):
            self._after(random.uniform(0.0, weather.heals_s), self._operate)

    def _crash_soon(self) -> None:
        if self.process is None:
            return
        if self.random.random() < 0.2:
            self.say("SIGTERM")
            self.process.stop()
            self._after(20.0, self._crash)  # in case that it does not come to its end
        else:
            self.crash_in = int(self.random.choice((0, 5, 40, 300)) * self.random.random()) + 1

    def _set_clock(self) -> None:
        change_s = self.random.choice((-7_200.0, -600.0, -3.0, 3.0, 600.0, 7_200.0))
        self.skew_s += change_s
        self.say(f"the clock is set by {change_s:g} s")
        if self.process is not None:
            self.process.clock.was_set()

    def _reload(self) -> None:
        self.catalog = self.random.choice(self.catalogs)
        self.say("reload")
        if self.process is not None:
            self.process.swap(self.catalog)

    def _sweep(self) -> None:
        if self.process is not None and self.process.journal.is_quiet:
            self.say("retention sweeps")
            self.process.journal.sweep(self.process.clock.now())

    def _pause(self) -> None:
        if self.process is not None and not self.outside.is_healed:
            self.say("operator: pause")
            self.process.switch.pause("", "somebody", self.process.clock.now())
            self._after(self.random.choice((0.01, 5.0, 600.0)), self._resume)

    def _resume(self) -> None:
        if self.process is not None:
            self.say("operator: resume")
            self.process.switch.resume("somebody", self.process.clock.now())

    def _operate(self) -> None:
        """An operator does something."""
        process, random = self.process, self.random
        if process is None:
            return
        what = random.choice(("retry", "retry", "cancel", "resolve", "resolve", "call", "start", "opt_out"))
        runs = [run_id for (run_id,) in self.disk.connection.execute("SELECT id FROM run ORDER BY id")]
        doubts = list(process.worker.settling._doubts)
        if what == "retry" and runs:
            failed = [row[0] for row in self.disk.connection.execute("SELECT id FROM run WHERE status = 'failed'")]
            run_id = random.choice(failed or runs)
            said = process.retry(run_id)
            self.watch.retried.add(run_id)
            self.say(f"operator: retry {run_id}: {said}")
        elif what == "cancel" and runs:
            run_id = random.choice(runs)
            self.say(f"operator: cancel {run_id}: {process.worker.cancel_run(run_id, 'cancelled by somebody')}")
        elif what == "resolve" and doubts:
            self._resolve(process, random.choice(doubts), random.choice(("sent", "resend", "skip", "fail")))
        elif what == "call" and runs:
            run_id = random.choice(runs)
            self.watch.retried.add(run_id)
            process.worker.resolve_call(run_id, random.choice(("resend", "skip", "fail")))
            process.commits.flush_soon()
        elif what == "start":
            flow = random.choice(list(process.worker.catalog.flows.values()))
            if any(trigger.__class__.__name__ == "ManualTrigger" for trigger in flow.triggers):
                self.say(f"operator: start {flow.name}")
                process.worker.start(flow, {}, lambda _: None)
        elif what == "opt_out":
            number = random.choice(CONTACTS)
            self.say(f"operator: {number} opts out")
            process.worker.suppress(number, lambda _: None)

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def _event(self) -> None:
        random = self.random
        words = random.choices(
            [f"KW{random.randint(0, 3)} please", "order 17", "yes", "no", "hm, well", "STOP", "START", "HELP"],
            [12, 2, 4, 3, 3, 1.5, 1, 0.5],
        )[0]
        self._text_in(random.choice(CONTACTS), words)

    def _text_in(self, contact: str, words: str) -> None:
        self._texts += 1
        if self._texts <= self.weather.events + 5:
            self.say(f"{contact} texts: {words}")
            run_now(self.outside.sim.text_in(contact, words, to=OUR_NUMBER))

    def _customer_reads(self, message: Any) -> None:
        """Some answer."""
        random = self.random
        if not self.outside.is_healed and random.random() < 0.4:
            words = random.choice(("yes", "no", "what?", "yes please", f"KW{random.randint(0, 3)}"))
            contact = message.destination_number
            self._after(random.choice((0.0, 0.2, 5.0, 100.0)), lambda: self._text_in(contact, words))

    def _push(self, kind: str, body: bytes) -> None:
        """The provider has something to tell."""
        random, weather = self.random, self.weather
        if kind == "receipts" and not self.outside.is_healed and random.random() < weather.pushes_lost:
            return
        times = random.randint(2, 3) if random.random() < weather.pushes_repeated else 1
        for _ in range(times):
            at_once = random.random() < 0.5
            delay_s = random.uniform(0.0, weather.push_lag_s) if at_once or kind == "receipts" else 0.0
            self._after(delay_s, lambda: self._post(kind, body, 0))

    def _post(self, kind: str, body: bytes, attempt: int) -> None:
        state = {"is_over": False}

        def answered(status: int) -> None:
            if state["is_over"]:
                return
            state["is_over"] = True
            if 200 <= status < 300:
                fields = json.loads(body)
                key = fields.get("reply_id") or fields.get("delivery_report_id")
                self.watch.acknowledged[key] = kind
            else:
                self._after(_PUSH_AGAIN_S, again)

        def late() -> None:
            if not state["is_over"]:
                state["is_over"] = True
                again()

        def again() -> None:
            if attempt < _PUSH_RETRIES:
                self._post(kind, body, attempt + 1)

        if self.process is None:
            self._after(_PUSH_AGAIN_S, again)
            return
        self.process.post(kind, body, answered)
        self._after(_PUSH_TIMEOUT_S, late)


def _shown(unit: Any) -> str:
    """A unit in one line."""
    if isinstance(unit, tuple):
        return f"stored: event {unit[0]}"
    parts: list[str] = []
    with suppress(AttributeError):
        parts += [f"routed {each}" for each in unit.routed]
        parts += [f"run {run.id} {run.flow} {run.status} at {_places(run)}" for run in unit.runs]
        parts += [
            f"send {send.id} of {send.run} {send.state} ({send.reason})" for send in (*unit.new_sends, *unit.sends)
        ]
        parts += [f"call {call.id}" for call in unit.calls]
        parts += [f"{it}" for it in unit.suppressions]
    return f"stored: {'; '.join(parts) or 'something'}"


def _places(run: Any) -> str:
    return ",".join(f"{cursor.address}{[each.id for each in cursor.commands]}" for cursor in run.cursors) or "its end"
