"""What was done on the phone, written down as a transcript test that does it again and expects what came of it."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec.structs import replace

from sinchflow.errors import SinchflowError
from sinchflow.language.document import compose, documents
from sinchflow.language.files import TESTS, shown_name
from sinchflow.language.script import Script, scripts_of
from sinchflow.language.settings import PROJECT_FILE
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.model.run import Run
from sinchflow.simulate.play.calling import call_step
from sinchflow.simulate.play.outcome import failures
from sinchflow.simulate.play.player import play
from sinchflow.simulate.play.project import TestProject
from sinchflow.simulate.play.stage import Texted
from sinchflow.simulate.play.turns import FINE, Session, Turn
from sinchflow.simulate.play.virtual_time import VirtualLoop
from sinchflow.simulate.play.writing import lines_of_test, written_file

_LONGEST_NAME = 60
#: What says nothing about a test.
_UNNAMED = ("advance", "now", "restart", "reload")


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written down. names: numbers by name. name: the test's, if given.

    is_brief: calls that were answered as usual have no `respond`; a test answers them without a body then.
    """

    session: Session
    names: Mapping[str, str]
    env: Mapping[str, str]
    name: str | None
    is_brief: bool = False

    @property
    def run(self) -> Run | None:
        """The run that came last, of those of the project's own flows."""
        runs, flows = self.session.scene.stage.runs, self.session.scene.stage.catalog.flows
        return next((run for _, run in sorted(runs.items(), reverse=True) if run.flow in flows), None)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The script."""
        session = self.session
        placed = [(turn.order, self._done(turn)) for turn in session.turns]
        placed += [(text.order, {"out": self._expected(text)}) for text in session.scene.texted()]
        for called, answer in session.calls():
            respond = {} if self.is_brief and answer == FINE else answer
            placed.append((called.order, {"http": call_step(called, respond)}))
        return [*(step for _, step in sorted(placed, key=lambda each: each[0])), *self._failed(), self._end()]

    @property
    def given(self) -> dict[str, Any]:
        """What stands beside it."""
        said = {word for step in self.steps for value in step.values() if isinstance(value, dict) for word in
                (value.get("from"), value.get("to")) if isinstance(word, str)}  # fmt: skip
        numbers = {name: number for name, number in self.names.items() if name in said}
        begin = self.session.begin
        now = begin.isoformat(timespec="seconds" if begin.second else "minutes")
        given = {
            "flow": self.run and self.run.flow, "now": now,
            "contact": self.session.contact, "numbers": numbers, "env": dict(self.env),
        }  # fmt: skip
        return {name: value for name, value in given.items() if value}

    def unique_title(self, taken: Iterable[str] = ()) -> str:
        """The name given, else what was done first; told apart from those that are taken."""
        name = self.name or _in_short([title(turn) for turn in self.session.turns if turn.verb not in _UNNAMED])
        others = set(taken)
        count = 1
        while (unique := name if count == 1 else f"{name} ({count})") in others:
            count += 1
        return unique

    def _done(self, turn: Turn) -> dict[str, Any]:
        """The step, with names for the numbers that have one; a webhook is refused again."""
        if not isinstance(turn.value, dict):
            return {turn.verb: turn.value}
        step = {key: self._named(value) if key in ("from", "to") else value for key, value in turn.value.items()}
        status = self.session.statuses.get(turn.order, 200)
        return {turn.verb: step | ({"status": status} if status >= 300 else {})}

    def _expected(self, texted: Texted) -> Any:
        """The value of an `out`."""
        step: dict[str, Any] = {"text": texted.message.content} if texted.message.content else {}
        if texted.account != DEFAULT_ACCOUNT:
            step["account"] = texted.account
        if texted.refused is not None:
            step["refused"] = texted.refused
        if texted.to != self.session.contact or not step:
            step["to"] = self._named(texted.to)
        return step["text"] if list(step) == ["text"] else step

    def _failed(self) -> Iterator[dict[str, Any]]:
        """How flows stand of which runs have failed, but for the flow that the end is about."""
        stage = self.session.scene.stage
        names = {run.flow for run in failures(stage.runs.values())} & stage.catalog.flows.keys()
        last = {run.flow: run.status for _, run in sorted(stage.runs.items())}
        for name in sorted(names - {self.run and self.run.flow}):
            yield {"run": {"flow": name, "status": last[name]}}

    def _end(self) -> dict[str, Any]:
        run = self.run
        if run is None:
            return {"silence": True}
        category = self.session.scene.stage.categories.get(run.id)
        return {"run": run.status if category is None else {"status": run.status, "category": category}}

    def _named(self, number: str) -> str:
        return next((name for name, each in self.names.items() if each == number), number)


def save(story: Story, project: TestProject, root: Path, file: str, *, overwrites: bool) -> str:
    """Write it to `file` of the project, or add it to the tests that are there; says which.

    Played as it is going to stand there it passes, else SinchflowError is raised, and nothing is written.
    """
    path = _place(root, file)
    if not story.session.turns:
        raise SinchflowError("nothing has been done yet that could be saved")
    name = shown_name(root, path)
    is_there = path.exists() and not overwrites
    try:
        old = path.read_text(encoding="utf-8") if is_there else ""
    except (OSError, ValueError) as error:
        raise SinchflowError(f"{name} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}") from None
    text = _passing(story, project, name, lambda each: _added(old, name, each) if is_there else _new(root, path, each))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinchflowError(f"{name} cannot be written: {error.strerror}") from None
    return f"added to {name}" if is_there else f"wrote {name}"


def _passing(story: Story, project: TestProject, name: str, written: Callable[[Story], str]) -> str:
    """The file as it passes: without what need not be said, else with it. Raises SinchflowError."""
    difference = None
    for each in (replace(story, is_brief=True), story):
        text = written(each)
        difference = _difference(project, name, text)
        if difference is None:
            return text
    is_changed = any(turn.verb == "reload" for turn in story.session.turns)
    reason = (
        "flows were changed meanwhile, perhaps: /new, and do it again"
        if is_changed
        else "what the file gives to its tests makes a difference, perhaps: choose another name"
    )
    raise SinchflowError(f"{name} is not written, for played as a test it goes otherwise: {difference} ({reason})")


def _place(root: Path, file: str) -> Path:
    path = root / file
    if not path.name.endswith(TESTS):
        raise SinchflowError(f'"{file}": a test file is called NAME{TESTS[0]}')
    try:
        inside = path.resolve().relative_to(root.resolve())
    except ValueError:
        raise SinchflowError(f'"{file}" is not in the project: its tests would not find its flows') from None
    if any(part.startswith(".") for part in inside.parts):
        raise SinchflowError(f'"{file}": `sinchflow test` does not look into hidden folders')
    between = [root.joinpath(*inside.parts[:count]) for count in range(1, len(inside.parts))]
    if others := [folder for folder in between if (folder / PROJECT_FILE).exists()]:
        raise SinchflowError(f'"{file}" is in another project: {shown_name(root, others[0])}')
    if not path.parent.is_dir():
        raise SinchflowError(f'"{file}": there is no folder {shown_name(root, path.parent)}')
    return path


def _new(root: Path, path: Path, story: Story) -> str:
    schema = root / ".sinchflow" / "test.schema.json"  # `init` writes it
    head = ""
    if schema.is_file() and (root / PROJECT_FILE).is_file():
        up = "../" * len(path.resolve().relative_to(root.resolve()).parent.parts)
        head = f"# yaml-language-server: $schema={up}.sinchflow/test.schema.json\n"
    return head + written_file(story.given, story.unique_title(), story.steps)


def _added(text: str, name: str, story: Story) -> str:
    """The file with one more test at its end."""
    there = _scripts(text, name)
    if not there:
        raise SinchflowError(f"{name} is there already and holds no test that another could be added to: {_WAYS}")
    flow, own = there[0].flow, story.given.get("flow")
    if flow != own:
        raise SinchflowError(f"{name} is of {_flow(flow)}, and this is of {_flow(own)}: {_WAYS}")
    common = _given(text)
    given = {key: value for key, value in story.given.items() if common.get(key) != value and key != "flow"}
    lines = lines_of_test({"name": story.unique_title(each.name for each in there), **given}, story.steps)
    before = text.rstrip("\n") + "\n\n"
    for indent in (2, 0, 4, 6):
        longer = before + "".join(f"{' ' * indent}{line.removeprefix('  ')}\n" for line in lines)
        after = _scripts(longer, name)
        if len(after) == len(there) + 1 and _same(after[:-1], there):
            return longer
    raise SinchflowError(f"{name}: a test can only be added where `tests:` comes last, one item a line: {_WAYS}")


_WAYS = "choose another name, or write over it with /save!"


def _difference(project: TestProject, name: str, text: str) -> str | None:
    """What goes otherwise when the last test is played; None: it passes. Raises SinchflowError with its findings."""
    try:
        script = project.written_here(name, text)
    except SinchflowError as error:
        raise SinchflowError(f"{name} is not written: {error}") from None
    loop = VirtualLoop()
    try:
        failure = play(script, project.catalog(script), loop).failure
    finally:
        loop.close()
    if failure is None:
        return None
    found = [f'"{each.found}" instead of "{each.wanted}"' for each in failure.differences[:1] if each.wanted]
    return ": ".join([failure.message, *found])


def _scripts(text: str, name: str) -> Sequence[Script]:
    found = [*documents(text, name)]
    return scripts_of(found[0]) if len(found) == 1 and not compose(found[0]) else ()


def _given(text: str) -> Mapping[str, Any]:
    """What the file gives to all its tests, scalars as they are written."""
    with contextlib.suppress(yaml.YAMLError):
        found = yaml.load(text, yaml.BaseLoader)  # noqa: S506 (BaseLoader makes nothing but texts, lists and mappings)
        return found if isinstance(found, Mapping) else {}
    return {}


def _same(some: Sequence[Script], others: Sequence[Script]) -> bool:
    return [*map(_told, some)] == [*map(_told, others)]


def _told(script: Script) -> tuple[Any, ...]:
    return script.name, script.flow, script.given, [(step.verb, step.value) for step in script.steps]


def _flow(name: str | None) -> str:
    return "no flow" if name is None else f"flow {name}"


def _in_short(did: Sequence[str]) -> str:
    """As many of them as a name has room for, the first in any case."""
    shown = " ".join(did[0].split()) if did else "what was done"
    shown = shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 2].rstrip()} …"
    for each in did[1:]:
        longer = f"{shown}, then {' '.join(each.split())}"
        if len(longer) > _LONGEST_NAME:
            return f"{shown} …" if not shown.endswith("…") else shown
        shown = longer
    return shown


def title(turn: Turn) -> str:
    """What was done, in a few words."""
    value = turn.value
    match turn.verb:
        case "in":
            return str(value["text"] if isinstance(value, dict) else value)
        case "start" | "receipt":
            short = value if isinstance(value, str) else value.get("flow") or value["status"]
            return f"{turn.verb} {short}"
        case "webhook":
            return f"{value.get('method', 'POST')} {value['path']}"
        case "restart" | "reload":
            return turn.verb
        case _:
            return f"{turn.verb} {value}"
