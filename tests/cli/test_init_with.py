"""`sinchflow init --with`: files for GitHub Actions, pre-commit and VS Code, which do what they say.

What it writes for servers has a test of its own, test_init_deployment.py.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sinchflow.cli.surroundings import pip_source

ROOT = Path(__file__).parents[2]
WORKFLOW = ".github/workflows/sinchflow.yml"
FILES = {
    "github": [WORKFLOW],
    "pre-commit": [".pre-commit-config.yaml"],
    "vscode": [".vscode/extensions.json", ".vscode/settings.json"],
}
#: A project without tests has none to play.
IF_ANY = "hashFiles('**/*.test.yaml', '**/*.test.yml') != ''"
BROKEN = "on: inbound_sms\nsteps:\n  - replay: Hello\n"


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def loaded(path: Path):
    """What GitHub and pre-commit read there; every word stays a text, `on` too."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


@pytest.fixture
def in_shell(tmp_path):
    """Runs a line as a step of a job does, with `sinchflow` on the path."""
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "sinchflow").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sinchflow "$@"\n')
    (commands / "sinchflow").chmod(0o755)

    def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_WORKSPACE": str(folder),
        }
        return subprocess.run(
            ["bash", "-e", "-c", line], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.mark.parametrize("word", FILES)
def test_new_project_gets_them_beside_its_own_files(sinchflow, tmp_path, word):
    result = sinchflow("init", "--with", word)
    assert (result.returncode, result.stderr) == (0, "")
    assert set(FILES[word]) < set(written(tmp_path))
    assert "sinchflow.yaml" in written(tmp_path)
    assert sinchflow("validate", "--strict").returncode == 0


def test_project_that_is_there_gets_only_these(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    result = sinchflow("init", "--with", "vscode, github,vscode,pre-commit")
    assert result.returncode == 0
    assert [line for line in result.stdout.splitlines() if line.startswith("Wrote a project")] == []
    assert written(tmp_path) == sorted(name for names in FILES.values() for name in names)


def test_nothing_is_overwritten(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: []\n")
    refused = sinchflow("init", "--with", "github,pre-commit")
    assert refused.returncode == 2
    assert refused.stderr == (
        "sinchflow: .pre-commit-config.yaml exists already and nothing was written; "
        "for what it would hold, use --with in an empty folder\n"
    )
    assert written(tmp_path) == [".pre-commit-config.yaml"]


def test_unknown_word_names_those_there_are(sinchflow, tmp_path):
    refused = sinchflow("init", "--with", "github,precommit")
    assert refused.returncode == 2
    assert refused.stderr == (
        'sinchflow: --with: unknown word "precommit"; did you mean "pre-commit"? '
        "choose from: docker, github, pre-commit, systemd, vscode\n"
    )
    assert written(tmp_path) == []


@pytest.mark.parametrize("folder", ["", "shop", "my shop: #1/flo'ws"])
def test_workflow_annotates_what_is_broken(sinchflow, in_shell, tmp_path, folder):
    top = tmp_path / "repository"
    (top / ".git").mkdir(parents=True)
    made = sinchflow("init", str(top / folder), "--with", "github,pre-commit")
    assert (made.returncode, made.stderr) == (0, "")
    workflow = loaded(top / WORKFLOW)
    assert set(workflow["on"]) == {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    steps = workflow["jobs"]["validate"]["steps"]
    assert [step["uses"].split("@")[0] for step in steps if "uses" in step] == [
        "actions/checkout",
        "actions/setup-python",
    ]
    validate, test = steps[-2:]
    assert (in_shell(validate["run"], top).stdout, in_shell(validate["run"], top).returncode) == ("", 0)
    assert (test["if"], in_shell(test["run"], top).returncode) == (IF_ANY, 0)
    (top / folder / "flows" / "broken.yaml").write_text(BROKEN)
    found = in_shell(validate["run"], top)
    assert found.returncode == 1
    file = (Path(folder) / "flows" / "broken.yaml").as_posix().replace(":", "%3A")
    assert found.stdout.startswith(f"::error file={file},line=3,")
    hook = loaded(top / ".pre-commit-config.yaml")["repos"][0]["hooks"][0]
    assert in_shell(hook["entry"], top).returncode == 1
    assert re.search(hook["files"], (Path(folder) / "flows" / "more" / "broken.yaml").as_posix())
    assert not re.search(hook["files"], "docs/flows.md")


def test_workflow_that_lacks_a_source_says_so(sinchflow, in_shell, tmp_path):
    made = sinchflow("init", "--with", "github")
    workflow = loaded(tmp_path / WORKFLOW)
    if workflow["env"]["SINCHFLOW"] == "":  # as in a clone
        assert "Say in the workflow, at SINCHFLOW, " in made.stdout
        refused = in_shell("SINCHFLOW=; " + workflow["jobs"]["validate"]["steps"][2]["run"], tmp_path)
        assert refused.returncode != 0
        assert "say in this file where sinchflow comes from" in refused.stderr


@pytest.mark.parametrize(
    ("record", "source"),
    [
        (None, "sinchflow==1.2.3"),
        ({"url": "file:///home/a/sinchflow", "dir_info": {"editable": True}}, ""),
        ({"url": "file:///home/a/sinchflow.whl", "archive_info": {}}, ""),
        ({"url": "https://me:pw@a.example/s.whl", "archive_info": {}}, "sinchflow @ https://a.example/s.whl"),
        (
            {"url": "https://t0ken@git.example/s.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "sinchflow @ git+https://git.example/s.git@abc",
        ),
    ],
)
def test_ci_installs_what_runs_here(record, source):
    assert pip_source("1.2.3", None if record is None else json.dumps(record)) == source


def test_vscode_knows_which_schema_is_for_which_file(sinchflow, tmp_path):
    sinchflow("init", "--with", "vscode")
    settings = json.loads((tmp_path / ".vscode/settings.json").read_text())
    assert all((tmp_path / schema).is_file() for schema in settings["yaml.schemas"])
    assert json.loads((tmp_path / ".vscode/extensions.json").read_text()) == {"recommendations": ["redhat.vscode-yaml"]}


def test_our_own_hook_is_for_the_files_of_projects(in_shell, tmp_path):
    (hook,) = loaded(ROOT / ".pre-commit-hooks.yaml")
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("sinchflow-validate", "python", "false")
    names = ["sinchflow.yaml", "flows/a.yaml", "shop/flows/b/a.yml", "a.test.yaml", "lists/vip.csv", "README.md"]
    assert [name for name in names if not re.search(hook["files"], name)] == ["README.md"]
    assert in_shell(hook["entry"], tmp_path).returncode != 0
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "a.yaml").write_text(BROKEN.replace("replay", "reply"))
    assert in_shell(hook["entry"], tmp_path).returncode == 0


def test_docs_show_the_hook_that_is_written(sinchflow, tmp_path):
    sinchflow("init", "--with", "pre-commit")
    hook = (tmp_path / ".pre-commit-config.yaml").read_text().partition("\n")[2]
    assert f"```yml\n{hook}```\n" in (ROOT / "docs/editors.md").read_text()
