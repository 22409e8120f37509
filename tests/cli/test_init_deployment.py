"""`sinchflow init --with docker,systemd`: an image and a unit that run the daemon as they say."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from sinchflow.cli.deployment import docker_files, safe_name, secret_names, systemd_files

ROOT = Path(__file__).parents[2]
FILES = [".dockerignore", "Dockerfile", "compose.yaml", "sinchflow.service"]
SECRETS = ["HOOK_TOKEN", "SINCH_API_KEY", "SINCH_API_SECRET"]


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def instructions(path: Path) -> list[tuple[str, str]]:
    """Word and rest of each instruction of a Dockerfile."""
    text = re.sub(r"(?m)^#.*\n", "", path.read_text()).replace("\\\n", "")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def unit_of(path: Path) -> dict[str, dict[str, list[str]]]:
    """The directives of a unit by section; one may stand there several times."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            section.setdefault(name, []).append(value)
    return found


@pytest.fixture
def shop(sinchflow, tmp_path):
    result = sinchflow("init", "shop", "--with", "docker,systemd")
    assert (result.returncode, result.stderr) == (0, "")
    return tmp_path / "shop"


def test_they_lie_in_the_project_also_where_that_is_a_folder_of_a_repository(sinchflow, tmp_path):
    (tmp_path / ".git").mkdir()
    made = sinchflow("init", "sms/shop", "--with", "docker,systemd,github")
    assert (made.returncode, made.stderr) == (0, "")
    assert set(FILES) < set(written(tmp_path / "sms/shop"))
    assert [name for name in FILES if (tmp_path / name).exists()] == []
    assert (tmp_path / ".github/workflows/sinchflow.yml").exists()
    assert "image: sinchflow-shop:" in (tmp_path / "sms/shop/compose.yaml").read_text()
    assert unit_of(tmp_path / "sms/shop/sinchflow.service")["Service"]["WorkingDirectory"] == ["/srv/shop"]


