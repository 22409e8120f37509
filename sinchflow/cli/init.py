"""`sinchflow init`: a new project that validates and runs as it is."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from sinchflow.cli.deployment import DOCKERFILE, secret_names
from sinchflow.cli.invocation import root_of
from sinchflow.cli.schema import SchemaName, place_of, read_schema
from sinchflow.cli.surroundings import WORKFLOW, contents_for, programs_of, requirement, top_of
from sinchflow.errors import SinchflowError, UsageError

#: The template that a newcomer gets: one question, one answer.
_DEFAULT = "opening-hours"
_ALL = "all"
_MODELINE = "# yaml-language-server: $schema="
_SETTINGS_FILE = "sinchflow.yaml"

_SETTINGS = f"""\
{_MODELINE}.sinchflow/project.schema.json
#
# Settings of this project. `sinchflow dev` needs none of them; `sinchflow run` needs the first three.
# {{{{ secrets.NAME }}}} is taken from the environment variable SINCHFLOW_SECRET_NAME, so no secret stands in this file.

# Which Sinch service the account is with: messagemedia, engage_eu, engage_au, etxt.
service: messagemedia

# The account's API key and secret: SINCHFLOW_SECRET_SINCH_API_KEY and SINCHFLOW_SECRET_SINCH_API_SECRET.
credentials:
  api_key: "{{{{ secrets.SINCH_API_KEY }}}}"
  api_secret: "{{{{ secrets.SINCH_API_SECRET }}}}"

# The secret part of the addresses that Sinch calls, /hooks/TOKEN/inbound and /hooks/TOKEN/receipts.
# Make one with `openssl rand -hex 24` and set SINCHFLOW_SECRET_HOOK_TOKEN. With `public_url`, the address at which
# Sinch reaches this machine, `sinchflow apply` registers the webhooks.
webhooks:
  token: "{{{{ secrets.HOOK_TOKEN }}}}"
  # public_url: https://sms.example.com

# What `local` means in templates: now() | local('%H:%M').
timezone: UTC

# The number or name that messages are sent from, unless a step says otherwise; without it, the account's own.
# source_number: +61491593156

# How numbers without a + are read.
# country: AU

# The account's throttle, over all calls to Sinch. A call carries up to `batch` messages.
# limits: {{calls: 100, per: 60s, batch: 100}}

# The brake for two machines that answer each other: at most so many messages to one person.
# policy: {{max_sends_per_contact: {{max: 10, per: 10m}}}}

# Fetch what webhooks missed while the daemon was away. Only where no other program reads this account's replies.
# catch_up: {{on_start: true, every: 10m}}

# Private addresses that `http` steps may reach all the same.
# outbound: {{allow: [127.0.0.1, crm.internal]}}

