"""How wide texts are, nearly, and how they are broken into lines.

A browser takes the font that it has; the widths are those of wide ones (DejaVu Sans, Verdana), so that others fit too.
"""

import unicodedata

import msgspec

from sinchflow.console.graph.model import Kind, Line, Node, Style

#: Characters by their width, in thousandths of the size of the font.
_WIDTHS = {
    300: "iljIJ'",
    345: " .,:;/\\|·",
    420: "ftr()[]!-",
    535: 'sz?*_`“”–"',
    595: "cvxykFL",
    640: "abdeghnopquESPTY0123456789${}",
    700: "ABCKRVXZ",
    790: "DGHNOQU&",
    840: "w+=~#<>^→",
    1000: "mMW@%…—",
}
_WIDTH_OF = {char: width for width, chars in _WIDTHS.items() for char in chars}
_WIDEST_ELSE = 700
_WIDE = 1250  #: of emoji and East Asian letters, with some room

SIZES: dict[Style, float] = {"kind": 11.5, "name": 13.5, "text": 13, "note": 12, "place": 10.5}
BOLD: tuple[Style, ...] = ("kind", "name")
LABEL_SIZE = 12.0
_LEADING = 1.38
_BOLDER = 1.13  #: bold text's width, of that of others
_WIDEST_TEXT = 250.0
_PADDING_X, _PADDING_Y = 14.0, 10.0
#: Room for the points of a decision, and the round ends of others.
_EXTRA: dict[Kind, float] = {"decision": 22, "end": 6, "stop": 6, "fail": 6}
#: Cards are as wide as the first of these that they fit into, so that they line up.
_CARD_WIDTHS = (190.0, 280.0)


class Row(msgspec.Struct, frozen=True):
    """One line of text in a node; y: of its baseline, from the node's upper edge."""

    text: str
    style: Style
    x: float
    y: float
    width: float


class Card(msgspec.Struct, frozen=True):
    """A node measured: its size and its lines of text."""

    width: float
    height: float
    rows: tuple[Row, ...]


def card(node: Node) -> Card:
    """The node's texts, broken into lines, and the room that they need."""
    extra = _EXTRA.get(node.kind, 0)
    widest = _WIDEST_TEXT - 2 * extra
    wrapped = [(text, line) for line in node.lines for text in _wrapped(line, widest)]
    widths = [width_of(text, SIZES[line.style], is_bold=line.style in BOLD) for text, line in wrapped]
    width = max(widths, default=0) + 2 * (_PADDING_X + extra)
    is_centred = node.kind in _EXTRA
    if not is_centred:
        width = next((each for each in _CARD_WIDTHS if width <= each), width)
    rows, y = [], _PADDING_Y
    before: Line | None = None
    for (text, line), wide in zip(wrapped, widths, strict=True):
        if before is not None and line is not before:
            y += 3
        step = SIZES[line.style] * _LEADING
        x = (width - wide) / 2 if is_centred else _PADDING_X
        rows.append(Row(text, line.style, round(x, 1), round(y + step * 0.76, 1), round(wide, 1)))
        y += step
        before = line
    return Card(round(width), round(y + _PADDING_Y), tuple(rows))


def _wrapped(line: Line, widest: float) -> list[str]:
    return wrap(line.text, SIZES[line.style], widest / _BOLDER if line.style in BOLD else widest)


def wrap(text: str, size: float, widest: float) -> list[str]:
    """The text in lines no wider than `widest`; a word that is wider is broken."""
    lines: list[str] = []
    line = ""
    # Braces stay with what is next to them.
    for word in text.replace("{{ ", "{{\0").replace(" }}", "\0}}").split(" "):
        word = word.replace("\0", " ")
        longer = f"{line} {word}" if line else word
        if width_of(longer, size) <= widest:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, size, widest)
        lines += full
    return [each.strip() for each in (*lines, line)]


def _pieces(word: str, size: float, widest: float) -> list[str]:
    """Breaks after `/` and the like where it can, never before a character that belongs to the one before."""
    pieces, start, at_best = [], 0, 0
    for at, char in enumerate(word):
        if width_of(word[start : at + 1], size) > widest and at > start and not _is_joined(word, at):
            cut = at_best if at_best > start else at
            pieces.append(word[start:cut])
            start = at_best = cut
        if char in " /-_.,?&=·":
            at_best = at + 1
    return [*pieces, word[start:]]


def _is_joined(word: str, at: int) -> bool:
    return bool(unicodedata.combining(word[at])) or "\u200d" in word[at - 1 : at + 1] or word[at] == "\ufe0f"


def width_of(text: str, size: float, *, is_bold: bool = False) -> float:
    """How wide the text is at most, nearly."""
    return sum(_width(char) for char in text) * size / 1000 * (_BOLDER if is_bold else 1)


def _width(char: str) -> int:
    known = _WIDTH_OF.get(char)
    if known is not None:
        return known
    if unicodedata.combining(char) or char in "\u200d\ufe0f":
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else _WIDEST_ELSE
