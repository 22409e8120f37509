"""The house rules that a reader relies on: floors, file sizes, and what lies at the top."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "errors": 0,
    "model": 0,
    "expression": 1,
    "language": 2,
    "engine": 2,
    "policy": 2,
    "journal": 3,
    "sinch": 3,
    "runtime": 4,
    "simulate": 5,
    "deploy": 5,
    "console": 5,
    "cli": 6,
}
TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "docs",
    "flows",
    "pyproject.toml",
    "requirements.lock",
    "schemas",
    "sinchflow",
    "tests",
}
#: Floors 0-2 decide; they do not do, ask for the time, or make up ids.
EFFECTS = {
    "asyncio",
    "datetime.now",
    "http",
    "logging",
    "os",
    "random",
    "secrets",
    "socket",
    "structlog",
    "subprocess",
    "threading",
    "time",
    "urllib.request",
    "uuid",
}
#: `language` reads the user's files; that is its work.
READS_FILES = {"os"}

MODULES = sorted(path for path in (ROOT / "sinchflow").glob("*/**/*.py") if path.relative_to(ROOT).parts[1] in FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_from_its_own_package_and_lower_floors_only(path):
    package = path.relative_to(ROOT).parts[1]
    wrong = [
        module
        for module in imports(path)
        if (other := package_of(module)) is not None and other != package and FLOORS[other] >= FLOORS[package]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if FLOORS[path.relative_to(ROOT).parts[1]] <= 2],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_pure_floors_import_nothing_that_has_effects(path):
    allowed = READS_FILES if path.relative_to(ROOT).parts[1] == "language" else set()
    assert [module for module in imports(path) if module in EFFECTS - allowed] == []


def test_every_package_has_a_floor():
    packages = {path.parent.name for path in (ROOT / "sinchflow").glob("*/__init__.py")}
    assert packages - {"schemas", "examples"} <= set(FLOORS)


def test_no_python_file_is_over_450_lines():
    files = [*(ROOT / "sinchflow").glob("**/*.py"), *(ROOT / "tests").glob("**/*.py")]
    long = {str(path.relative_to(ROOT)): lines for path in files if (lines := len(path.read_text().splitlines())) > 450}
    assert long == {}


def test_every_module_says_what_it_owns():
    silent = [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_top_level_holds_only_what_the_design_names():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout: what lies at the top cannot be told from what was unpacked beside it")
    top = {name.split("/")[0] for name in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, wherever in the file; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(module: str) -> str | None:
    """The package of ours that a module belongs to, None for everything else."""
    parts = module.split(".")
    return parts[1] if parts[0] == "sinchflow" and len(parts) > 1 and parts[1] in FLOORS else None
