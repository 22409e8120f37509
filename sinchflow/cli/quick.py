"""The plainest calls of `validate`, as editors make them at every change, without the command line's own start-up.

typer takes as long to import as a flow to check. What is not exactly of this form is left to it, mistakes included:

    sinchflow [-C DIR] validate [--strict] [--format FORMAT] [--no-cache] [PATH…]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def quick(arguments: Sequence[str]) -> int | None:
    """The exit code of a plain `validate`, done; None when the arguments are something else, and nothing was done."""
    rest = list(arguments)
    root = Path()
    if rest[:1] == ["-C"] and len(rest) > 1:
        root, rest = Path(rest[1]), rest[2:]
    if rest[:1] != ["validate"] or not root.is_dir():
        return None
    options = _options(rest[1:])
    if options is None:
        return None
    from sinchflow.cli.checking import check_files

    return check_files(root, **options)


def _options(words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of `check_files` that these words are; None when a word is none of them."""
    from sinchflow.cli.checking import Format

    options: dict[str, Any] = {"paths": []}
    rest = iter(words)
    for word in rest:
        if word == "--strict":
            options["strict"] = True
        elif word == "--no-cache":
            options["cache"] = False
        elif word == "--format":
            name = next(rest, "")
            if name not in list(Format):
                return None
            options["output"] = Format(name)
        elif word.startswith("-"):
            return None
        else:
            options["paths"].append(Path(word))
    return options
