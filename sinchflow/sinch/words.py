"""Foreign text made fit for one line of a log or an error message."""

#: As much of the provider's own words as an error message carries.
LIMIT = 500


def shown(text: str, limit: int = LIMIT) -> str:
    """The text on one line: control characters and lone surrogates escaped, cut at `limit` characters with `…`."""
    cut = text[: limit + 1]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"
