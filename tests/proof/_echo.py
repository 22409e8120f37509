"""A server that gives back whatever it was told, in every way that servers do, and is of no help otherwise.

It is the URL of `http` steps, the provider, and the receiver of traces: by its path, or the provider's `mode`.
"""

import base64
import contextlib
import gzip
import html
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, quote_plus, unquote

#: What an `http` step may meet.
CASES = (
    "500", "404", "200", "200-json", "not-json", "not-csv", "html", "base64", "percent", "headers", "large", "gzip",
    "br", "hang",
    "reset", "half", "redirect", "redirect-login", "redirect-other", "redirect-ftp", "redirect-private", "reason",
)  # fmt: skip


class Echo:
    """spans: what came as traces, as bytes. asked: how many requests there were. mode: how the provider is."""

    def __init__(self) -> None:
        self.spans: list[bytes] = []
        self.asked = 0
        self.mode = "500"
        self.port = 0

    @contextlib.contextmanager
    def running(self) -> Iterator["Echo"]:
        """On loopback."""
        echo = self

        class Door(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with contextlib.suppress(OSError):
                    echo.answer(self, body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
            self.port = server.server_port
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown()

    def answer(self, door: BaseHTTPRequestHandler, body: bytes) -> None:
        """One request's."""
        if door.path.startswith("/v1/traces"):
            self.spans.append(gzip.decompress(body) if door.headers.get("Content-Encoding") == "gzip" else body)
            _say(door, 200, b"")
            return
        self.asked += 1
        heard = "\n".join([door.path, unquote(door.path), *map(": ".join, door.headers.items()), body.decode()])
        case = door.path.split("/")[2].partition("?")[0] if door.path.startswith("/case/") else self.mode
        self._echo(door, case, heard)

    def _echo(self, door: BaseHTTPRequestHandler, case: str, heard: str) -> None:
        packed = json.dumps(
            {"message": heard, "details": [heard, f"/messages/0/content: {heard}"], "echo": {heard: [heard]}}
        ).encode()
        flat = " ".join(heard.split())[:3_000]
        match case:
            case "200-json" | "large":
                _say(door, 200, packed + b" " * (200_000 if case == "large" else 0), "application/json")
            case "not-json" | "not-csv" | "200":
                _say(door, 200, f'a,b\n"{heard}'.encode())
            case "html":
                _say(door, 502, f"<html>{html.escape(heard)}</html>".encode(), "text/html")
            case "base64":
                _say(door, 400, " ".join(base64.b64encode(each.encode()).decode() for each in heard.split()).encode())
            case "percent":
                _say(
                    door, 400, f"{quote(heard, safe='')} {quote_plus(heard)} {quote(heard, safe='/').lower()}".encode()
                )
            case "headers" | "401" | "429":
                _say(
                    door,
                    401 if case == "headers" else int(case),
                    packed,
                    "application/json",
                    X_Echo=flat,
                    Www_Authenticate=f'Basic realm="{flat}"',
                )
            case "gzip" | "br":
                _say(door, 200, heard.encode(), Content_Encoding=case)
            case "hang":
                time.sleep(1.5)
            case "reset":
                door.connection.close()
            case "half":
                door.wfile.write(f"HTTP/1.1 500 {flat[:500]}\r\nContent-Length: 99999\r\n\r\n{heard}".encode())
            case "reason":
                door.wfile.write(f"HTTP/1.1 {flat[:2000]}\r\nX {flat}\r\n\r\n".encode())
            case "redirect" | "302":
                _say(door, 302, packed, Location=f"https://{quote(flat)[:200]}.invalid/{quote(flat)}")
            case "redirect-login":
                _say(door, 302, b"", Location=f"http://user:{quote(flat, safe='')}@127.0.0.1:{self.port}/case/500")
            case "redirect-other":
                _say(door, 307, b"", Location=f"http://localhost:{self.port}/case/500?{quote(flat)}")
            case "redirect-ftp":
                _say(door, 302, b"", Location=f"ftp://127.0.0.1/{quote(flat)}")
            case "redirect-private":
                _say(door, 302, b"", Location=f"http://10.0.0.1/{quote(flat)}")
            case _:
                _say(door, int(case), packed, "application/json")


def _say(door: BaseHTTPRequestHandler, status: int, body: bytes, kind: str = "text/plain", **headers: str) -> None:
    door.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
        door.send_header(name.replace("_", "-"), value.encode("latin-1", "replace").decode("latin-1"))
    door.end_headers()
    door.wfile.write(body)
