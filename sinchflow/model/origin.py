"""Where in the user's files something stands."""

import msgspec


class Origin(msgspec.Struct, frozen=True, gc=False):
    """A place in a file: `file` as the user names it; `line`, `column` from 1, in characters; `length` of the mark."""

    file: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
