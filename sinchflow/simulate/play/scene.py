"""The scene of one script: its stage, who is who, what has been said so far, and words for what happened."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sinchflow.expression.numbers import to_e164
from sinchflow.language.script import Script
from sinchflow.model.run import Run
from sinchflow.runtime.catalog import Catalog
from sinchflow.runtime.run_words import doing, place_of, told
from sinchflow.simulate.play.coverage import Walked
from sinchflow.simulate.play.outcome import Line, LineKind
from sinchflow.simulate.play.stage import Answer, Called, Stage, Texted
from sinchflow.simulate.play.virtual_time import VirtualLoop

#: Where no test says otherwise: a Monday morning in the project's time zone, and a number kept for fiction.
BEGIN = "2026-01-05T09:00"
CONTACT = "+61491570156"


class Scene:
    """See the module's text. answer: what a call of a URL is answered. walked: is told which ways the flows go.

    refuse: why the provider refuses a message to this number; None: it takes it.
    """

    def __init__(
        self, script: Script, catalog: Catalog, loop: VirtualLoop, answer: Callable[[Called], Answer],
        refuse: Callable[[str], str | None], walked: Walked | None = None,
    ) -> None:  # fmt: skip
        self.script = script
        given = script.given
        self.zone = ZoneInfo(catalog.project.timezone)
        self._country = catalog.project.country
        self._names: Mapping[str, str] = given.get("numbers") or {}
        contact = given.get("contact")
        known = dict(contact) if isinstance(contact, Mapping) else {"number": contact or CONTACT}
        self.contact = self.number(known.pop("number"))
        self._said: list[Line] = []
        self.stage = Stage(catalog, loop, self.time(given.get("now") or BEGIN), answer, refuse, walked)
        if known:
            self.stage.remember(self.contact, known)
        for each in given.get("opted_out") or ():
            self.stage.suppress(self.number(each))

    # --- names -------------------------------------------------------------------------------------------------------

    def number(self, name: Any) -> str:
        """The number of somebody: a name that the script gives, or a number as people of the country write it."""
        given = self._names.get(str(name), str(name))
        return to_e164(given, self._country) or given

    def time(self, text: Any) -> datetime:
        """A time of the script, in UTC; without an offset it is of the project's zone."""
        time = datetime.fromisoformat(str(text))
        return (time if time.tzinfo else time.replace(tzinfo=self.zone)).astimezone(ZoneInfo("UTC"))

    # --- what happened -----------------------------------------------------------------------------------------------

    def texted(self) -> list[Texted]:
        """The messages of ours so far, with those that the provider refused."""
        return [each for each in self.stage.happened if isinstance(each, Texted)]

    def sent(self, to: str | None = None) -> list[Texted]:
        """Those that the provider took, to this number only or to anybody."""
        return [each for each in self.texted() if each.refused is None and to in (None, each.to)]

    def chat(self) -> list[Line]:
        """All that happened, in order."""
        happened = [_line(each) for each in self.stage.happened]
        notes = [Line(each.order, each.at, "note", "", each.words) for each in self.stage.notes]
        return sorted([*self._said, *happened, *notes], key=lambda line: line.order)

    def say(self, kind: LineKind, who: str, text: str) -> None:
        """Add a line of the script to the chat."""
        self._said.append(Line(self.stage.next_order(), self.stage.clock.now(), kind, who, text))

    def clues(self, run: Run | None = None) -> list[str]:
        """What may explain that something does not happen: what went wrong so far, and what is waited for.

        run: its failure is told of anyhow.
        """
        notes = [each.words for each in self.stage.notes[-3:]]
        failed = [
            f"{each.flow} has failed: {each.reason}{_placed(each)}"
            for each in self.stage.runs.values()
            if each.status == "failed" and each is not run
        ]
        waiting = [words for each in self.stage.runs.values() for words in self._waits(each)]
        return [*notes, *failed[-3:], *waiting[-3:]]

    def _waits(self, run: Run) -> Iterator[str]:
        """What an open run waits for."""
        for wait in doing(run, self.stage.catalog.flow(run.digest), ())[1]:
            until = None if wait["until"] is None else datetime.fromisoformat(wait["until"]).astimezone(self.zone)
            when = "" if until is None else f", until {until:%a %d %b %H:%M:%S}"
            yield f"{run.flow} waits for {wait['for']}{when}"

    def last_steps(self) -> list[str]:
        """The last lines of the trace of the run that has gone on last."""
        run = next(reversed(self.stage.runs.values()), None)
        if run is None:
            return []
        records = [*told(self.stage.catalog.flow(run.digest), run.trace)][-5:]
        return [f"{each['place'] or run.flow}: {each['step']}: {each['text']}" for each in records]


def shown(each: Texted | Called) -> str:
    """A message or a call in one line."""
    line = _line(each)
    return f"to {line.who}: {line.text}" if isinstance(each, Texted) else line.text


def _line(each: Texted | Called) -> Line:
    if isinstance(each, Texted):
        return Line(each.order, each.at, "out", each.to, each.message.content)
    body = each.body.decode("utf-8", "replace")
    return Line(each.order, each.at, "call", "", f"{each.method} {each.url}{f' {body}' if body else ''}")


def _placed(run: Run) -> str:
    place = place_of(run)
    return f" ({place})" if place else ""
