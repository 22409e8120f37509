"""A whole project checked: what is wrong with its files, and the flows that they hold.

Keeps what it found out about every document by digest and place, so that a reload looks at changed documents only.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

import msgspec

from sinchflow.expression.lists import ListData
from sinchflow.language.build import build_flow, default_name
from sinchflow.language.data import Data, DataFiles, data_paths
from sinchflow.language.diagnostic import Diagnostic, finding, in_order
from sinchflow.language.document import compose, decode, documents
from sinchflow.language.facts import Facts, facts_of, name_of
from sinchflow.language.files import Stamp, cannot_take, flow_files, named_files, read_file, shown_name
from sinchflow.language.inspector import Inspector
from sinchflow.language.languages import is_language
from sinchflow.language.nodes import Document, Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.rules import RULES, SET_RULES
from sinchflow.language.rules.rule import Rule, Settings, Survey
from sinchflow.language.settings import PROJECT_FILE, build_project, default_project
from sinchflow.language.shape import Shapes
from sinchflow.language.walk import outline_flow, outline_project
from sinchflow.model.flow import Flow
from sinchflow.model.origin import Origin
from sinchflow.model.project import KeywordPolicy, Project


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One YAML document as it stands in a file: `flow_from_source` makes the same flow of it again."""

    file: str
    line: int  #: of the file, on which `text` begins
    text: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    flows: those of sound documents, in order of file and line; of the files that `paths` named, or all.
    sources: by digest. texts: whole content of every YAML file, and of data files with findings, for `present_text`.
    diagnostics: sorted; of the files that `paths` named, or all.
    lists, closed: what the data files hold, by the names of lists and calendars. data_files: their state before they
    were read. All three are empty when `paths` name none of them.
    """

    project: Project
    flows: tuple[Flow, ...]
    sources: dict[str, Source]
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    lists: dict[str, ListData] = {}
    closed: dict[str, frozenset[date]] = {}
    data_files: dict[Path, Stamp] = {}

    @property
    def has_errors(self) -> bool:
        """Whether anything worse than a warning was found."""
        return any(item.severity == "error" for item in self.diagnostics)


class _Result(msgspec.Struct, frozen=True):
    """What one document gave: a flow only when nothing is wrong with it."""

    findings: tuple[Diagnostic, ...]
    flow: Flow | None = None
    facts: Facts | None = None


#: Document by file, digest and line, and the settings that it was judged by.
_Known = dict[tuple[str, str, int, Settings], _Result]
_FLOW_RULES = tuple(rule for rule in RULES if rule.applies_to != "project")
_PROJECT_RULES = tuple(rule for rule in RULES if rule.applies_to != "flow")


class _Tools(msgspec.Struct, frozen=True):
    """What is costly to make and lasts as long as the checker."""

    shapes: Shapes
    inspector: Inspector
    data_files: DataFiles


class Checker:
    """Checks projects; the second check of a project costs reading the files and checking what changed."""

    def __init__(self) -> None:
        self._tools = _Tools(Shapes(), Inspector(), DataFiles())
        self._known: _Known = {}

    def check(self, root: Path, paths: Sequence[Path] = (), now: datetime | None = None) -> Checked:
        """Read and check `sinchflow.yaml` and every flow of the project at `root`.

        paths: files or folders, relative ones from `root`; only they are checked, and of the other flows only the
        names are looked at. A file outside of `flows/` is one more flow file. Never raises for what stands in files.
        now: times written out in documents that are new to this checker must be later; None: any time will do. So a
        flow that was sound does not become unsound because time goes by.
        """
        return _Check(self._tools, self._known, root, now).run(paths)


class _Check:
    """One check under way."""

    def __init__(self, tools: _Tools, known: _Known, root: Path, now: datetime | None) -> None:
        self._tools = tools
        self._known = known
        self._seen: _Known = {}
        self._root = root
        self._now = now
        self._settings = Settings()
        self._project: Project | None = None  #: None when its file has mistakes
        self._has_all_flows = True  #: False when some flow could not be read at all
        self._document: Document | None = None  #: the project file's
        self._data_names: set[str] = set()  #: of data files that are to be reported
        self._texts: dict[str, str] = {}
        self._findings: list[Diagnostic] = []
        self._flows: list[Flow] = []
        self._sources: dict[str, Source] = {}

    def run(self, paths: Sequence[Path]) -> Checked:
        project = self._read_project()
        data = self._data_files(project, paths)
        folder = self._root / "flows"
        files = flow_files(folder) if os.path.lexists(folder) else iter(())
        if paths:
            reported = self._add(named_files(self._root, paths)) | self._data_names
            others = self._others(files)
        else:
            reported = self._add(files) | {PROJECT_FILE} | self._data_names
            others = []
            self._known.clear()
        self._known.update(self._seen)
        own = [result.facts for result in self._seen.values() if result.facts]
        self._findings += self._across([*_by_place(others), *_by_place(own)])
        return Checked(
            project=project,
            flows=tuple(sorted(self._flows, key=lambda flow: (flow.origin.file, flow.origin.line))),
            sources=self._sources,
            diagnostics=in_order(item for item in self._findings if item.file in reported),
            texts=self._texts,
            lists=data.lists,
            closed=data.closed,
            data_files=data.stamps,
        )

    def _data_files(self, project: Project, paths: Sequence[Path]) -> Data:
        """What the project's data files hold; nothing when other files alone are to be reported."""
        named = {shown_name(self._root, self._root / path) for path in paths}
        own = {shown_name(self._root, path) for path in data_paths(self._root, project)}
        if paths and not named & {PROJECT_FILE, *own}:
            return Data()
        data = self._tools.data_files.read(self._root, project, self._document, self._now)
        self._findings += data.findings
        self._texts |= data.texts
        self._data_names = own & named if paths else own
        return data

    def _others(self, files: Iterator[Path | tuple[Path, str]]) -> list[Facts]:
        """The facts of flows in files that are not to be reported."""
        found: list[Facts] = []
        for file in files:
            name = shown_name(self._root, file) if isinstance(file, Path) else ""
            self._has_all_flows &= isinstance(file, Path)
            if isinstance(file, Path) and name not in self._texts:
                for document in self._documents(name, file):
                    compose(document)
                    if isinstance(document.root, Mapping):
                        named = name_of(document, document.root, default_name(document.file))
                        found.append(facts_of(outline_flow(document, self._tools.inspector), named))
                    else:
                        self._has_all_flows = False
        return found

    def _across(self, flows: list[Facts]) -> Iterator[Diagnostic]:
        """What is wrong between flows."""
        survey = Survey(
            flows=tuple(flows),
            is_complete=self._has_all_flows,
            settings=self._settings,
            project=self._project,
        )
        for rule in SET_RULES:
            yield from rule.check(survey)

    def _read_project(self) -> Project:
        """The project's settings; the defaults where they are wrong, and then nothing is judged by them."""
        path = self._root / PROJECT_FILE
        if not os.path.lexists(path):
            self._project = default_project()
            return self._project
        self._settings = Settings(env=None, accounts=None, lists=None, calendars=None)
        before = len(self._findings)
        found = list(self._documents(PROJECT_FILE, path))
        for document in found:
            self._findings += compose(document)
        if len(found) > 1:
            where = found[1].origin(0)
            self._findings.append(finding(where, "several-documents", f"{PROJECT_FILE} holds one document only"))
        if len(self._findings) > before:
            return default_project()
        if not found:  # an empty file
            self._settings = Settings()
            self._project = default_project()
            return self._project
        return self._judge_project(found[0])

    def _judge_project(self, document: Document) -> Project:
        self._document = document
        findings = self._tools.shapes.check(document, "project")
        if isinstance(document.root, Mapping):
            sound = not findings
            given = build_project(document) if sound else default_project()
            judged_by = Settings(
                env=frozenset(given.env) if sound else None,
                accounts=frozenset(given.all_accounts) if sound else None,
                lists=frozenset(given.lists) if sound else None,
                calendars=frozenset(given.calendars) if sound else None,
                country=given.country,
                language=given.language if is_language(given.language or "") else None,
                opt_out_words=_taken(given.policy.opt_out),
                help_words=_taken(given.policy.help) if given.policy.help and given.policy.help.reply else None,
            )
            findings += _apply(_PROJECT_RULES, outline_project(document, self._tools.inspector), judged_by)
            self._settings = judged_by
        self._findings += findings
        if _has_errors(findings):
            return default_project()
        self._project = build_project(document)
        return self._project

    def _add(self, files: Iterator[Path | tuple[Path, str]]) -> set[str]:
        names: set[str] = set()
        for file in files:
            path, reason = file if isinstance(file, tuple) else (file, "")
            name = shown_name(self._root, path)
            names.add(name)
            if reason:
                self._has_all_flows = False
                self._findings.append(cannot_take(name, reason))
            elif name not in self._texts and name not in self._data_names:
                self._flow_file(name, path)
        return names

    def _flow_file(self, name: str, path: Path) -> None:
        before = len(self._findings)
        found = 0
        for document in self._documents(name, path):
            found += 1
            self._flow(document)
        if not found and len(self._findings) == before:
            hint = "write one, or delete the file"
            self._findings.append(finding(Origin(name, 1, 1), "no-flow", "the file holds no flow", hint, "warning"))

    def _documents(self, name: str, path: Path) -> Iterator[Document]:
        data = read_file(path)
        if isinstance(data, str):
            self._texts[name] = ""
            self._has_all_flows = False
            self._findings.append(cannot_take(name, data))
            return
        text, findings = decode(data, name)
        self._texts[name] = text
        self._findings += findings
        self._has_all_flows &= not findings
        if not findings:
            yield from documents(text, name)

    def _flow(self, document: Document) -> None:
        key = (document.file, document.digest, document.line, self._settings)
        result = self._known.get(key) or self._judge(document)
        self._seen[key] = result
        self._has_all_flows &= result.facts is not None
        self._findings += result.findings
        if result.flow is not None:
            self._flows.append(result.flow)
            source = Source(file=document.file, line=document.line, text=document.text)
            self._sources.setdefault(document.digest, source)

    def _judge(self, document: Document) -> _Result:
        syntax = compose(document)
        if syntax:
            return _Result(tuple(syntax))
        findings = self._tools.shapes.check(document, "flow")
        if not isinstance(document.root, Mapping):
            return _Result(tuple(findings))
        outline = outline_flow(document, self._tools.inspector)
        findings += _apply(_FLOW_RULES, outline, msgspec.structs.replace(self._settings, now=self._now))
        flow = None if _has_errors(findings) else build_flow(document)
        named = name_of(document, document.root, default_name(document.file))
        return _Result(tuple(findings), flow, facts_of(outline, named))


def _by_place(flows: list[Facts]) -> list[Facts]:
    return sorted(flows, key=lambda each: each.named.place)


def _apply(rules: Sequence[Rule], outline: Outline, settings: Settings) -> list[Diagnostic]:
    return [item for rule in rules for item in rule.check(outline, settings)]


def _taken(words: KeywordPolicy | None) -> tuple[str, ...] | None:
    """The words that policy takes: empty for the defaults, None where it is off."""
    return None if words is None else words.keywords or ()


def _has_errors(findings: Sequence[Diagnostic]) -> bool:
    return any(item.severity == "error" for item in findings)
