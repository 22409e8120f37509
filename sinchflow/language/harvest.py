"""What a project's files of flows give: flows for a daemon (`Built`), or only what is wrong with them (`Found`)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Protocol

import msgspec

from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.document import decode, documents
from sinchflow.language.facts import Facts
from sinchflow.language.judge import FileResult, Judge, Judged, at, no_flow
from sinchflow.language.rules.rule import Settings
from sinchflow.model.flow import Flow


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One YAML document as it stands in a file: `flow_from_source` makes the same flow of it again."""

    file: str
    line: int  #: of the file, on which `text` begins
    text: str


class Harvest:
    """What some files gave together. is_whole: every flow in them could be read."""

    def __init__(self) -> None:
        self.findings: list[Diagnostic] = []
        self.facts: list[Facts] = []
        self.sound = 0
        self.is_whole = True
        self.flows: list[Flow] = []
        self.sources: dict[str, Source] = {}

    def add(self, result: FileResult) -> None:
        """Count a file in."""
        self.findings += result.findings or ()
        self.facts += result.facts
        self.sound += result.sound
        self.is_whole &= result.is_whole


#: Bytes of files by the names that findings show.
Files = Mapping[str, bytes]


class Kept(Protocol):
    """What earlier checks found, by names and digests of files; asked and told of one project's files alone."""

    def begin(self, settings: Settings) -> None:
        """Forget what other settings gave."""

    def find(self, name: str, digest: bytes, *, is_judged: bool) -> FileResult | None:
        """What the file gave when it had this digest. is_judged: with its findings."""

    def add(self, name: str, digest: bytes, result: FileResult) -> None:
        """Keep what a file gave."""

    def learn(self, forms: Iterable[bytes]) -> None:
        """The schema found nothing wrong with these forms."""

    def forget_all_but(self, names: Iterable[str]) -> None:
        """Files of other names are gone."""


#: Judges many files, in their order: perhaps with help.
JudgeFiles = Callable[[Judge, Sequence[tuple[str, bytes]], Settings], Iterator[FileResult]]


def judge_one_by_one(judge: Judge, given: Sequence[tuple[str, bytes]], settings: Settings) -> Iterator[FileResult]:
    """Without help."""
    return (judge.file(name, data, settings) for name, data in given)


class Found:
    """Findings only; what `kept` knows of a file is not found out again."""

    def __init__(self, judge: Judge, judge_files: JudgeFiles, kept: Kept | None) -> None:
        self._judge = judge
        self._judge_files = judge_files
        self._kept = kept

    def harvest(self, given: Files, settings: Settings, *, is_all: bool) -> Harvest:
        """Judge these files. is_all: the project has no others."""
        self._begin(settings)
        results = {name: self._find(name, data, is_judged=True) for name, data in given.items()}
        wanted = [(name, given[name]) for name, result in results.items() if result is None]
        for (name, data), result in zip(wanted, self._judge_files(self._judge, wanted, settings), strict=True):
            results[name] = result
            self._keep(name, data, result)
        if self._kept is not None:
            self._kept.learn(self._judge.shapes.take_new_forms())
            if is_all:
                self._kept.forget_all_but(given)
        return _together(result for result in results.values() if result is not None)

    def glean(self, others: Files, settings: Settings) -> Harvest:
        """Only the facts of files that are not to be reported."""
        self._begin(settings)
        return _together(self._facts(name, data) for name, data in others.items())

    def _begin(self, settings: Settings) -> None:
        if self._kept is not None:
            self._kept.begin(at(settings, None))

    def _facts(self, name: str, data: bytes) -> FileResult:
        result = self._find(name, data, is_judged=False)
        if result is None:
            result = self._judge.file_facts(name, data)
            self._keep(name, data, result)
        return result

    def _find(self, name: str, data: bytes, *, is_judged: bool) -> FileResult | None:
        return self._kept.find(name, _digest(data), is_judged=is_judged) if self._kept is not None else None

    def _keep(self, name: str, data: bytes, result: FileResult) -> None:
        if self._kept is not None:
            self._kept.add(name, _digest(data), result)


#: Document by file, digest and line, and the settings that it was judged by.
Known = dict[tuple[str, str, int, Settings], Judged]


class Built:
    """Flows too; documents that are in `known` are not judged again, whatever the time is now."""

    def __init__(self, judge: Judge, known: Known) -> None:
        self._judge = judge
        self._known = known

    def harvest(self, given: Files, settings: Settings, *, is_all: bool) -> Harvest:
        """Judge these files and build their flows. is_all: the project has no others."""
        seen: Known = {}
        harvest = Harvest()
        for name, data in given.items():
            self._file(name, data, settings, harvest, seen)
        if is_all:
            self._known.clear()
        self._known.update(seen)
        return harvest

    def glean(self, others: Files, _settings: Settings) -> Harvest:
        """Only the facts of files that are not to be reported."""
        return _together(self._judge.file_facts(name, data) for name, data in others.items())

    def _file(self, name: str, data: bytes, settings: Settings, harvest: Harvest, seen: Known) -> None:
        text, faults = decode(data, name)
        harvest.findings += faults
        harvest.is_whole &= not faults
        found = [] if faults else list(documents(text, name))
        if not faults and not found:
            harvest.findings.append(no_flow(name))
        for document in found:
            key = (document.file, document.digest, document.line, at(settings, None))
            judged = self._known.get(key) or self._judge.document(document, settings, builds=True)
            seen[key] = judged
            harvest.findings += judged.findings
            if judged.facts is not None:
                harvest.facts.append(judged.facts)
            harvest.is_whole &= judged.facts is not None
            if judged.flow is not None:
                harvest.sound += 1
                harvest.flows.append(judged.flow)
                source = Source(file=document.file, line=document.line, text=document.text)
                harvest.sources.setdefault(document.digest, source)


def _together(results: Iterator[FileResult]) -> Harvest:
    harvest = Harvest()
    for result in results:
        harvest.add(result)
    return harvest


def _digest(data: bytes) -> bytes:
    """What tells one state of a file from any other."""
    return sha256(data).digest()
