"""Transcript tests written down: one line a step, in YAML's flow style, as a person would write it."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
#: What YAML and JSON disagree about in a quoted text.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


def written_file(given: Mapping[str, Any], name: str, steps: Iterable[Mapping[str, Any]]) -> str:
    """A file with one test. given: what stands at its top, by key."""
    lines = [f"{key}: {flow_style(value)}" for key, value in given.items()]
    return "\n".join([*lines, "", "tests:", *lines_of_test({"name": name}, steps)]) + "\n"


def lines_of_test(head: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """One test in the list `tests:`. head: its name, and what is given to it alone."""
    own = [f"{key}: {flow_style(value)}" for key, value in head.items()]
    lines = [f"{'    ' if at else '  - '}{line}" for at, line in enumerate([*own, "script:"])]
    return [*lines, *(f"      - {flow_style(dict(step))[1:-1]}" for step in steps)]


def flow_style(value: Any) -> str:
    """A value on one line."""
    written: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=math.inf, sort_keys=False, allow_unicode=True
    )
    return written.removesuffix("...\n").strip("\n")


class _Dumper(yaml.SafeDumper):
    """PyYAML writes YAML 1.1: texts that are numbers in YAML 1.2 only are to be quoted, too."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whatever stands twice is written twice."""
        return True

    def write_single_quoted(self, text: str, split: bool = True) -> None:
        """In the other quotes where fewer characters have to be written twice."""
        if text.count("'") > text.count('"') + text.count("\\"):
            self.write_double_quoted(text, split)
        else:
            super().write_single_quoted(text, split)

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """As JSON has it: on one line, and with emoji as they are."""
        written = json.dumps(text, ensure_ascii=False)
        self.write_indicator(_ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", written), True)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Line breaks are escaped, so that a text stays on its line."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, '"' if _BREAK.search(text) else None)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|0o[0-7]+$|0x[0-9a-fA-F]+$"),
    list("-+.0123456789"),
)


def written_span(seconds: int) -> str:
    """A duration in its largest whole unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
