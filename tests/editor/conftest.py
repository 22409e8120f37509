"""yaml-language-server, which VS Code and others show YAML with, on a project that `sinchflow init` wrote.

The client talks to it over stdio as an editor does. Requests wait for their answer, and `diagnostics_of` for the
server's own word on a file, both until a deadline; nothing sleeps. A file is opened once and never changed, so that the
first diagnostics for it are those of its text.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAM = HERE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
DEADLINE_S = 30
#: As by default, except that the server asks no catalogue of schemas on the network.
SETTINGS = {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}
CAPABILITIES = {
    "workspace": {"configuration": True},
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
        "hover": {"contentFormat": ["markdown"]},
    },
}


class Squiggle(NamedTuple):
    """What the server says against a place: line and column from 1, in characters, as `validate` counts them."""

    start: tuple[int, int]
    end: tuple[int, int]
    message: str


class Editor:
    """An editor with the real server behind it."""

    def __init__(self, root: Path, schemas: dict[str, list[str]] | None = None) -> None:
        self._settings = {**SETTINGS, "schemas": schemas or {}}
        self._server = subprocess.Popen(
            ["node", PROGRAM, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._answers: dict[int, dict[str, Any]] = {}
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._lines: dict[str, list[str]] = {}
        self._requests = 0
        self._told_settings = False
        threading.Thread(target=self._read, daemon=True).start()
        self._request("initialize", {"processId": None, "rootUri": root.as_uri(), "capabilities": CAPABILITIES})
        self._notify("initialized", {})
        self._notify("workspace/didChangeConfiguration", {"settings": None})
        self._until(lambda: self._told_settings or None)  # which it asks for then

    def open(self, path: Path, text: str | None = None) -> Path:
        """Opens a file; with a text that is not in it yet."""
        shown = path.read_text(encoding="utf-8") if text is None else text
        self._lines[path.as_uri()] = shown.split("\n")
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": shown}
        self._notify("textDocument/didOpen", {"textDocument": document})
        return path

    def diagnostics_of(self, path: Path) -> list[Squiggle]:
        """What the server says against an open file, in order."""
        uri = path.as_uri()
        found = self._until(lambda: self._diagnostics.get(uri))
        return sorted(
            Squiggle(self._place(uri, each["range"]["start"]), self._place(uri, each["range"]["end"]), each["message"])
            for each in found
        )

    def completions(self, path: Path, line: int, column: int) -> dict[str, str]:
        """What may be written at a place of an open file: label and documentation."""
        answer = self._at("textDocument/completion", path, line, column)
        items = answer["items"] if isinstance(answer, dict) else answer
        return {item["label"]: _text(item.get("documentation", "")) for item in items}

    def hover(self, path: Path, line: int, column: int) -> str:
        """What pops up over a place of an open file; empty when nothing does."""
        answer = self._at("textDocument/hover", path, line, column)
        return _text(answer["contents"]) if answer else ""

    def close(self) -> None:
        try:
            self._request("shutdown", None)
            self._notify("exit", None)
            self._server.wait(5)
        finally:
            self._server.kill()
            self._server.communicate()

    def _place(self, uri: str, position: dict[str, int]) -> tuple[int, int]:
        """The protocol counts columns in units of UTF-16."""
        lines = self._lines[uri]
        line = lines[position["line"]] if position["line"] < len(lines) else ""
        before = line.encode("utf-16-le")[: 2 * position["character"]].decode("utf-16-le")
        return position["line"] + 1, len(before) + 1

    def _at(self, method: str, path: Path, line: int, column: int) -> Any:
        before = self._lines[path.as_uri()][line - 1][: column - 1]
        position = {"line": line - 1, "character": len(before.encode("utf-16-le")) // 2}
        return self._request(method, {"textDocument": {"uri": path.as_uri()}, "position": position})

    def _request(self, method: str, params: Any) -> Any:
        self._requests += 1
        number = self._requests
        self._send({"id": number, "method": method, "params": params})
        answer = self._until(lambda: self._answers.pop(number, None))
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._server.stdin.flush()

    def _until(self, look: Any) -> Any:
        """What `look` sees, once it sees something; every message is taken in meanwhile."""
        deadline = monotonic() + DEADLINE_S
        while (seen := look()) is None:
            message = self._messages.get(timeout=max(0.001, deadline - monotonic()))
            assert message is not None, "the language server has ended"
            self._take(message)
        return seen

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"method": "textDocument/publishDiagnostics", "params": {"uri": uri, "diagnostics": found}}:
                self._diagnostics[uri] = found
            case {"method": "workspace/configuration", "id": number, "params": {"items": items}}:
                told = [self._settings if item.get("section") == "yaml" else None for item in items]
                self._send({"id": number, "result": told})
                self._told_settings = True
            case {"method": _, "id": number}:  # the server asks something of us, which an editor need not know
                self._send({"id": number, "result": None})
            case {"id": number}:
                self._answers[number] = message

    def _read(self) -> None:
        """Takes the server's messages off the pipe; each comes after a header with its length."""
        stream = self._server.stdout
        length = 0
        while line := stream.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            elif not line.strip():
                self._messages.put(json.loads(stream.read(length)))
        self._messages.put(None)


def _text(content: Any) -> str:
    return str(content["value"] if isinstance(content, dict) else content)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sinchflow init` writes, with every template."""
    root = tmp_path_factory.mktemp("editor") / "shop"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sinchflow", "init", str(root), "--template", "all", "--with", "vscode"]
    subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)
    return root


@pytest.fixture(scope="session")
def server() -> None:
    """Skips tests where the server is not installed and need not be."""
    if not PROGRAM.is_file():
        missing = "run `npm ci --ignore-scripts --prefix tests/editor` first (Node.js 20 or newer)"
        (pytest.fail if os.environ.get("SINCHFLOW_EDITOR_TESTS") == "required" else pytest.skip)(missing)


@pytest.fixture(scope="session")
def editor(project: Path, server: None) -> Iterator[Editor]:
    """An editor on that project, which knows nothing but what stands in its files."""
    editor = Editor(project)
    yield editor
    editor.close()


@pytest.fixture(scope="session")
def vscode(project: Path, server: None) -> Iterator[Editor]:
    """VS Code on that project, with its settings."""
    settings = json.loads((project / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    editor = Editor(project, settings["yaml.schemas"])
    yield editor
    editor.close()
