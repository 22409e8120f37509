"""Plays one script on its stage, step by step, and says at which step it is not as the script has it."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta

from sinchflow.expression.durations import parse_duration
from sinchflow.language.script import Script, ScriptStep
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.run_words import place_of
from sinchflow.simulate.play.acts import ACTS
from sinchflow.simulate.play.calling import answer_of, answer_words
from sinchflow.simulate.play.coverage import Walked
from sinchflow.simulate.play.outcome import Failure, Off, Played, failures
from sinchflow.simulate.play.scene import Scene, shown
from sinchflow.simulate.play.stage import Answer, Called, Texted
from sinchflow.simulate.play.virtual_time import Stuck, VirtualLoop
from sinchflow.simulate.play.wanted import Difference, of_call, of_message, of_run, same_url


def play(
    script: Script, catalog: Catalog, loop: VirtualLoop, walked: Walked | None = None, *, goes_on: bool = False
) -> Played:
    """Play it from its beginning to its end, or to where it fails. walked: is told which ways the flows go.

    goes_on: what is not as the script has it is noted, and the script is played on.
    """
    player = _Player(script, catalog, loop, walked, goes_on=goes_on)
    loop.begin()
    try:
        failure = loop.run_until_complete(player.play())
    except Stuck:
        failure = player.stuck(loop.patience_s)
    with contextlib.suppress(Stuck):
        loop.begin()
        loop.run_until_complete(player.scene.stage.close())
    loop.end()
    failures = (*player.failures, *([failure] if failure is not None else []))
    return Played(
        script=script, failure=next(iter(failures), None), failures=failures, chat=tuple(player.scene.chat()),
        runs=tuple(player.scene.stage.runs.values()),
    )  # fmt: skip


class _Player:
    """One script being played."""

    def __init__(
        self, script: Script, catalog: Catalog, loop: VirtualLoop, walked: Walked | None, *, goes_on: bool
    ) -> None:
        self._goes_on = goes_on
        self.failures: list[Failure] = []
        self._at = 0  # the step that is being played
        self._claimed: set[int] = set()  # what steps have asked for, by its order
        self._bound: dict[int, Called] = {}  # by the place of a step `http` in the script: the call that it answered
        self._unexpected: Called | None = None
        self._refuses = any(step.verb == "out" and step.get("refused") is not None for step in script.steps)
        self._looked_at: set[int] = set()  # runs of which steps have said how they ended
        self.scene = Scene(script, catalog, loop, self._answer, self._refuse, walked)
        self._stage = self.scene.stage

    async def play(self) -> Failure | None:
        """All steps. What is wrong, None when nothing is."""
        try:
            await self._stage.rest()
            for at, step in enumerate(self.scene.script.steps):
                self._at = at
                await self._step(step)
            await self._step(None)
        except Off as off:
            return off.failure
        if self._stage.stats.internal_errors:
            return Failure(origin=self.scene.script.origin, message="an internal error of sinchflow: run with --debug")
        return None

    async def _step(self, step: ScriptStep | None) -> None:
        """One step; None: the end."""
        try:
            if step is None or not step.is_expectation:
                self._check_nothing_left(step)
        except Off as off:
            self._noted(off, {each.order for each in self._left()})
        if step is None:
            try:
                self._check_failures()
            except Off as off:
                self._noted(off, set())
            return
        try:
            if act := ACTS.get(step.verb):
                await act(self.scene, step)
            else:
                await self._expect(step)
        except Off as off:
            meant: list[Texted | Called] = [] if self._unexpected is None else [self._unexpected]
            if step.verb == "out":
                to = self.scene.number(step.get("to") or self.scene.contact)
                meant += [each for each in self._left() if isinstance(each, Texted) and each.to == to][:1]
            self._noted(off, {each.order for each in meant})
            self._unexpected = None

    def _noted(self, off: Off, claimed: set[int]) -> None:
        """Go on after a failure as if `claimed` had been asked for, or stop there."""
        if not self._goes_on:
            raise off
        self.failures.append(off.failure)
        self._claimed |= claimed

    def stuck(self, patience_s: float) -> Failure:
        """It went round in circles."""
        step = self.scene.script.steps[self._at]
        return Failure(
            origin=step.origin, message=f"the flows do not come to rest here: {patience_s:g} s of work were not enough",
            clues=("a loop of them has no end, or a schedule is too dense for this span of time",
                   *(f"last: {line}" for line in self.scene.last_steps())),
        )  # fmt: skip

    # --- what must have happened -------------------------------------------------------------------------------------

    async def _expect(self, step: ScriptStep) -> None:
        match step.verb:
            case "out":
                self._expect_text(step)
            case "http":
                self._expect_call(step)
            case "run":
                self._expect_run(step)
            case "silence":
                await self._expect_silence(step)

    def _expect_text(self, step: ScriptStep) -> None:
        """We text."""
        to = self.scene.number(step.get("to") or self.scene.contact)
        found = next((each for each in self.scene.texted() if each.order not in self._claimed and each.to == to), None)
        self._check_calls(step, found)
        if found is None:
            raise Off(step.origin, f"nothing is texted to {to} here", self._instead(step), self.scene.clues())
        own = self._stage.catalog.connections[found.account].source_number
        differences = [*of_message(step, found, self.scene.number, own)]
        if differences:
            raise Off(step.place(differences[0].member), f"{to} is texted something else", differences)
        self._claim(found, step)

    def _expect_call(self, step: ScriptStep) -> None:
        """A flow calls a URL."""
        call = self._bound.get(self._at)
        self._check_calls(step, call)
        if call is None:
            raise Off(step.origin, f"{step.get('url')} is not called here", self._instead(step), self.scene.clues())
        differences = [*of_call(step, call)]
        if differences:
            raise Off(step.place(differences[0].member), "the call is another one", differences)
        self._claim(call, step)

    def _expect_run(self, step: ScriptStep) -> None:
        """The last run stands so."""
        name = step.get("flow") or self.scene.script.flow
        runs = [run for run in self._stage.runs.values() if name is None or run.flow == name]
        if not runs:
            of = "no flow" if name is None else f'flow "{name}"'
            raise Off(
                step.origin, f"{of} has no run so far" if name else "there is no run so far", (), self.scene.clues()
            )
        run = max(runs, key=lambda each: each.id)
        differences = [*of_run(step, run, self._stage.categories.get(run.id))]
        if differences:
            place = step.place(differences[0].member)
            raise Off(place, f"the last run of {run.flow} stands otherwise", differences, self.scene.clues(run))
        self._looked_at |= {each.id for each in self._stage.runs.values() if each.flow == run.flow and each.is_final}

    async def _expect_silence(self, step: ScriptStep) -> None:
        """Nothing is sent and nothing called."""
        if isinstance(step.value, str):
            self.scene.say("time", "", f"{step.value} later")
            await self._stage.rest(parse_duration(step.value) or timedelta())
        left = self._left()
        if left:
            raise Off(step.origin, "there is no silence", [Difference("", "silence", shown(left[0]))])

    # --- what nobody asked for ---------------------------------------------------------------------------------------

    def _claim(self, found: Texted | Called, step: ScriptStep) -> None:
        """What the same run did before it must have been asked for before it."""
        for each in self._left():
            if each.run == found.run and each.run is not None and each.order < found.order:
                what = "texted" if isinstance(each, Texted) else "called"
                raise Off(step.origin, f"before this, something else is {what}", [Difference("", "", shown(each))])
        self._claimed.add(found.order)

    def _left(self) -> list[Texted | Called]:
        return [each for each in self._stage.happened if each.order not in self._claimed]

    def _check_nothing_left(self, step: ScriptStep | None) -> None:
        """Before the next thing happens, and at the end, everything has been asked for."""
        left = self._left()
        if left:
            where = self.scene.script.steps[-1].origin if step is None else step.origin
            what = "texted" if isinstance(left[0], Texted) else "called"
            when = "at the end of the script" if step is None else "before this step"
            raise Off(where, f"{when}, something is {what} that no step expects", [Difference("", "", shown(left[0]))])

    def _check_failures(self) -> None:
        """A run that has failed, and whose flow has no `on_error` for that, is not passed over in silence."""
        for run in failures(self._stage.runs.values()):
            if run.id not in self._looked_at:
                place = f" ({where})" if (where := place_of(run)) else ""
                is_own = run.flow == self.scene.script.flow
                step = "run: failed" if is_own else f"run: {{flow: {run.flow}, status: failed}}"
                difference = Difference("", f"no failure, or a step `{step}`", f"failed: {run.reason}{place}")
                origin = self.scene.script.steps[-1].origin
                raise Off(origin, f"a run of {run.flow} has failed, and no step says so", [difference])

    def _check_calls(self, step: ScriptStep, found: Texted | Called | None) -> None:
        """A call that no step expects is told of before what may have come of it."""
        called = self._unexpected
        if called is not None and (found is None or (found.run == called.run and found.order > called.order)):
            message = "before this, something is called that no step expects"
            raise Off(step.origin, message, [Difference("", _words(step), shown(called))])

    def _answer(self, called: Called) -> Answer:
        """By the step that expects this call: the next one that fits, else the next `http` before anything happens."""
        open_steps = [at for at in self._ahead("http") if at not in self._bound]
        fitting = [at for at in open_steps if self._fits(self.scene.script.steps[at], called)]
        for at in fitting or open_steps:
            self._bound[at] = called
            respond = self.scene.script.steps[at].get("respond") or {}
            if respond:
                self.scene.say("event", "", answer_words(respond))
            return answer_of(respond)
        self._unexpected = self._unexpected or called
        return Answer()

    def _refuse(self, to: str) -> str | None:
        """By the step that expects this message: those to one number come in the order of their steps."""
        if not self._refuses:
            return None
        steps = [self.scene.script.steps[at] for at in self._ahead("out")]
        wanted = [step for step in steps if self.scene.number(step.get("to") or self.scene.contact) == to]
        before = sum(isinstance(each, Texted) and each.to == to for each in self._left())
        return wanted[before].get("refused") if before < len(wanted) else None

    def _ahead(self, verb: str) -> Iterator[int]:
        """The places of this verb's steps before anything else is to happen."""
        for at in range(self._at, len(self.scene.script.steps)):
            step = self.scene.script.steps[at]
            if at > self._at and not step.is_expectation:
                break
            if step.verb == verb:
                yield at

    def _fits(self, step: ScriptStep, called: Called) -> bool:
        url = called.url if step.get("query") is None else called.url.partition("?")[0]
        return same_url(str(step.get("url")), url) and step.get("method") in (None, called.method)

    def _instead(self, step: ScriptStep) -> list[Difference]:
        """What there is in the place of what was wanted."""
        wanted = _words(step)
        left = self._left()
        return [Difference("", wanted, shown(left[0]) if left else "nothing")]


def _words(step: ScriptStep) -> str:
    """What a step wants, in one line."""
    if not isinstance(step.value, Mapping):
        return str(step.value)
    known = {name: value for name, value in step.value.items() if name != "respond"}
    if step.verb == "http":
        return f"{known.pop('method', '')} {known.pop('url', '')}".strip()
    return ", ".join(f"{name} {value}" for name, value in known.items())
