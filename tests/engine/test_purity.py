"""Floors 0-2 decide and do nothing: the same arguments always give the same answer.

`tests/test_house.py` holds the floors; here is what their modules import and call that could tell two runs apart.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "sinchflow"
PURE = ("model", "expression", "engine", "policy", "language")
#: What may touch the disk, how and why. Nothing of it is called while a run is under way.
READERS = {
    "language/files.py": {"os", "open()", "iterdir()", "stat()"},  # reads the user's files: the one place that does
    "language/check.py": {"os"},  # whether a path that the user names is there
    "language/lists.py": {"io"},  # the csv module reads from a text that is a file
    "language/test_files.py": {"os"},  # as files.py, of transcript tests
    "language/texts.py": {"exists()", "is_file()"},  # whether there are flows, and a project file
    "language/reports.py": {"os"},  # names of files that are no text
    "language/shape.py": {"read_text()"},  # the schemas that the package ships
}
MODULES = sorted(path for floor in PURE for path in (PACKAGE / floor).glob("**/*.py"))

FORBIDDEN_MODULES = {
    "asyncio", "ctypes", "getpass", "glob", "io", "logging", "multiprocessing", "os", "platform", "random", "secrets",
    "shutil", "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid",
}  # fmt: skip
#: Calls that read a clock, by the attribute's name: `datetime.now()`, `date.today()`.
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter"}
#: Calls that talk to the world without importing anything.
BUILTINS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint", "globals"}
DISK = {
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "iterdir",
    "rglob",
    "stat",
    "exists",
    "is_file",
    "mkdir",
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_pure_module_asks_for_no_time_no_chance_and_no_file(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = READERS.get(path.relative_to(PACKAGE).as_posix(), set())
    assert wrong_imports(tree) | wrong_calls(tree) <= allowed


def test_scan_sees_what_it_looks_for():
    source = "import os.path, time\nfrom random import choice\ndatetime.now(UTC)\nopen('x')\npath.read_text()"
    tree = ast.parse(source)
    assert wrong_imports(tree) == {"os", "time", "random"}
    assert wrong_calls(tree) == {"now()", "open()", "read_text()"}


def wrong_imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return found & FORBIDDEN_MODULES


def wrong_calls(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) if name in BUILTINS:
                    found.add(f"{name}()")
                case ast.Attribute(attr=name) if name in CLOCKS | DISK:
                    found.add(f"{name}()")
    return found
