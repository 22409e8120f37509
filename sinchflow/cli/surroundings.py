"""What `sinchflow init --with` writes for the programs around a project: GitHub Actions, pre-commit, VS Code, servers.

The first three look at the top of the Git repository, so that is where their files go, also when the project is a
folder in it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit, urlunsplit

from sinchflow.cli.deployment import docker_files, safe_name, systemd_files
from sinchflow.errors import UsageError

#: Each program, and what is written for it, as `--help` says.
PROGRAMS = {
    "github": "a workflow of GitHub Actions that validates and annotates pull requests, and plays the tests",
    "pre-commit": "a hook that validates before each commit",
    "vscode": "settings of VS Code: which schema is for which files, and the extension that knows YAML",
    "docker": "a Dockerfile of the project with its daemon, and a compose.yaml that runs it",
    "systemd": "a hardened unit that runs the daemon as a service",
}

#: Where GitHub looks for workflows.
WORKFLOW = ".github/workflows/sinchflow.yml"

#: What a commit may change that validating depends on, below the project.
_FILES = r"(sinchflow\.yaml$|flows/|lists/|.*\.test\.yaml$)"

_WORKFLOW = """\
# Validates the flows, and plays their tests; what it finds is shown in the changed files of a pull request.
name: sinchflow

on:
  push:
  pull_request:

permissions:
  contents: read

env:
  # What pip installs: a version, git+https://… with a tag, or a wheel in this repository.
  SINCHFLOW: %s

jobs:
  validate:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Install sinchflow
        run: pip install "${SINCHFLOW:?say in this file where sinchflow comes from}"
      - name: Validate
        run: %s
      - name: Test
        if: hashFiles('**/*.test.yaml', '**/*.test.yml') != ''
        run: %s
"""

_HOOK = """# For pre-commit (https://pre-commit.com): `pre-commit install` makes Git run it before each commit.
repos:
  - repo: local
    hooks:
      - id: sinchflow-validate
        name: sinchflow validate
        language: system
        entry: %s
        files: %s
        pass_filenames: false
"""


def programs_of(words: str) -> tuple[str, ...]:
    """The programs that a comma list names, each once."""
    from sinchflow.language.suggest import did_you_mean

    names = tuple(dict.fromkeys(word.strip() for word in words.split(",")))
    for name in names:
        if name not in PROGRAMS:
            raise UsageError(f'--with: unknown word "{name}"; {did_you_mean(name, PROGRAMS, "choose from")}')
    return names


def top_of(project: Path) -> Path:
    """The top of the Git repository that the project is in; the project itself when it is in none."""
    folder = project.resolve()
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


def contents_for(
    programs: Sequence[str], below: str, *, name: str = "", secrets: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Path from the top of the repository and text of each file; `below` is the project's path there, or empty.

    name, secrets: the project's, and those that it needs.
    """
    program = f"sinchflow -C {quote(below)}" if below else "sinchflow"
    command = f"{program} validate --strict"
    folder = f"{below}/" if below else ""
    if "github" in programs:
        validate, test = _scalar(f"{command} --format github"), _scalar(f"{program} test")
        yield WORKFLOW, _WORKFLOW % (json.dumps(requirement()), validate, test)
    if "pre-commit" in programs:
        yield ".pre-commit-config.yaml", _HOOK % (_scalar(command), _scalar(f"^{re.escape(folder)}{_FILES}"))
    if "vscode" in programs:
        schemas = {
            "flow": [f"{folder}flows/**/*.yaml", f"!{folder}**/*.test.yaml"],
            "project": [f"{folder}sinchflow.yaml"],
            "test": [f"{folder}**/*.test.yaml"],
        }
        settings = {"yaml.schemas": {f"./{folder}.sinchflow/{name}.schema.json": at for name, at in schemas.items()}}
        yield ".vscode/settings.json", json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        yield ".vscode/extensions.json", json.dumps({"recommendations": ["redhat.vscode-yaml"]}, indent=2) + "\n"
    for program, files_of in (("docker", docker_files), ("systemd", systemd_files)):
        if program in programs:
            yield from files_of(folder, requirement(), safe_name(name), secrets)


def requirement() -> str:
    """What makes pip install the sinchflow that runs here; empty when it came from a folder of this machine."""
    try:
        found = distribution("sinchflow")
    except PackageNotFoundError:
        return ""
    return pip_source(found.version, found.read_text("direct_url.json"))


def pip_source(version: str, direct_url: str | None) -> str:
    """The same of what pip recorded when it installed it (PEP 610); without user and password."""
    if direct_url is None:
        return f"sinchflow=={version}"
    record = json.loads(direct_url)
    parts = urlsplit(record["url"])
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.scheme == "file":
        return ""
    if "vcs_info" in record:
        return f"sinchflow @ {record['vcs_info']['vcs']}+{url}@{record['vcs_info']['commit_id']}"
    return f"sinchflow @ {url}"


def _scalar(text: str) -> str:
    """The text as YAML takes it: plain where nothing in it means something there."""
    return text if re.fullmatch(r"[\w^][\w ./^$()|*?\\-]*", text, re.ASCII) else json.dumps(text, ensure_ascii=False)
