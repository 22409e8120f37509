"""All texts of a project that people can get, and what each costs: the answer to "how many SMS is that?"."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sinchflow.language.build import default_name
from sinchflow.language.document import compose, decode, documents
from sinchflow.language.facts import name_of
from sinchflow.language.files import FLOWS, flow_files, read_file, shown_name
from sinchflow.language.inspector import Inspector
from sinchflow.language.messages import Message, messages_of
from sinchflow.language.nodes import Document, Mapping
from sinchflow.language.outline import Outline
from sinchflow.language.parts import Estimate, estimate, ways_of
from sinchflow.language.scalars import place
from sinchflow.language.settings import PROJECT_FILE
from sinchflow.language.walk import outline_flow, outline_project
from sinchflow.model.origin import Origin


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """One text. flow: None for policy's own. cost: None where the template cannot be read. unicode: what makes it so,
    and where that stands."""

    origin: Origin
    flow: str | None
    message: Message
    cost: Estimate | None
    unicode: tuple[str, Origin] | None = None


class Texts:
    """The texts of the project at `root`. flows: names of all flows seen; unread: files that could not be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inspector = Inspector()
        self.flows: set[str] = set()
        self.unread: list[str] = []

    def all(self) -> Iterator[Text]:
        """In the order of files and lines; what policy answers comes first."""
        project = self._root / PROJECT_FILE
        if project.is_file():
            for document in self._documents(project):
                yield from self._of(outline_project(document, self._inspector), None)
        folder = self._root / FLOWS
        for file in flow_files(folder) if folder.exists() else ():
            if isinstance(file, tuple):
                self.unread.append(shown_name(self._root, file[0]))
                continue
            for document in self._documents(file):
                outline = outline_flow(document, self._inspector)
                name = name_of(document, outline.root, default_name(document.file)).name
                self.flows.add(name)
                yield from self._of(outline, name)

    def _documents(self, path: Path) -> Iterator[Document]:
        name, data = shown_name(self._root, path), read_file(path)
        text, faults = ("", [True]) if isinstance(data, str) else decode(data, name)
        if faults:
            self.unread.append(name)
            return
        for document in documents(text, name):
            if compose(document) or not isinstance(document.root, Mapping):
                self.unread.append(name)
            else:
                yield document

    def _of(self, outline: Outline, flow: str | None) -> Iterator[Text]:
        document = outline.document
        for message in messages_of(outline):
            ways = ways_of(outline, message.scalar.text)
            cost = estimate(ways) if ways else None
            found = None
            if cost is not None and cost.unicode is not None:
                character, offset = cost.unicode
                found = (character, place(document, message.scalar, offset))
            origin = document.origin_of(message.scalar)
            yield Text(origin=origin, flow=flow, message=message, cost=cost, unicode=found)
