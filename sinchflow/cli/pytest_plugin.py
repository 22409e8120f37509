"""The pytest plugin: `*.test.yaml` of any project are tests, and `transcript` plays a script written in Python.

pytest loads it in every environment that has sinchflow, so nothing of sinchflow is imported before there is a test.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sinchflow.language.script import Script
    from sinchflow.simulate.play.many import Result, Troupe
    from sinchflow.simulate.play.outcome import Played
    from sinchflow.simulate.play.project import TestProject

_SUFFIX = ".test.yaml"
_PROJECT_FILE, _FLOWS = "sinchflow.yaml", "flows"
#: Of a script written in Python, as the findings call it.
_WRITTEN_HERE = "transcript.test.yaml"


class _Houses:
    """Projects and their players, by their roots; they live as long as the session."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[TestProject, Troupe]] = {}

    def at(self, root: Path) -> "tuple[TestProject, Troupe]":
        """Raises SinchflowError when the project has mistakes."""
        if root not in self._known:
            from sinchflow.simulate.play.many import Troupe
            from sinchflow.simulate.play.project import TestProject

            project = TestProject(root)
            self._known[root] = (project, Troupe(project))
        return self._known[root]

    def close(self) -> None:
        for _, troupe in self._known.values():
            troupe.close()


_HOUSES = pytest.StashKey[_Houses]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The setting that names the project where it is not found by itself."""
    parser.addini("sinchflow_project", "folder of the sinchflow project that `transcript` plays in", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a session."""
    config.stash[_HOUSES] = _Houses()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End it."""
    if _HOUSES in config.stash:
        config.stash[_HOUSES].close()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "TranscriptModule | None":
    """Transcript tests of projects."""
    if file_path.name.endswith(_SUFFIX) and project_of(file_path) is not None:
        return TranscriptModule.from_parent(parent, path=file_path)
    return None


def project_of(path: Path) -> Path | None:
    """The nearest folder above that is a project: with `sinchflow.yaml`, else with `flows`."""
    for mark in (_PROJECT_FILE, _FLOWS):
        found = next((folder for folder in path.resolve().parents if (folder / mark).exists()), None)
        if found is not None:
            return found
    return None


class TranscriptModule(pytest.File):
    """One test file."""

    def collect(self) -> "Iterator[TranscriptItem]":
        """Its tests."""
        from sinchflow.errors import SinchflowError

        root = project_of(self.path)
        assert root is not None
        try:
            project, troupe = self.config.stash[_HOUSES].at(root)
        except SinchflowError as error:
            raise self.CollectError(str(error)) from None
        for script in project.scripts_in(self.path.resolve()):
            yield TranscriptItem.from_parent(self, name=script.name, script=script, house=(project, troupe))


class TranscriptFailed(AssertionError):
    """The flows do something else; the text shows the chat."""


class TranscriptItem(pytest.Item):
    """One test of a file."""

    def __init__(self, *, script: "Script", house: "tuple[TestProject, Troupe]", **rest: Any) -> None:
        super().__init__(**rest)
        self._script = script
        self._project, self._troupe = house

    def runtest(self) -> None:
        """Play it. Raises TranscriptFailed."""
        result = self._troupe.play_one(0, self._script)
        if result.failure is not None:
            raise TranscriptFailed(_told(self._project, self._script, result))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The chat, without Python's traceback."""
        if isinstance(excinfo.value, TranscriptFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands."""
        return self.path, self._script.origin.line - 1, self.name


def _told(project: "TestProject", script: "Script", result: "Result", texts: dict[str, str] | None = None) -> str:
    from sinchflow.cli.transcripts import failure_text

    return failure_text(script, result, texts or project.checked.texts, project.checked.project.timezone)


@pytest.fixture
def transcript(request: pytest.FixtureRequest) -> "Callable[..., Played]":
    """Play a script against the project's flows: `transcript([{"in": "hours?"}, {"out": "…"}], flow="opening-hours")`.

    The steps are those of `*.test.yaml`; keywords are what a file gives besides (`flow now contact our_number numbers
    lists secrets env vars`). Returns what was played (its `chat` and `runs`). Raises AssertionError with the chat where
    the flows do something else, and with the findings where the script has mistakes.
    """
    named = request.config.getini("sinchflow_project")
    root = request.config.rootpath / named if named else project_of(request.path)
    if root is None:
        pytest.fail(f"there is no sinchflow project above {request.path}: set sinchflow_project in pytest's settings")

    def play(script: Sequence[dict[str, Any]], *, flow: str | None = None, **given: Any) -> "Played":
        __tracebackhide__ = True
        return _play(request.config.stash[_HOUSES], root, request.node.name, script, flow, given)

    return play


def _play(
    houses: _Houses, root: Path, name: str, script: Sequence[dict[str, Any]], flow: str | None, given: dict[str, Any]
) -> "Played":
    from sinchflow.errors import SinchflowError

    __tracebackhide__ = True
    file = {"flow": flow} if flow is not None else {}
    text = json.dumps({**file, **given, "tests": [{"name": name, "script": list(script)}]}, indent=1, default=str)
    try:
        project, troupe = houses.at(root)
        own = project.written_here(_WRITTEN_HERE, text)
    except SinchflowError as error:
        raise AssertionError(str(error)) from None
    result, played = troupe.played(own)
    if result.failure is not None:
        raise TranscriptFailed(_told(project, own, result, {_WRITTEN_HERE: text}))
    return played
