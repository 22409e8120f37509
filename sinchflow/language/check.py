"""A whole project checked: what is wrong with its files, and the flows that they hold.

Keeps what it found out about every document by digest and place, so that a reload looks at changed documents only.
"""

import codecs
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as Contents
from datetime import date, datetime
from pathlib import Path

import msgspec

from sinchflow.expression.lists import ListData
from sinchflow.language.data import Data, DataFiles, data_paths
from sinchflow.language.diagnostic import Diagnostic, finding, in_order
from sinchflow.language.document import MAX_BYTES, compose, decode, documents
from sinchflow.language.facts import Facts
from sinchflow.language.files import FLOWS, Stamp, cannot_take, flow_files, named_files, read_file, shown_name
from sinchflow.language.harvest import Built, Found, Harvest, JudgeFiles, Kept, Known, Source, judge_one_by_one
from sinchflow.language.ignores import without_ignored
from sinchflow.language.judge import Judge, at, has_errors
from sinchflow.language.languages import is_language
from sinchflow.language.lists import list_columns
from sinchflow.language.nodes import Document, Mapping
from sinchflow.language.quiet import Quiet
from sinchflow.language.rules import SET_RULES
from sinchflow.language.rules.rule import Settings, Survey
from sinchflow.language.settings import PROJECT_FILE, build_project, default_project
from sinchflow.language.test_files import check_tests, transcript_files
from sinchflow.model.flow import Flow
from sinchflow.model.project import KeywordPolicy, Project


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    flows: those of sound documents, in order of file and line; of the files that `paths` named, or all; none where
    only the findings were wanted. sound: how many there are. facts: of the flows in the same files.
    sources: by digest. texts: whole content of every YAML file, and of data files with findings, for `present_text`.
    diagnostics: sorted; of the files that `paths` named, or all.
    lists, closed: what the data files hold, by the names of lists and calendars. data_files: their state before they
    were read. All three are empty when `paths` name none of them.
    """

    project: Project
    flows: tuple[Flow, ...]
    sound: int
    facts: tuple[Facts, ...]
    sources: dict[str, Source]
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]
    lists: dict[str, ListData] = {}
    tests: dict[str, Document] = {}  #: the files of transcript tests that can be read, by name
    closed: dict[str, frozenset[date]] = {}
    data_files: dict[Path, Stamp] = {}

    @property
    def has_errors(self) -> bool:
        """Whether anything worse than a warning was found."""
        return any(item.severity == "error" for item in self.diagnostics)


class Checker:
    """Checks projects; the second check of a project costs reading the files and checking what changed.

    builds: flows are made of sound documents, and remembered. Otherwise only the findings are wanted: then `kept`, if
    given, says what was found before, and `judge_files` may do its work in several processes. sound_forms: of flows
    that the schema found nothing wrong with before.
    """

    def __init__(
        self,
        *,
        builds: bool = True,
        judge_files: JudgeFiles = judge_one_by_one,
        kept: Kept | None = None,
        sound_forms: Collection[bytes] = (),
    ) -> None:
        self._judge = Judge()
        self._data_files = DataFiles()
        self._known: Known = {}
        self._builds = builds
        self._judge_files = judge_files
        self._kept = kept
        self._judge.shapes.learn(sound_forms)

    def check(
        self,
        root: Path,
        paths: Sequence[Path] = (),
        now: datetime | None = None,
        *,
        tests: bool = False,
        instead: Contents[str, bytes] | None = None,
    ) -> Checked:
        """Read and check `sinchflow.yaml` and every flow of the project at `root`.

        paths: files or folders, relative ones from `root`; only they are checked, and of the other flows only what
        matters to them is looked at. A file outside of `flows/` is one more flow file. Never raises for what stands in
        files. now: times written out in documents that are new to this checker must be later; None: any time will do.
        So a flow that was sound does not become unsound because time goes by. tests: transcript tests are checked too.
        instead: bytes of YAML files, by the names that findings have, that count for what stands on disk.
        """
        flows = Built(self._judge, self._known) if self._builds else Found(self._judge, self._judge_files, self._kept)
        return _Check(self._judge, self._data_files, flows, root, now, instead or {}).run(paths, tests=tests)


class _Check:
    """One check under way."""

    def __init__(
        self,
        judge: Judge,
        data_files: DataFiles,
        flows: Built | Found,
        root: Path,
        now: datetime | None,
        instead: Contents[str, bytes],
    ) -> None:
        self._judge = judge
        self._files = data_files
        self._flows = flows
        self._root = root
        self._now = now
        self._instead = instead
        self._settings = Settings()
        self._project: Project | None = None  #: None when its file has mistakes
        self._has_all_flows = True  #: False when some flow could not be read at all
        self._document: Document | None = None  #: the project file's
        self._data_names: set[str] = set()  #: of data files that are to be reported
        self._texts: dict[str, str] = {}
        self._named: set[str] = set()  #: files of flows, also those that cannot be read
        self._findings: list[Diagnostic] = []
        self._test_documents: dict[str, Document] = {}

    def run(self, paths: Sequence[Path], *, tests: bool) -> Checked:
        project = self._read_project()
        data = self._data_files(project, paths)
        folder = self._root / FLOWS
        files = flow_files(folder) if os.path.lexists(folder) else iter(())
        settings = at(self._settings, self._now)
        if paths:
            given = dict(self._readable(named_files(self._root, paths)))
            reported = self._named | self._data_names
            others = self._flows.glean(self._other_files(files), settings)
        else:
            given = dict(self._readable(files))
            reported = None
            others = Harvest()
        own = self._flows.harvest(given, settings, is_all=not paths)
        self._findings += own.findings
        self._has_all_flows &= own.is_whole and others.is_whole
        facts = [*_by_place(others.facts), *_by_place(own.facts)]
        self._findings += self._across(facts)
        if tests:
            found = self._tests(paths, facts)
            reported = None if reported is None else reported | found
        return Checked(
            project=project,
            flows=tuple(sorted(own.flows, key=lambda flow: (flow.origin.file, flow.origin.line))),
            sound=own.sound,
            facts=tuple(own.facts),
            sources=own.sources,
            diagnostics=in_order(self._heeded(reported)),
            texts=self._texts,
            lists=data.lists,
            closed=data.closed,
            data_files=data.stamps,
            tests=self._test_documents,
        )

    def _heeded(self, reported: Collection[str] | None) -> list[Diagnostic]:
        """The findings of the files that are to be reported, without those that comments in them ignore."""
        findings = [item for item in self._findings if reported is None or item.file in reported]
        texts = {name: text for name, text in self._texts.items() if reported is None or name in reported}
        return without_ignored(findings, texts, is_whole=self._has_all_flows and self._project is not None)

    def _data_files(self, project: Project, paths: Sequence[Path]) -> Data:
        """What the project's data files hold; nothing when other files alone are to be reported."""
        named = {shown_name(self._root, self._root / path) for path in paths}
        own = {shown_name(self._root, path) for path in data_paths(self._root, project)}
        if paths and not named & {PROJECT_FILE, *own}:
            return Data()
        data = self._files.read(self._root, project, self._document, self._now)
        self._findings += data.findings
        self._texts |= data.texts
        self._data_names = own & named if paths else own
        return data

    def _readable(self, files: Iterator[Path | tuple[Path, str]]) -> Iterator[tuple[str, bytes]]:
        """Names and bytes of files of flows; a finding where there is none to be had."""
        for file in files:
            path, reason = file if isinstance(file, tuple) else (file, "")
            name = shown_name(self._root, path)
            self._named.add(name)
            data = reason or (
                self._read(name, path) if name not in self._texts and name not in self._data_names else b""
            )
            if isinstance(data, str):
                self._has_all_flows = False
                self._findings.append(cannot_take(name, data))
            elif name not in self._texts and name not in self._data_names:
                self._texts[name] = _shown(data)
                yield name, data

    def _other_files(self, files: Iterator[Path | tuple[Path, str]]) -> dict[str, bytes]:
        """Those that are not to be reported: what is wrong with them is not."""
        texts, findings = dict(self._texts), list(self._findings)
        others = dict(self._readable(files))
        self._texts, self._findings = texts, findings
        return others

    def _read(self, name: str, path: Path) -> bytes | str:
        """The file's bytes, or why they are not to be had."""
        return self._instead[name] if name in self._instead else read_file(path)

    def _tests(self, paths: Sequence[Path], flows: list[Facts]) -> set[str]:
        """Check transcript tests; returns the names of their files."""
        files = ((path, shown_name(self._root, path)) for path in transcript_files(self._root, paths))
        given = ((name, self._read(name, path)) for path, name in files)
        found = check_tests(given, flows, self._has_all_flows, self._settings, self._judge.shapes)
        self._findings += found.findings
        self._texts |= found.texts
        self._test_documents = found.documents
        return set(found.texts)

    def _across(self, flows: list[Facts]) -> Iterator[Diagnostic]:
        """What is wrong between flows."""
        survey = Survey(
            flows=tuple(flows),
            is_complete=self._has_all_flows,
            settings=self._settings,
            project=self._project,
            document=self._document,
            mentions=frozenset(self._judge.project_mentions(self._document)) if self._document else frozenset(),
        )
        for rule in SET_RULES:
            yield from rule.check(survey)

    def _read_project(self) -> Project:
        """The project's settings; the defaults where they are wrong, and then nothing is judged by them."""
        path = self._root / PROJECT_FILE
        if not os.path.lexists(path):
            self._project = default_project()
            return self._project
        self._settings = Settings(env=None, accounts=None, lists=None, calendars=None, outbound=None)
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
        findings = self._judge.shapes.check(document, "project")
        if isinstance(document.root, Mapping):
            sound = not findings
            given = build_project(document) if sound else default_project()
            columns = tuple(list_columns(self._root, given.lists))
            judged_by = Settings(
                env=frozenset(given.env) if sound else None,
                accounts=frozenset(given.all_accounts) if sound else None,
                lists=frozenset(given.lists) if sound else None,
                calendars=frozenset(given.calendars) if sound else None,
                columns=columns,
                outbound=given.outbound_allow if sound else None,
                max_sends_per_run=given.policy.max_sends_per_run,
                has_brake=given.policy.max_sends_per_contact is not None,
                country=given.country,
                language=given.language if is_language(given.language or "") else None,
                opt_out_words=_taken(given.policy.opt_out),
                help_words=_taken(given.policy.help) if given.policy.help and given.policy.help.reply else None,
                quiet=_quiet(given, columns),
            )
            findings += self._judge.project(document, judged_by)
            self._settings = judged_by
        self._findings += findings
        if has_errors(findings):
            return default_project()
        self._project = build_project(document)
        return self._project

    def _documents(self, name: str, path: Path) -> Iterator[Document]:
        data = self._read(name, path)
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


def _shown(data: bytes) -> str:
    """The file's text for people; none of what is no text at all."""
    if len(data) > MAX_BYTES or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ""
    return data.removeprefix(codecs.BOM_UTF8).decode(errors="replace")


def _by_place(flows: list[Facts]) -> list[Facts]:
    return sorted(flows, key=lambda each: each.named.place)


def _taken(words: KeywordPolicy | None) -> tuple[str, ...] | None:
    """The words that policy takes: empty for the defaults, None where it is off."""
    return None if words is None else words.keywords or ()


def _quiet(project: Project, columns: Iterable[tuple[str, Collection[str]]]) -> Quiet | None:
    hours, policy = project.policy.quiet_hours, project.policy
    if hours is None or hours.from_ == hours.to:
        return None
    return Quiet(
        hours=hours,
        timezone=project.timezone,
        staff=policy.staff,
        staff_list=policy.staff_list,
        is_everywhere=not any("timezone" in names for _, names in columns),
    )
