"""What a rule is: an id, a reason, samples, and a check over one flow's outline, the project file's, or all flows."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

import msgspec

from sinchflow.language.diagnostic import Diagnostic
from sinchflow.language.facts import Facts
from sinchflow.language.nodes import Document
from sinchflow.language.outline import Outline
from sinchflow.language.quiet import Quiet
from sinchflow.language.transcript import TranscriptFile
from sinchflow.model.project import DEFAULT_ACCOUNT, Policy, Project

#: A line that begins another file of a sample.
_FILE = re.compile(r"^# file: (\S+)\n", re.MULTILINE)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at of the project file, and when. Names (`env`, `accounts`, `lists`, `calendars`) and `outbound`
    are None when the file could not be read: they are not judged. `now` is None when times are not judged. The words of
    policy are empty where they are the defaults, None where it takes none. columns: of lists with sound headers.
    outbound: the private addresses that may be called. has_brake: so many messages to one person are too many.
    quiet: None where it never is.
    """

    env: frozenset[str] | None = frozenset()
    accounts: frozenset[str] | None = frozenset({DEFAULT_ACCOUNT})
    lists: frozenset[str] | None = frozenset()
    calendars: frozenset[str] | None = frozenset()
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    outbound: tuple[str, ...] | None = ()
    max_sends_per_run: int = Policy().max_sends_per_run
    has_brake: bool = True
    country: str | None = None
    language: str | None = None
    opt_out_words: tuple[str, ...] | None = ()
    help_words: tuple[str, ...] | None = None
    quiet: Quiet | None = None
    now: datetime | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What `sinchflow explain ID` and the rule's page say.

    failing and corrected are files of a project: the first gives findings of this rule and of no other, the second
    gives none. Each is one file, unless lines `# file: flows/menu.yaml` begin several; `files_of` tells them apart.
    is_mixed: some of its findings are errors, others warnings; else all are what the failing sample's is.
    """

    id: str
    reason: str
    failing: str
    corrected: str
    is_mixed: bool = False


class Rule(Page, frozen=True, kw_only=True):
    """A rule about one document."""

    check: Callable[[Outline, Settings], Iterable[Diagnostic]]
    applies_to: Literal["flow", "project", "both"] = "flow"


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """All flows of a project at once, for the rules across files.

    flows: by file and line, those with mistakes of their own too. Flows of files that are not to be reported come
    first: of two that cannot both be, the finding is about the later one.
    is_complete: False when some flow could not be read at all, so that what no flow has may still be there.
    project: the project's settings; None when its file has mistakes. document: that file, None when there is none.
    mentions: what that file itself mentions (`mentions`).
    """

    flows: tuple[Facts, ...]
    is_complete: bool
    settings: Settings
    project: Project | None
    document: Document | None = None
    mentions: frozenset[str] = frozenset()


class SetRule(Page, frozen=True, kw_only=True):
    """A rule about all flows together; each finding is reported in the file that it is in."""

    check: Callable[[Survey], Iterable[Diagnostic]]


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """What transcript tests are judged by: the project's flows by name, and its settings. is_complete: see `Survey`.

    mentions, paths: of all flows; paths are those of their webhooks.
    """

    flows: dict[str, Facts]
    is_complete: bool
    settings: Settings
    mentions: frozenset[str]
    paths: frozenset[str]


class TranscriptRule(Page, frozen=True, kw_only=True):
    """A rule about one file of transcript tests."""

    check: Callable[[TranscriptFile, Stage], Iterable[Diagnostic]]


def files_of(sample: str, main: str = "flows/sample.yaml") -> dict[str, str]:
    """The files of a sample by name; a sample without `# file:` lines is the file `main`."""
    parts = _FILE.split(sample)
    return dict(zip(parts[1::2], parts[2::2], strict=True)) if len(parts) > 1 else {main: sample}
