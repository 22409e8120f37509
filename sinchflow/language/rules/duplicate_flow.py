"""Two flows with one name, in whatever files."""

from collections.abc import Iterable, Iterator

import msgspec

from sinchflow.language.diagnostic import Diagnostic, finding
from sinchflow.model.origin import Origin

RULE_ID = "duplicate-flow"


class Named(msgspec.Struct, frozen=True):
    """A flow's name and where it comes from; without a `name:` it is the file's stem."""

    name: str
    origin: Origin
    is_written: bool

    @property
    def place(self) -> tuple[str, int]:
        """File and line, for sorting."""
        return self.origin.file, self.origin.line


def duplicate_flows(flows: Iterable[Named]) -> Iterator[Diagnostic]:
    """A finding for each flow whose name one before it has already.

    Names are the same when they differ in upper and lower case only: they would be hard to tell apart in a log.
    """
    first: dict[str, Named] = {}
    for flow in flows:
        other = first.setdefault(flow.name.casefold(), flow)
        if other is flow:
            continue
        place = f"{other.origin.file}:{other.origin.line}"
        if flow.is_written:
            yield finding(
                flow.origin, RULE_ID, f'the flow name "{flow.name}" is taken by {place}', "rename one of them"
            )
        else:
            message = f'without a name this flow is "{flow.name}" after its file, and so is {place}'
            yield finding(flow.origin, RULE_ID, message, "give it one: name: …")
