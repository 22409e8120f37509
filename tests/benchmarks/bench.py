"""A real daemon with the simulated Sinch and a load generator, all on this machine, for `figures`."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TOKEN = "bench"
OPENING = """
name: opening-hours
on:
  inbound_sms:
    keyword: [HOURS, OPEN]
steps:
  - reply: "Hi {{ contact.first_name | default('there') }}, we are open Mon–Fri 8am–6pm."
"""


def flows(count: int, kind: str = "keyword", first: int = 0) -> str:
    """So many flows as YAML documents, with a word or regex of their own each."""
    filters = {"keyword": "keyword: [WORD{0}]", "regex": r"regex: '\border\s*#?{0}(\d+)?\b.*please'"}[kind]
    return "\n---\n".join(
        f"name: flow-{n}\non:\n  inbound_sms:\n    {filters.format(n)}\nsteps:\n  - reply: Answer {n}\n"
        for n in range(first, first + count)
    )


class Bench:
    """A project, a simulated Sinch and a daemon. `limits` as in sinchflow.yaml."""

    def __init__(self, folder: Path, sinch_url: str) -> None:
        self.folder = folder
        self.sinch_url = sinch_url
        self.process: subprocess.Popen[bytes] | None = None
        self.info: dict[str, Any] = {}

    def write(self, flow_text: str = OPENING, settings: str = "") -> None:
        (self.folder / "flows").mkdir(exist_ok=True)
        (self.folder / "flows" / "flows.yaml").write_text(flow_text, "utf-8")
        (self.folder / "sinchflow.yaml").write_text(
            f"base_url: {self.sinch_url}\n"
            'credentials: {api_key: "{{ secrets.KEY }}", api_secret: "{{ secrets.SECRET }}"}\n'
            'webhooks: {token: "{{ secrets.TOKEN }}"}\n'
            "limits: {calls: off}\npolicy: {max_sends_per_contact: off}\n" + settings,
            "utf-8",
        )

    def start(self) -> float:
        """Start the daemon; seconds until it is ready."""
        secrets = {"KEY": "key", "SECRET": "secret", "TOKEN": TOKEN}
        environ = {**os.environ, **{f"SINCHFLOW_SECRET_{name}": value for name, value in secrets.items()}}
        discovery = self.folder / ".sinchflow" / "daemon.json"
        discovery.unlink(missing_ok=True)
        began = time.perf_counter()
        command = [sys.executable, "-m", "sinchflow", "-C", str(self.folder), "run", "--port", "0", "--admin-port", "0"]
        log = (self.folder / "daemon.log").open("ab")
        self.process = subprocess.Popen(command, env=environ, stderr=log)
        until(lambda: discovery.exists() or self._has_ended(), 60)
        self.info = json.loads(discovery.read_text())
        until(lambda: self.get("/ready")[0] == 200, 60)
        return time.perf_counter() - began

    def _has_ended(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError((self.folder / "daemon.log").read_text())
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def get(self, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.info["admin_port"], timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """One metric, summed over its labels."""
        lines = self.get("/metrics")[1].decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def start_flow(self, name: str, **inputs: str) -> None:
        """Start a flow by hand, as a user does."""
        given = [part for key, value in inputs.items() for part in ("--input", f"{key}={value}")]
        command = [sys.executable, "-m", "sinchflow", "-C", str(self.folder), "start", name, *given]
        subprocess.run(command, check=True, capture_output=True)

    @property
    def memory_mb(self) -> float:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def wrk(self, text: str, seconds: int, prefix: str, connections: int = 64) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.info['port']}/hooks/{TOKEN}/inbound"
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "inbound.lua"), url]
        printed = subprocess.run([*command, "--", text, prefix], capture_output=True, text=True, check=True).stdout
        found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
        return found


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds. Raises TimeoutError."""
    limit = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if holds():
                return
        if time.monotonic() > limit:
            raise TimeoutError(f"it did not come about within {seconds} s")
        time.sleep(0.005)


@contextlib.contextmanager
def bench(*sinch_options: str) -> Iterator[Bench]:
    """A simulated Sinch and a folder for a project; everything ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="sinchflow-bench-"))
    options = ["--port", "0", "--api-key", "key", "--api-secret", "secret", *sinch_options]
    sinch = subprocess.Popen(
        [sys.executable, "-m", "sinchflow.simulate.provider", *options], stdout=subprocess.PIPE, text=True
    )
    assert sinch.stdout is not None
    made = Bench(folder, sinch.stdout.readline().strip())
    try:
        yield made
    finally:
        made.stop()
        sinch.kill()
        sinch.wait()
        shutil.rmtree(folder)
