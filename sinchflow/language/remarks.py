"""What the types of a flow's names say of its templates and conditions, each text looked at once."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from sinchflow.expression.inference import Inference, Remark, remarks_of
from sinchflow.expression.kinds import A_TEXT, Type
from sinchflow.expression.placed import expressions
from sinchflow.language.inspector import says_all
from sinchflow.language.nodes import Scalar
from sinchflow.language.types import Types

if TYPE_CHECKING:
    from sinchflow.language.outline import Outline, TextUse

_HOLE = re.compile(r"""\{\{(?:[^'"{}]|'[^'\\{}]*'|"[^"\\{}]*")*\}\}""")
_BLOCK = re.compile(r"\{[%#]")


class Remarks:
    """Looks at the texts of one flow."""

    def __init__(self, outline: "Outline") -> None:
        self._outline = outline
        self._uses = {id(text.scalar): text for text in outline.texts}
        self._types = Types(outline, self._given_by)

    def all(self) -> "Iterator[tuple[TextUse, Remark]]":
        """Every remark, with the text that it is about."""
        for text, inspection in self._outline.inspections:
            if inspection.faults:
                continue
            for remark in self._of(text):
                yield text, remark

    def _of(self, text: "TextUse") -> Iterator[Remark]:
        source = text.scalar.text
        if text.is_condition:
            yield from self._look(text, source, is_condition=True)
        elif _BLOCK.search(source):
            yield from self._look(text, source, is_condition=False)
        else:
            for hole in _HOLE.finditer(source):
                if not says_all(hole[0]):
                    for remark in self._look(text, hole[0], is_condition=False):
                        start, end = remark.start + hole.start(), remark.end + hole.start()
                        yield msgspec.structs.replace(remark, start=start, end=end)

    def _look(self, text: "TextUse", source: str, *, is_condition: bool) -> Iterator[Remark]:
        body = self._outline.trees(source, is_condition=is_condition)
        yield from remarks_of(body, source, lambda name: self._types.name(text, name), is_condition=is_condition)

    def _given_by(self, scalar: Scalar) -> Type:
        """What a value that is assigned gives: that of its one hole, else a text."""
        source = scalar.text.strip()
        text = self._uses.get(id(scalar))
        if text is None or not _HOLE.fullmatch(source):
            return A_TEXT
        body = expressions(source[2:-2].strip("-+ \n"), is_condition=True)
        inference = Inference(source, lambda name: self._types.name(text, name))
        return inference.infer(body[0]) if body else Type()
