"""A project's tests made ready: its flows checked once, a catalog for each set of things given, the scripts to play."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from sinchflow.errors import SinchflowError
from sinchflow.expression.lists import NUMBER, ListData
from sinchflow.expression.numbers import to_e164
from sinchflow.journal.journal import FlowSource
from sinchflow.language.check import Checked, Checker
from sinchflow.language.diagnostic import present_text
from sinchflow.language.document import compose, decode, documents
from sinchflow.language.files import is_project, no_project, read_file, shown_name
from sinchflow.language.nodes import Mapping
from sinchflow.language.script import Script, scripts_of
from sinchflow.language.settings import PROJECT_FILE
from sinchflow.language.test_files import transcript_files
from sinchflow.model.flow import Flow, Text, Value
from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.catalog import Catalog, Overrides
from sinchflow.runtime.connections import Connection, Hooks
from sinchflow.runtime.secrets import Secrets
from sinchflow.simulate.play.coverage import Point, policy_points
from sinchflow.simulate.play.stage import TOKEN

#: Ours, where neither project nor test names one: from the range that Australia keeps for fiction.
OUR_NUMBER = "+61491593156"


class TestProject:
    """The project at `root`, as its tests see it. Raises SinchflowError with the findings when it is not sound.

    paths: test files or folders of them; without any, all of the project. source_of: documents of flows that runs have
    begun with and that are no longer in any file.
    """

    __test__ = False  # no test for pytest

    def __init__(
        self, root: Path, paths: Sequence[Path] = (), checked: Checked | None = None,
        source_of: Callable[[str], FlowSource | None] = lambda digest: None,
    ) -> None:  # fmt: skip
        if not is_project(root):
            raise no_project(root)
        self._checker = Checker()
        self.checked = checked or self._checker.check(root, tests=True)
        _refuse("the project has errors", self.checked)
        self._root = root
        self._paths = paths
        self._source_of = source_of
        self._catalogs: dict[bytes, Catalog] = {}

    def scripts(self) -> Iterator[Script]:
        """All tests, file by file."""
        for path in transcript_files(self._root, self._paths):
            yield from self.scripts_in(path)

    def scripts_in(self, path: Path) -> Iterator[Script]:
        """The tests of one file of the project."""
        name = shown_name(self._root, path)
        if (known := self.checked.tests.get(name)) is not None:
            yield from scripts_of(known)
            return
        data = read_file(path)
        text = "" if isinstance(data, str) else decode(data, name)[0]
        for document in documents(text, name):
            if not compose(document):
                yield from scripts_of(document)

    def written_here(self, name: str, text: str) -> Script:
        """The last test of a file that need not stand on disk yet. Raises SinchflowError with its findings."""
        _refuse(
            "the script has errors",
            self._checker.check(self._root, [Path(name)], tests=True, instead={name: text.encode()}),
        )
        [document] = documents(text, name)
        compose(document)
        return scripts_of(document)[-1]

    def policy_points(self) -> list[Point]:
        """What the project file tells the policy to do, as points of coverage."""
        data = read_file(self._root / PROJECT_FILE)
        found = [] if isinstance(data, str) else [*documents(decode(data, PROJECT_FILE)[0], PROJECT_FILE)]
        for document in found[:1]:
            compose(document)
            policy = document.root.get("policy") if isinstance(document.root, Mapping) else None
            if isinstance(policy, Mapping):
                origins = {key.text: document.origin_of(key) for key, _ in policy.entries}
                return [*policy_points(self.checked.project.policy, origins)]
        return []

    def catalog(self, script: Script) -> Catalog:
        """The flows and settings as this test has them; tests that are given the same share one."""
        given = {name: script.given.get(name) for name in ("lists", "secrets", "env", "vars", "our_number", "numbers")}
        key = msgspec.msgpack.encode([given, script.flow if given["vars"] else None])
        found = self._catalogs.get(key)
        if found is None:
            found = self._catalogs[key] = self._catalog(script.flow, given)
        return found

    def _catalog(self, flow: str | None, given: dict[str, Any]) -> Catalog:
        checked = self.checked
        names = given["numbers"] or {}
        country = checked.project.country
        if given["lists"]:
            own = {name: ListData([_row(row, names, country) for row in rows]) for name, rows in given["lists"].items()}
            checked = replace(checked, lists={**checked.lists, **own})
        if given["vars"]:
            flows = tuple(_with_vars(each, given["vars"]) if each.name == flow else each for each in checked.flows)
            checked = replace(checked, flows=flows)
        number = given["our_number"]
        project = checked.project
        own_number = project.all_accounts[DEFAULT_ACCOUNT].source_number
        if number:
            own_number = to_e164(names.get(number, number), country)
        connection = Connection(
            base_url="https://sinch.invalid", api_key="test", api_secret="test", source_number=own_number or OUR_NUMBER
        )
        secrets = Secrets(given["secrets"] or {})
        overrides = Overrides(connection=connection, hooks=Hooks(token=TOKEN))
        return Catalog(checked, secrets, self._source_of, overrides, environ=given["env"] or {})


def _refuse(words: str, checked: Checked) -> None:
    errors = [each for each in checked.diagnostics if each.severity == "error"]
    if errors:
        raise SinchflowError(f"{words}:\n{present_text(errors, checked.texts)}".rstrip())


def _row(row: Any, names: dict[str, str], country: str | None) -> dict[str, str]:
    """A list's row; a number alone stands for one that holds nothing else."""
    columns = dict(row) if isinstance(row, dict) else {NUMBER: row}
    if NUMBER in columns:
        given = names.get(columns[NUMBER], columns[NUMBER])
        columns[NUMBER] = to_e164(given, country) or given
    return {str(name): str(value) for name, value in columns.items()}


def _with_vars(flow: Flow, values: dict[str, Any]) -> Flow:
    return replace(flow, vars={**flow.vars, **{name: _value(each, flow) for name, each in values.items()}})


def _value(given: Any, flow: Flow) -> Value:
    """Plain data as a flow holds it."""
    match given:
        case str():
            return Text(given, flow.origin)
        case list():
            return tuple(_value(each, flow) for each in given)
        case dict():
            return {str(name): _value(each, flow) for name, each in given.items()}
        case _:
            known: bool | int | float | None = given
            return known
