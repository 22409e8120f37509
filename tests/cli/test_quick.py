"""`validate` without the command line's start-up gives what it gives with it."""

import subprocess
import sys

import pytest

FLOW = "on: {inbound_sms: {keyword: GOOD}}\nsteps:\n  - reply: Hi {{ contact.name | default('you') }}, we are open.\n"
BROKEN = "on: inbound_sms\nsteps:\n  - replly: Hi\n"
WARNED = "on: {inbound_sms: {keyword: MEH}}\nsteps:\n  - set: {seen: true}\n  - reply: Hi\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/good.yaml").write_text(FLOW)
    (tmp_path / "flows/bad.yaml").write_text(BROKEN)
    (tmp_path / "flows/meh.yaml").write_text(WARNED)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["validate", "flows/good.yaml"],
        ["validate", "flows/meh.yaml", "--strict"],
        ["validate", "--format", "json"],
        ["validate", "--format", "github", "flows/bad.yaml", "flows/meh.yaml"],
        ["validate", "--no-cache", "--format", "sarif"],
        ["validate", "flows/none.yaml"],
    ],
    ids=" ".join,
)
def test_quick_call_is_the_whole_call(sinchflow, project, arguments):
    quick = sinchflow(*arguments, cwd=project)
    whole = sinchflow("-C", ".", "--debug", *arguments, cwd=project)  # --debug is left to the command line
    assert (quick.returncode, quick.stdout) == (whole.returncode, whole.stdout)
    assert quick.stderr.splitlines()[-1:] == whole.stderr.splitlines()[-1:]


@pytest.mark.parametrize("arguments", [["validate", "--srict"], ["validate", "--format", "xml"], ["validate", "-h"]])
def test_what_is_not_plain_is_left_to_the_command_line(sinchflow, project, arguments):
    done = sinchflow(*arguments)
    assert "Usage: sinchflow validate" in done.stdout + done.stderr


def test_folder_may_be_named_from_elsewhere(sinchflow, project):
    done = sinchflow("-C", project.name, "validate", "flows/good.yaml", cwd=project.parent)
    assert (done.returncode, done.stderr) == (0, "1 sound flow, no findings\n")


def test_plain_flow_that_is_much_like_before_is_checked_with_little(project):
    code = (
        "import sys; sys.argv = ['sinchflow', '-C', sys.argv[1], 'validate', 'flows/good.yaml']\n"
        "from sinchflow.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'typer', 'rich', 'httpx', 'jsonschema', 'jinja2', 'phonenumbers', 'multiprocessing'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = [sys.executable, "-c", code, str(project)]
    subprocess.run(run, capture_output=True, text=True, check=True)
    (project / "flows/good.yaml").write_text(FLOW.replace("we are open", "we are shut"))
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
