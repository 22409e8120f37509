"""Findings for other programs: as GitHub's workflow commands, and as SARIF 2.1.0 (OASIS).

Findings name files from the project's root, other programs from the repository's: `Locate` says what a file is called
there. A name that begins with `/` is that of a file outside of the repository.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sinchflow import __version__
from sinchflow.language.diagnostic import Diagnostic, Edit, printable
from sinchflow.language.manual import as_help, summary
from sinchflow.language.rules.pages import ALL

Locate = Callable[[str], str]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
#: Where a relative name begins, for whoever reads the report elsewhere.
_ROOT = "%SRCROOT%"


def present_github(diagnostics: Sequence[Diagnostic], locate: Locate) -> str:
    """One workflow command a line: GitHub Actions shows each finding in the changed files."""
    return "".join(f"{_command(item, locate(item.file))}\n" for item in diagnostics)


def present_sarif(diagnostics: Sequence[Diagnostic], locate: Locate) -> str:
    """One JSON object: a SARIF log of one run, with the rules of the findings and the edits that mend them."""
    ids = sorted({item.rule for item in diagnostics})
    driver = {
        "name": "sinchflow",
        "version": __version__,
        "rules": [_rule(id_, [item for item in diagnostics if item.rule == id_]) for id_ in ids],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, ids.index(item.rule), locate(item.file)) for item in diagnostics],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _command(item: Diagnostic, file: str) -> str:
    properties = {
        "file": os.fsencode(file).decode(errors="replace"),
        "line": item.line,
        "col": item.column,
        "endColumn": item.column + item.length,
        "title": item.rule,
    }
    given = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{item.severity} {given}::{_escaped(_message(item))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _message(item: Diagnostic) -> str:
    """The message, and the hint below it."""
    lines = [item.message, *(item.hint.split("\n") if item.hint else ())]
    return "\n".join(printable(line) for line in lines)


def _rule(rule: str, findings: Sequence[Diagnostic]) -> dict[str, Any]:
    page = ALL[rule]
    help_text = as_help(page)
    return {
        "id": rule,
        "shortDescription": {"text": summary(page)},
        "fullDescription": {"text": page.reason},
        "help": {"text": help_text, "markdown": help_text},
        "defaultConfiguration": {"level": "error" if _is_error(findings) else "warning"},
    }


def _is_error(findings: Sequence[Diagnostic]) -> bool:
    return any(item.severity == "error" for item in findings)


def _result(item: Diagnostic, rule_index: int, file: str) -> dict[str, Any]:
    artifact = _artifact(file)
    result = {
        "ruleId": item.rule,
        "ruleIndex": rule_index,
        "level": item.severity,
        "message": {"text": _message(item)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": artifact,
                    "region": _region(item.line, item.column, item.length),
                }
            }
        ],
    }
    if item.edits:
        change = {"artifactLocation": artifact, "replacements": [_replacement(edit) for edit in item.edits]}
        result["fixes"] = [{"description": {"text": printable(item.hint or item.message)}, "artifactChanges": [change]}]
    return result


def _artifact(file: str) -> dict[str, str]:
    if file.startswith("/"):
        return {"uri": Path(file).as_uri()}
    return {"uri": quote(os.fsencode(file), safe="/"), "uriBaseId": _ROOT}


def _region(line: int, column: int, length: int) -> dict[str, int]:
    return {"startLine": line, "startColumn": column, "endColumn": column + length}


def _replacement(edit: Edit) -> dict[str, Any]:
    return {
        "deletedRegion": _region(edit.line, edit.column, edit.length),
        "insertedContent": {"text": edit.text},
    }
