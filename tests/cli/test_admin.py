"""Finding a daemon and asking it: what a command says when none is there, or another one."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sinchflow.cli import admin
from sinchflow.errors import CannotStart, SinchflowError, UsageError

TOKEN = "of-the-daemon"


class _Daemon(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._say(401, {"error": "the admin API wants the token"})
        elif self.path == "/api/known":
            self._say(200, {"pid": 17})
        elif self.path == "/api/runs/7":
            self._say(404, {"error": "there is no run 7"})
        else:
            self._say(404, None)

    def _say(self, status: int, answer: object) -> None:
        content = b"Not Found" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name in (admin.URL_VARIABLE, admin.TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), _Daemon) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def write(folder: Path, port: int, token: str = TOKEN, **more: object) -> None:
    (folder / "daemon.json").write_text(
        json.dumps({"pid": 4711, "port": 1, "admin_port": port, "token": token, **more})
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("short", "SINCHFLOW_ADMIN_TOKEN is no good token: it is 16 printable ASCII characters or more"),
        ("with blanks in between, long", "SINCHFLOW_ADMIN_TOKEN is no good token"),
    ],
)
def test_token_that_a_daemon_cannot_take_is_refused(monkeypatch: pytest.MonkeyPatch, token: str, words: str) -> None:
    monkeypatch.setenv(admin.TOKEN_VARIABLE, token)
    with pytest.raises(CannotStart, match=words):
        admin.given_token()


@pytest.mark.parametrize("host", [None, "127.0.0.1", "0.0.0.0", ""])
def test_daemon_is_asked_where_it_listens(tmp_path: Path, port: int, host: str | None) -> None:
    write(tmp_path, port, **({} if host is None else {"admin_host": host}))
    assert admin.ask(admin.demand(tmp_path), "GET", "/api/known") == {"pid": 17}


@pytest.mark.parametrize("content", [None, "", "{", '{"pid": "x"}', '{"pid": 1}'])
def test_without_a_daemon_the_way_to_start_one_is_said(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "daemon.json").write_text(content)
    with pytest.raises(CannotStart) as raised:
        admin.demand(tmp_path)
    assert str(raised.value) == (
        f"no daemon works on {tmp_path}: start it with `sinchflow run`, or name the folder of another with --data"
    )


def test_killed_daemon_is_gone_although_its_file_is_there(tmp_path: Path, port: int) -> None:
    write(tmp_path, free_port())
    with pytest.raises(CannotStart) as raised:
        admin.ask(admin.demand(tmp_path), "GET", "/api/known")
    assert isinstance(raised.value, ConnectionError)  # what reads the journal instead
    assert raised.value.exit_code == 3
    assert str(raised.value) == (
        f"no daemon works on {tmp_path} any more (pid 4711 left daemon.json behind): start it with `sinchflow run`"
    )


def test_another_daemon_on_the_port_is_not_taken_for_ours(tmp_path: Path, port: int) -> None:
    write(tmp_path, port, token="of-one-that-was-killed")
    with pytest.raises(CannotStart) as raised:
        admin.ask(admin.demand(tmp_path), "GET", "/api/known")
    assert isinstance(raised.value, ConnectionError)
    assert str(raised.value) == (
        f"{tmp_path}/daemon.json is not of the daemon at 127.0.0.1:{port}, which refuses its token: "
        "the one that wrote it (pid 4711) is gone; start it with `sinchflow run`, "
        "or name the other's folder with --data"
    )


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/api/runs/7", UsageError, "there is no run 7"),
        (
            "/api/unheard?of=1",
            SinchflowError,
            "the daemon does not know /api/unheard: it runs another version of sinchflow",
        ),
    ],
)
def test_what_the_daemon_does_not_know(tmp_path: Path, port: int, path: str, kind: type, words: str) -> None:
    write(tmp_path, port)
    with pytest.raises(SinchflowError) as raised:
        admin.ask(admin.demand(tmp_path), "GET", path)
    assert (type(raised.value), str(raised.value)) == (kind, words)


def test_environment_names_a_daemon_elsewhere(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(admin.URL_VARIABLE, f"http://127.0.0.1:{port}")
    monkeypatch.setenv(admin.TOKEN_VARIABLE, TOKEN)
    assert admin.ask(admin.demand(tmp_path), "GET", "/api/known") == {"pid": 17}


def test_token_of_a_mounted_data_folder_serves_a_daemon_elsewhere(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 8081)  # as it is inside the container
    monkeypatch.setenv(admin.URL_VARIABLE, f"http://127.0.0.1:{port}/")
    assert admin.ask(admin.demand(tmp_path), "GET", "/api/known") == {"pid": 17}


@pytest.mark.parametrize(
    ("url", "token", "words"),
    [
        (
            "http://127.0.0.1:{port}",
            "wrong",
            "the daemon at 127.0.0.1:{port} refuses the token: set SINCHFLOW_ADMIN_TOKEN",
        ),
        ("http://127.0.0.1:{free}", TOKEN, "no daemon answers at 127.0.0.1:{free}, where SINCHFLOW_ADMIN_URL says"),
        ("http://127.0.0.1:{port}", "", "SINCHFLOW_ADMIN_TOKEN is not set: the daemon's daemon.json says it"),
        ("http://127.0.0.1:{port}", "a b", "SINCHFLOW_ADMIN_TOKEN is no token: the daemon's daemon.json says it"),
        ("127.0.0.1:{port}", TOKEN, 'SINCHFLOW_ADMIN_URL is "127.0.0.1:{port}": write http://HOST:PORT of the daemon'),
        ("http://[::1", TOKEN, 'SINCHFLOW_ADMIN_URL is "http://[::1": write http://HOST:PORT'),
        ("http://127.0.0.1:x", TOKEN, 'SINCHFLOW_ADMIN_URL is "http://127.0.0.1:x": write http://HOST:PORT'),
        ("http://127.0.0.1:{port}/api", TOKEN, "/api\": write http://HOST:PORT of the daemon's admin port"),
    ],
)
def test_what_the_environment_gets_wrong(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, url: str, token: str, words: str
) -> None:
    for name, number in {"{port}": str(port), "{free}": str(free_port())}.items():
        url, words = url.replace(name, number), words.replace(name, number)
    monkeypatch.setenv(admin.URL_VARIABLE, url)
    monkeypatch.setenv(admin.TOKEN_VARIABLE, token)
    with pytest.raises(CannotStart) as raised:
        admin.ask(admin.demand(tmp_path), "GET", "/api/known")
    assert words in str(raised.value)
    assert not isinstance(raised.value, ConnectionError)  # the journal here says nothing of a daemon elsewhere
