"""One document, or one file, judged by the schema and by the rules that look at one flow."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from sinchflow.language.build import build_flow, default_name
from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.language.document import compose, decode, documents
from sinchflow.language.facts import Facts, facts_of, name_of
from sinchflow.language.inspector import Inspector
from sinchflow.language.mentions import mentions_of
from sinchflow.language.nodes import Document, Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.rules import RULES
from sinchflow.language.rules.rule import Rule, Settings
from sinchflow.language.rules.timestamp import has_times
from sinchflow.language.shape import Shapes
from sinchflow.language.walk import outline_flow, outline_project
from sinchflow.model.flow import Flow
from sinchflow.model.origin import Origin

_FLOW_RULES = tuple(rule for rule in RULES if rule.applies_to != "project")
_PROJECT_RULES = tuple(rule for rule in RULES if rule.applies_to != "flow")


class Judged(msgspec.Struct, frozen=True):
    """What one document gave. is_sound: nothing worse than a warning; only then, and if asked for, there is a flow.

    facts: None when it could not be read at all. has_times: it may be judged otherwise as time goes by.
    """

    findings: tuple[Diagnostic, ...]
    is_sound: bool
    flow: Flow | None = None
    facts: Facts | None = None
    has_times: bool = False


class FileResult(msgspec.Struct, frozen=True, array_like=True):
    """What one file of flows gave, without its flows.

    findings: None when only the facts were asked for. sound: number of flows that nothing is wrong with.
    is_whole: every flow in it could be read. is_lasting: the same text is judged alike at any time.
    """

    findings: tuple[Diagnostic, ...] | None
    facts: tuple[Facts, ...]
    sound: int
    is_whole: bool
    is_lasting: bool


class Judge:
    """Judges documents; what is costly to make lasts as long as the judge."""

    def __init__(self) -> None:
        self.shapes = Shapes()
        self._inspector = Inspector()

    def document(self, document: Document, settings: Settings, *, builds: bool) -> Judged:
        """A flow document, not yet composed. builds: the flow is wanted, if it is sound."""
        syntax = compose(document)
        if syntax:
            return Judged(tuple(syntax), False)
        findings = self.shapes.check(document, "flow")
        if not isinstance(document.root, Mapping):
            return Judged(tuple(findings), False)
        outline = outline_flow(document, self._inspector)
        findings += _apply(_FLOW_RULES, outline, settings)
        is_sound = not has_errors(findings)
        return Judged(
            findings=tuple(findings),
            is_sound=is_sound,
            flow=build_flow(document) if builds and is_sound else None,
            facts=_facts(outline),
            has_times=has_times(outline),
        )

    def project(self, document: Document, settings: Settings) -> Iterator[Diagnostic]:
        """What the rules find in the project file, which has nodes."""
        if isinstance(document.root, Mapping):
            yield from _apply(_PROJECT_RULES, outline_project(document, self._inspector), settings)

    def project_mentions(self, document: Document) -> tuple[str, ...]:
        """What the project file, which has nodes, mentions of its own lists and environment."""
        return mentions_of(outline_project(document, self._inspector))

    def facts(self, document: Document) -> Facts | None:
        """The facts of a flow document, not yet composed, that is not to be judged."""
        compose(document)
        return _facts(outline_flow(document, self._inspector)) if isinstance(document.root, Mapping) else None

    def file(self, name: str, data: bytes, settings: Settings) -> FileResult:
        """All documents of a file of flows."""
        text, faults = decode(data, name)
        if faults:
            return FileResult(tuple(faults), (), 0, False, True)
        judged = [self.document(document, settings, builds=False) for document in documents(text, name)]
        findings = [item for each in judged for item in each.findings]
        return FileResult(
            findings=tuple(findings) if judged else (no_flow(name),),
            facts=tuple(each.facts for each in judged if each.facts is not None),
            sound=sum(each.is_sound for each in judged),
            is_whole=all(each.facts is not None for each in judged),
            is_lasting=not any(each.has_times for each in judged),
        )

    def file_facts(self, name: str, data: bytes) -> FileResult:
        """The facts alone of a file of flows."""
        text, faults = decode(data, name)
        found = [] if faults else [self.facts(document) for document in documents(text, name)]
        facts = tuple(each for each in found if each is not None)
        return FileResult(None, facts, 0, not faults and len(facts) == len(found), True)


def has_errors(findings: Sequence[Diagnostic]) -> bool:
    """Whether anything worse than a warning is among them."""
    return any(item.severity == "error" for item in findings)


def no_flow(name: str) -> Diagnostic:
    """The finding for a file of flows that holds none."""
    hint = "write one, or delete the file"
    return finding(Origin(name, 1, 1), "no-flow", "the file holds no flow", hint, "warning")


def at(settings: Settings, now: datetime | None) -> Settings:
    """The settings with the moment by which times are judged."""
    return msgspec.structs.replace(settings, now=now)


def _facts(outline: Outline) -> Facts:
    document = outline.document
    return facts_of(outline, name_of(document, outline.root, default_name(document.file)))


def _apply(rules: Sequence[Rule], outline: Outline, settings: Settings) -> list[Diagnostic]:
    return [item for rule in rules for item in rule.check(outline, settings)]