# Environment variables that templates may read as env.NAME.
# env: [SHOP_URL]
"""

_IGNORED = """\
# The daemon's journal and other data; the schemas beside it are for editors and may be committed.
.sinchflow/*
!.sinchflow/*.schema.json
"""


def init(
    context: typer.Context,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", show_default=".", help="Where; made if missing.")
    ] = Path(),
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="NAME",
            show_default=_DEFAULT,
            help="Which example to begin with; `all` for all of them.",
        ),
    ] = None,
    around: Annotated[
        str,
        typer.Option(
            "--with", metavar="WORD,…", help="Files for other programs: github, pre-commit, vscode, docker, systemd."
        ),
    ] = "",
) -> None:
    """Write a new project: settings, a flow that works with its tests, and schemas for your editor.

    Nothing is overwritten: when one of the files exists already, nothing is written at all.
    --with adds a workflow of GitHub Actions that annotates pull requests and plays the tests (github), a hook that
    validates before each commit (pre-commit), and VS Code's settings (vscode), at the top of the Git repository; and in
    the project what runs it on a server: a Dockerfile with a compose.yaml (docker), a hardened unit (systemd). In a
    project that is there already it writes only these.

    \b
    Templates:
      opening-hours           answers a keyword with a text (the default)
      keyword-menu            a menu of answers, picked by keyword
      out-of-hours            tells people at night when they can expect an answer
      escalate-to-chat        hands a conversation over to the team's chat
      appointment-confirm     asks customers the day before to confirm their visit
      survey                  asks for a score and a comment
      missed-call             texts people back whose call nobody took
      oncall-escalation       asks the people on call until somebody takes the alert
      outage-broadcast        texts everybody in a list
      delivery-fallback       a message, and another channel when it does not arrive
      failed-receipt-to-crm   reports messages that could not be delivered to a URL
      opt-outs-to-crm         tells a URL who wants no more messages
      all                     all of these

    \b
    Examples:
      sinchflow init shop
      sinchflow init shop --template keyword-menu
      sinchflow init --with github,pre-commit,vscode
      sinchflow -C shop init --with docker,systemd
    """
    root = root_of(context) / directory
    is_there = bool(around) and template is None and _is_project(root)
    contents = {} if is_there else dict(_contents(template or _DEFAULT))
    extras = _extras(root, around, _sources(root, contents)) if around else {}
    if taken := [os.path.normpath(root / name) for name in extras if (root / name).exists()]:
        raise UsageError(
            f"{_exist(taken)} already and nothing was written; for what it would hold, use --with in an empty folder"
        )
    _write(root, contents | extras)
    if contents:
        where = "" if root.resolve() == Path.cwd() else f" -C {quote(str(root))}"
        shown = root.resolve() if root == Path() else root
        print(f"Wrote a project to {shown}: sinchflow.yaml and {_count(root)} in flows/, with tests.")
        text = ", and text HOURS" if template in (None, _DEFAULT) else ""
        print(f"Next:  sinchflow{where} test    plays the tests, *.test.yaml")
        print(f"       sinchflow{where} dev     to try it{text}")
    for name in extras:
        print(f"Wrote {os.path.normpath(root / name)}")
    files = {WORKFLOW: "the workflow", DOCKERFILE: "the Dockerfile"}
    unsaid = [words for file, words in files.items() if any(name.endswith(file) for name in extras)]
    if unsaid and not requirement():
        places = " and ".join(unsaid)
        print(f"Say in {places}, at SINCHFLOW, where pip finds sinchflow: this one came from a folder of this machine.")


def _is_project(root: Path) -> bool:
    return (root / _SETTINGS_FILE).exists() or (root / "flows").is_dir()


def _sources(root: Path, contents: Mapping[str, str]) -> Iterator[str]:
    """The texts of settings and flows: those that are about to be written, else those of the project that is there."""
    from sinchflow.language.files import flow_files

    for name, text in contents.items():
        if name.endswith(".yaml") and not name.endswith(".test.yaml"):
            yield text
    for path in () if contents else (root / _SETTINGS_FILE, *flow_files(root / "flows")):
        if isinstance(path, Path) and path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def _extras(root: Path, around: str, sources: Iterable[str]) -> dict[str, str]:
    """Path, from the project, and text of each file for other programs. sources: texts of the project's files."""
    programs, top, project = programs_of(around), top_of(root), root.resolve()
    below = "" if project == top else project.relative_to(top).as_posix()
    made = contents_for(programs, below, name=project.name, secrets=secret_names(sources))
    return {os.path.relpath(top / name, project): text for name, text in made}


def _contents(template: str) -> Iterator[tuple[str, str]]:
    """Path in the project and text of each file."""
    examples = {each.name.removesuffix(".yaml"): each for each in _examples()}
    if template != _ALL and template not in examples:
        raise UsageError(f'no template "{template}": choose from {", ".join(sorted(examples))}, {_ALL}')
    chosen = [dict(_files_of(examples[name])) for name in sorted(examples) if template in (_ALL, name)]
    yield _SETTINGS_FILE, _SETTINGS + _needed([each.pop(_SETTINGS_FILE) for each in chosen if _SETTINGS_FILE in each])
    yield ".gitignore", _IGNORED
    for name in SchemaName:
        yield place_of(name), read_schema(name)
    for written in chosen:
        yield from written.items()


def _examples() -> Iterator[Traversable]:
    """Flows that need no settings are files; those that do are whole projects."""
    for entry in files("sinchflow").joinpath("examples").iterdir():
        if entry.joinpath(_SETTINGS_FILE).is_file() or (
            entry.name.endswith(".yaml") and not entry.name.endswith(".test.yaml")
        ):
            yield entry


def _files_of(example: Traversable) -> Iterator[tuple[str, str]]:
    """Path in the new project and text of each file of one example."""
    if not example.is_dir():
        yield f"flows/{example.name}", _at_home(example.read_text(encoding="utf-8"))
        transcript = example.name.removesuffix(".yaml") + ".test.yaml"
        for entry in files("sinchflow").joinpath("examples").iterdir():
            if entry.name == transcript:
                yield f"flows/{transcript}", _at_home(entry.read_text(encoding="utf-8"))
        return
    yield _SETTINGS_FILE, example.joinpath(_SETTINGS_FILE).read_text(encoding="utf-8")
    for folder in ("flows", "lists"):
        for entry in sorted(example.joinpath(folder).iterdir(), key=lambda each: each.name):
            yield f"{folder}/{entry.name}", _at_home(entry.read_text(encoding="utf-8"))


def _at_home(text: str) -> str:
    """The text of a flow or of its transcript, its schema looked for where `init` puts it."""
    return re.sub(rf"^{re.escape(_MODELINE)}(?:\.\./)+schemas/", f"{_MODELINE}../.sinchflow/", text)


def _needed(settings: Sequence[str]) -> str:
    """What examples add to the project's settings: the lines below equal keys of theirs together, comments kept."""
    blocks: dict[str, list[str]] = {}
    for text in settings:
        key = None
        for line in text.splitlines():
            if not line.startswith((" ", "#")) and line:
                blocks.setdefault(key := line, [])
            elif key is not None:
                blocks[key].append(line)
    return "".join(f"\n{key}\n" + "".join(f"{line}\n" for line in lines) for key, lines in blocks.items())


def _write(root: Path, contents: dict[str, str]) -> None:
    existing = [name for name in contents if (root / name).exists() and not _is_ours(name)]
    if existing:
        raise UsageError(
            f"{root}: {_exist(existing)} already and nothing was written; choose another directory, or delete what "
            "you do not need"
        )
    try:
        for name, text in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name == ".gitignore" and path.exists():
                _add_lines(path, text)
            else:
                path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SinchflowError(f"cannot write {error.filename}: {error.strerror}") from error


def _exist(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {'exists' if len(names) == 1 else 'exist'}"


def _is_ours(name: str) -> bool:
    """Copies of ours, renewed at will, and the file that we only add to."""
    return name.startswith(".sinchflow/") or name == ".gitignore"


def _add_lines(path: Path, text: str) -> None:
    before = path.read_text(encoding="utf-8")
    if text not in before:
        path.write_text(before + ("" if before.endswith("\n") or not before else "\n") + text, encoding="utf-8")


def _count(root: Path) -> str:
    number = sum(not path.name.endswith(".test.yaml") for path in (root / "flows").glob("*.yaml"))
    return "1 flow" if number == 1 else f"{number} flows"
