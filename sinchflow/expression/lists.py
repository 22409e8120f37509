"""A list of the project's, as templates see it: rows in order, and the numbers in it.

`contact.number in lists.vip` asks for a number, whatever else the rows hold; everything else goes through the rows.
"""

from collections.abc import Iterator, Sequence
from typing import overload

Row = dict[str, str]

#: The column that holds telephone numbers.
NUMBER = "number"


class ListData(Sequence[Row]):
    """Rows by column name; `number`, where there is such a column, in E.164. Never changed once made."""

    __slots__ = ("_numbers", "_rows")

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._rows = tuple(rows)
        self._numbers = frozenset(row[NUMBER] for row in self._rows if NUMBER in row)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows, in the order of the file."""
        return self._rows

    @property
    def numbers(self) -> frozenset[str]:
        """Every number in the list, in E.164."""
        return self._numbers

    def __contains__(self, number: object) -> bool:
        """Whether a number in E.164 is in the list; costs the same however long the list is."""
        return isinstance(number, str) and number in self._numbers

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self._rows[index]