def test_nothing_is_overwritten(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    refused = sinchflow("init", "--with", "docker,systemd")
    assert refused.returncode == 2
    assert refused.stderr == (
        "sinchflow: Dockerfile exists already and nothing was written; "
        "for what it would hold, use --with in an empty folder\n"
    )
    assert written(tmp_path) == ["Dockerfile"]


def test_project_that_is_there_gets_the_secrets_that_it_names(sinchflow, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "sinchflow.yaml").write_text(
        '# secrets.NOT_THIS\nwebhooks: {token: "{{ secrets.HOOK }}"} # secrets.NOR_THIS\n'
    )
    (tmp_path / "flows/a.yaml").write_text("url: \"{{ secrets['CRM_URL'] }}#{{ secrets . CRM_TOKEN }}\"\n")
    (tmp_path / "flows/a.test.yaml").write_text("token: '{{ secrets.NEVER }}'\n")
    assert sinchflow("init", "--with", "docker,systemd").returncode == 0
    names = ["CRM_TOKEN", "CRM_URL", "HOOK"]
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    assert compose["services"]["sinchflow"]["secrets"] == names == list(compose["secrets"])
    loaded = unit_of(tmp_path / "sinchflow.service")["Service"]["LoadCredential"]
    assert loaded == [f"{name}:/etc/sinchflow/{name}" for name in names]


def test_project_without_secrets_has_none_to_load():
    assert secret_names(["# secrets.A\n"]) == []
    compose = yaml.safe_load(dict(docker_files("", "", "shop", []))["compose.yaml"])
    assert "secrets" not in compose
    assert "secrets" not in compose["services"]["sinchflow"]
    assert "\nLoadCredential" not in dict(systemd_files("", "", "shop", []))["sinchflow.service"]


@pytest.mark.parametrize(
    ("name", "safe"), [("shop", "shop"), ("my shop: #1", "my-shop-1"), ("Läden%n", "L-den-n"), ("…", "project")]
)
def test_names_that_units_would_take_otherwise_are_made_safe(name, safe):
    assert safe_name(name) == safe


def test_image_is_small_pinned_and_run_by_nobody(shop):
    steps = instructions(shop / "Dockerfile")
    by_word = dict(steps)
    assert [rest for word, rest in steps if word == "FROM"] == ["python:3.12 AS build", "python:3.12-slim"]
    assert re.fullmatch(r"\d+:\d+", by_word["USER"])
    assert by_word["USER"].partition(":")[0] in by_word["RUN"] + str(steps)
    assert not by_word["VOLUME"].startswith(by_word["WORKDIR"])
    assert json.loads(by_word["CMD"])[:2] == ["sinchflow", "run"]
    assert json.loads(by_word["CMD"])[-1] == by_word["VOLUME"]
    assert by_word["STOPSIGNAL"] == "SIGTERM"


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_health_check_asks_whether_the_daemon_is_ready(shop, status, code):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    asked: list[str] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if status is None:
        server.server_close()
    else:
        threading.Thread(target=server.serve_forever).start()
    check = dict(instructions(shop / "Dockerfile"))["HEALTHCHECK"].partition(" CMD ")[2]
    command = [each.replace("8081", str(server.server_port)) for each in json.loads(check)]
    environ = {**os.environ, "http_proxy": "http://192.0.2.1:9"}
    result = subprocess.run([sys.executable, *command[1:]], env=environ, capture_output=True, timeout=30, check=False)
    if status is not None:
        server.shutdown()
        server.server_close()
        assert asked == ["/ready"]
    assert result.returncode == code


def test_image_takes_in_what_the_project_needs_and_no_more(shop):
    lines = (shop / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "*", "!sinchflow.yaml", "!signature-keys.json", "!flows", "!lists", "!*.whl"
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_understands_every_word_of_the_unit(shop):
    path = shop / "sinchflow.service"
    path.write_text(path.read_text().replace("/opt/sinchflow/bin/sinchflow", sys.executable))
    checked = subprocess.run(
        ["systemd-analyze", "verify", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert [line for line in checked.stderr.splitlines() if "sinchflow.service" in line] == []
    score = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", path],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert score.returncode == 0, score.stdout[-500:]


def test_unit_gives_up_only_where_trying_again_mends_nothing(shop):
    service = unit_of(shop / "sinchflow.service")["Service"]
    assert (service["Restart"], service["RestartPreventExitStatus"]) == (["on-failure"], ["2 3"])


def test_each_part_of_the_unit_says_why(shop):
    """A comment stands above each group of directives, so that nobody has to guess what may be left out."""
    service = (shop / "sinchflow.service").read_text().partition("[Service]\n")[2].partition("[Install]")[0]
    for group in service.strip().split("\n\n"):
        assert group.startswith("#")


@pytest.mark.parametrize(
    ("source", "dockerfile", "unit"),
    [
        ("sinchflow==1.2", 'ARG SINCHFLOW="sinchflow==1.2"', "pip install sinchflow==1.2\n"),
        (
            "sinchflow @ git+https://git.example/s.git@abc",
            'ARG SINCHFLOW="sinchflow @ git+https://git.example/s.git@abc"',
            "pip install 'sinchflow @ git+https://git.example/s.git@abc'\n",
        ),
        ("", 'ARG SINCHFLOW=""', "pip install PATH-TO-A-CLONE-OF-SINCHFLOW\n"),
    ],
)
def test_they_install_the_sinchflow_that_wrote_them(source, dockerfile, unit):
    assert dockerfile in dict(docker_files("", source, "shop", SECRETS))["Dockerfile"]
    assert unit in dict(systemd_files("", source, "shop", SECRETS))["sinchflow.service"]


def test_image_that_lacks_a_source_is_not_built(shop):
    (run,) = (rest for word, rest in instructions(shop / "Dockerfile") if word == "RUN" and "pip" in rest)
    refused = subprocess.run(
        ["sh", "-c", run.replace("python -m venv /opt/sinchflow", "true").replace("/opt/sinchflow/bin/pip", "false")],
        env={"PATH": os.environ["PATH"], "SINCHFLOW": ""}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "say in the Dockerfile where sinchflow comes from" in refused.stderr
