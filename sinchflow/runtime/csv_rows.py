"""CSV bodies (RFC 4180): a first row of column names, then one row for each record."""

import csv
import io

from sinchflow.model.event import clean_text


def read_rows(text: str) -> tuple[dict[str, str], ...]:
    """The rows by column name; empty lines are left out. Raises ValueError, with the line, for what is no CSV."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        records = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    if not records:
        return ()
    names = [clean_text(name.strip()) for name in records[0][1]]
    if len(set(names)) < len(names) or not all(names):
        raise ValueError("every column needs a name of its own, in the first row")
    for line, cells in records[1:]:
        if len(cells) != len(names):
            raise ValueError(f"line {line} has {len(cells)} fields, the first row has {len(names)}")
    return tuple(dict(zip(names, map(clean_text, cells), strict=True)) for _, cells in records[1:])
