"""A whole project checked: what is wrong with its files, and the flows that they hold.

Keeps what it found out about every document by digest and place, so that a reload looks at changed documents only.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from sinchflow.language.build import build_flow
from sinchflow.language.diagnostic import Diagnostic, finding, in_order
from sinchflow.language.document import decode, documents
from sinchflow.language.files import cannot_take, flow_files, named_files, read_file, shown_name
from sinchflow.language.nodes import Document, Mapping
from sinchflow.language.settings import PROJECT_FILE, build_project, default_project
from sinchflow.language.shape import Shapes
from sinchflow.model.flow import Flow
from sinchflow.model.origin import Origin
from sinchflow.model.project import Project


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One YAML document as it stands in a file: `flow_from_source` makes the same flow of it again."""

    file: str
    line: int  #: of the file, on which `text` begins
    text: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    flows: those of sound documents, in order of file and line, of the whole project whatever `paths` named.
    sources: by digest. texts: whole content of every file, for `present_text`.
    diagnostics: sorted; of the files that `paths` named, or all.
    """

    project: Project
    flows: tuple[Flow, ...]
    sources: dict[str, Source]
    diagnostics: tuple[Diagnostic, ...]
    texts: dict[str, str]

    @property
    def has_errors(self) -> bool:
        """Whether anything worse than a warning was found."""
        return any(item.severity == "error" for item in self.diagnostics)


class _Result(msgspec.Struct, frozen=True):
    """What one document gave: a flow only when nothing is wrong with it."""

    findings: tuple[Diagnostic, ...]
    flow: Flow | None


class Checker:
    """Checks projects; the second check of a project costs reading the files and checking what changed."""

    def __init__(self) -> None:
        self._shapes = Shapes()
        self._known: dict[tuple[str, str, int], _Result] = {}

    def check(self, root: Path, paths: Sequence[Path] = ()) -> Checked:
        """Read and check `sinchflow.yaml` and every flow of the project at `root`.

        paths: files or folders, relative ones from `root`; only they are reported. A file outside of `flows/` is
        checked as one more flow file. Never raises for what stands in the files.
        """
        return _Check(self._shapes, self._known, root).run(paths)


class _Check:
    """One check under way."""

    def __init__(self, shapes: Shapes, known: dict[tuple[str, str, int], _Result], root: Path) -> None:
        self._shapes = shapes
        self._known = known
        self._seen: dict[tuple[str, str, int], _Result] = {}
        self._root = root
        self._texts: dict[str, str] = {}
        self._findings: list[Diagnostic] = []
        self._flows: list[Flow] = []
        self._sources: dict[str, Source] = {}

    def run(self, paths: Sequence[Path]) -> Checked:
        project = self._project()
        named = self._add(named_files(self._root, paths))
        folder = self._root / "flows"
        if folder.exists():
            self._add(flow_files(folder))
        self._known.clear()
        self._known.update(self._seen)
        return Checked(
            project=project,
            flows=tuple(sorted(self._flows, key=lambda flow: (flow.origin.file, flow.origin.line))),
            sources=self._sources,
            diagnostics=in_order(item for item in self._findings if not paths or item.file in named),
            texts=self._texts,
        )

    def _project(self) -> Project:
        path = self._root / PROJECT_FILE
        if not path.exists() and not path.is_symlink():
            return default_project()
        found = list(self._documents(PROJECT_FILE, path))
        for _, findings in found:
            self._findings += findings
        sound = [document for document, findings in found if not findings]
        if len(found) > 1:
            where = found[1][0].origin(0)
            self._findings.append(finding(where, "several-documents", f"{PROJECT_FILE} holds one document only"))
        if len(found) != 1 or not sound:
            return default_project()
        findings = self._shapes.check(sound[0], "project")
        self._findings += findings
        return default_project() if findings else build_project(sound[0])

    def _add(self, files: Iterator[Path | tuple[Path, str]]) -> set[str]:
        names: set[str] = set()
        for file in files:
            path, reason = file if isinstance(file, tuple) else (file, "")
            name = shown_name(self._root, path)
            names.add(name)
            if reason:
                self._findings.append(cannot_take(name, reason))
            elif name not in self._texts:
                self._flow_file(name, path)
        return names

    def _flow_file(self, name: str, path: Path) -> None:
        before = len(self._findings)
        found = 0
        for document, findings in self._documents(name, path):
            found += 1
            self._flow(document, findings)
        if not found and len(self._findings) == before:
            hint = "write one, or delete the file"
            self._findings.append(finding(Origin(name, 1, 1), "no-flow", "the file holds no flow", hint, "warning"))

    def _documents(self, name: str, path: Path) -> Iterator[tuple[Document, list[Diagnostic]]]:
        data = read_file(path)
        if isinstance(data, str):
            self._texts[name] = ""
            self._findings.append(cannot_take(name, data))
            return
        text, findings = decode(data, name)
        self._texts[name] = text
        self._findings += findings
        if not findings:
            yield from documents(text, name)

    def _flow(self, document: Document, syntax: list[Diagnostic]) -> None:
        key = (document.file, document.digest, document.line)
        result = self._known.get(key) or self._judge(document, syntax)
        self._seen[key] = result
        self._findings += result.findings
        if result.flow is not None:
            self._flows.append(result.flow)
            source = Source(file=document.file, line=document.line, text=document.text)
            self._sources.setdefault(document.digest, source)

    def _judge(self, document: Document, syntax: list[Diagnostic]) -> _Result:
        if syntax:
            return _Result(tuple(syntax), None)
        findings = self._shapes.check(document, "flow")
        is_sound = not findings and isinstance(document.root, Mapping)
        return _Result(tuple(findings), build_flow(document) if is_sound else None)
