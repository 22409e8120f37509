"""`sinchflow validate --fix` and `--diff`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BROKEN = "# the menu\r\non: inbound_sms\r\nsteps:\r\n  - rply: {{ event.contnt }}   # say it\r\n"
MENDED = '# the menu\r\non: inbound_sms\r\nsteps:\r\n  - reply: "{{ event.content }}"   # say it\r\n'


@pytest.fixture
def flows(tmp_path):
    (tmp_path / "flows").mkdir()
    return tmp_path / "flows"


def test_files_are_mended_and_what_is_left_is_reported(sinchflow, flows):
    (flows / "a.yaml").write_bytes(BROKEN.encode())
    (flows / "b.yaml").write_text('on: delivery_receipt\nsteps:\n  - log: "{{ foo }}"\n', encoding="utf-8")
    found = sinchflow("validate", "--fix")
    assert found.returncode == 1
    assert [line for line in found.stdout.splitlines() if line.startswith("flows/")] == [
        'flows/b.yaml:3:14: unknown name "foo" [unknown-name]'
    ]
    assert found.stderr.startswith("fixed 3 findings in flows/a.yaml\n1 sound flow, 1 error")
    assert (flows / "a.yaml").read_bytes() == MENDED.encode()
    assert sorted(os.listdir(flows)) == ["a.yaml", "b.yaml"]


def test_nothing_is_left_to_mend_the_second_time(sinchflow, flows):
    (flows / "a.yaml").write_bytes(BROKEN.encode())
    assert sinchflow("validate", "--fix", "--no-cache").returncode == 0
    again = sinchflow("validate", "--fix")
    assert (again.returncode, again.stderr) == (0, "1 sound flow, no findings\n")
    assert sinchflow("validate", "--fix", "--diff").stdout == ""


def test_only_named_files_are_mended(sinchflow, flows):
    for name in ("a.yaml", "b.yaml"):
        (flows / name).write_bytes(BROKEN.encode())
    assert sinchflow("validate", "--fix", "flows/b.yaml").returncode == 0
    assert (flows / "a.yaml").read_bytes() == BROKEN.encode()
    assert (flows / "b.yaml").read_bytes() == MENDED.encode()


def test_transcript_tests_are_mended_and_data_is_not(sinchflow, flows):
    (flows.parent / "sinchflow.yaml").write_text("country: AU\nlists: {vip: vip.csv}\n", encoding="utf-8")
    (flows.parent / "vip.csv").write_text("number\n0491 570 15\n", encoding="utf-8")
    (flows / "a.yaml").write_text("on: inbound_sms\nsteps: [{reply: a}]\n", encoding="utf-8")
    (flows / "a.test.yaml").write_text(
        "flow: a\ntests:\n  - name: one\n    scrpt:   # short\n      - in: Hi\n      - out: a\n", encoding="utf-8"
    )
    found = sinchflow("validate", "--fix")
    assert "fixed 1 finding in flows/a.test.yaml\n" in found.stderr
    assert "    script:   # short\n" in (flows / "a.test.yaml").read_text(encoding="utf-8")
    assert (flows.parent / "vip.csv").read_text(encoding="utf-8") == "number\n0491 570 15\n"


def test_diff_shows_and_writes_nothing(sinchflow, flows):
    before = "on: inbound_sms\nsteps:\n  - reply: Order #1"
    (flows / "a.yaml").write_text(before, encoding="utf-8")
    found = sinchflow("validate", "--fix", "--diff")
    assert found.returncode == 1
    assert found.stdout == (
        "--- a/flows/a.yaml\n+++ b/flows/a.yaml\n@@ -1,3 +1,3 @@\n on: inbound_sms\n steps:\n"
        "-  - reply: Order #1\n\\ No newline at end of file\n"
        '+  - reply: "Order #1"\n\\ No newline at end of file\n'
    )
    assert found.stderr == "would fix 1 finding in flows/a.yaml\n"
    assert (flows / "a.yaml").read_text(encoding="utf-8") == before


@pytest.mark.parametrize("arguments", [["--diff"], ["--fix", "--diff", "--format", "json"]])
def test_diff_goes_with_fix_alone(sinchflow, flows, arguments):
    found = sinchflow("validate", *arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert "--diff goes with --fix" in found.stderr


def test_a_folder_without_a_project_has_nothing_to_mend(sinchflow):
    for arguments in (["--fix"], ["--fix", "--diff"]):
        found = sinchflow("validate", *arguments)
        assert found.returncode == 2
        assert "no project in" in found.stderr


def test_permissions_stay_and_links_are_followed(sinchflow, flows):
    real = flows.parent / "elsewhere" / "real.yaml"
    real.parent.mkdir()
    real.write_bytes(BROKEN.encode())
    real.chmod(0o640)
    (flows / "a.yaml").symlink_to("../elsewhere/real.yaml")
    assert sinchflow("validate", "--fix").returncode == 0
    assert (flows / "a.yaml").is_symlink()
    assert real.read_bytes() == MENDED.encode()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_written_is_named_and_the_others_are_mended(flows):
    """The shell forbids files of more than one block; the large one would have three."""
    (flows / "a.yaml").write_text("# " + "x" * 3000 + "\n" + BROKEN, encoding="utf-8", newline="")
    (flows / "b.yaml").write_bytes(BROKEN.encode())
    found = subprocess.run(
        ["bash", "-c", 'ulimit -f 1; "$0" -m sinchflow validate --fix --no-cache', sys.executable],
        cwd=flows.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 1
    assert "flows/a.yaml cannot be written, so nothing in it was fixed: File too large\n" in found.stderr
    assert "fixed 3 findings in flows/b.yaml\n" in found.stderr
    assert "flows/a.yaml:5:11: YAML reads an unquoted" in found.stdout
    assert (flows / "b.yaml").read_bytes() == MENDED.encode()
    assert sorted(os.listdir(flows)) == ["a.yaml", "b.yaml"]
