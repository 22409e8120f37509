"""What a service manager hears of the daemon: a real process and a real socket, as systemd has them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from sinchflow.runtime.notify import Notifier, status_of
from tests import forked

ROOT = Path(__file__).parents[2]
SETTINGS = """\
base_url: "http://127.0.0.1:9"
credentials: {api_key: key, api_secret: s3cret}
webhooks: {token: hook-token-of-the-test}
"""
FLOW = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello.}]\n"
OTHER = "name: other\non: {inbound_sms: {keyword: HO}}\nsteps: [{reply: Hello.}]\n"
PATIENCE_S = 60.0


@pytest.fixture
def project(tmp_path):
    """Its flows are one, and those in a folder that nobody watches."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "flows/more").symlink_to("../elsewhere")
    (tmp_path / "flows/greet.yaml").write_text(FLOW)
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS)
    return tmp_path


class Manager:
    """A service manager: its socket, and what it hears there."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def start(self, project: Path, **environ: str) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SINCHFLOW_")}
        with (project / "stderr").open("wb") as err:
            return forked.Popen(
                [sys.executable, "-m", "sinchflow", "-C", str(project), "run", "--port", "0", "--admin-port", "0"],
                env={**inherited, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": self.address, **environ},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
            )  # fmt: skip

    def hear(self) -> dict[str, str]:
        """The next datagram."""
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def hear_until(self, name: str) -> dict[str, str]:
        """What has been said when something is said of `name`, the last word of each thing."""
        heard: dict[str, str] = {}
        while name not in heard:
            heard |= self.hear()
        return heard


@pytest.fixture
def manager(request):
    # the folders of tests have names that are too long for a socket
    address = f"{getattr(request, 'param', '/tmp/')}sinchflow-{os.getpid()}-{time.time_ns()}"
    manager = Manager(address)
    yield manager
    manager.socket.close()
    if not address.startswith("@"):
        Path(address).unlink(missing_ok=True)


@pytest.fixture
def daemon(project, manager):
    running = []

    def start(**environ: str) -> subprocess.Popen[bytes]:
        running.append(manager.start(project, **environ))
        return running[-1]

    yield start
    for each in running:
        each.kill()
        each.wait()


def monotonic_usec() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.parametrize("manager", ["/tmp/", "@"], ids=["path", "abstract"], indirect=True)
def test_it_hears_of_start_reloads_and_end(project, manager, daemon):
    running = daemon()
    assert manager.hear() == {"READY": "1", "STATUS": "1 flow, all is well"}
    for text, status in (
        (OTHER, "2 flows, all is well"),
        (
            OTHER.replace("reply", "replay"),
            '2 flows; reload: the project has errors: flows/more/other.yaml:3:10: unknown key "replay" '
            "in this step [unknown-key]",
        ),
        ("", "1 flow, all is well"),
    ):
        (project / "elsewhere/other.yaml").write_text(text)
        before = monotonic_usec()
        running.send_signal(signal.SIGHUP)
        begun = manager.hear()
        assert begun.pop("RELOADING") == "1"
        assert before <= int(begun.pop("MONOTONIC_USEC")) <= monotonic_usec()
        assert begun == {}
        assert manager.hear_until("READY") == {"READY": "1", "STATUS": status}
    running.send_signal(signal.SIGTERM)
    assert manager.hear() == {"STOPPING": "1"}
    assert running.wait(PATIENCE_S) == 0


def test_it_hears_of_troubles_without_a_signal(project, manager, daemon):
    daemon()
    manager.hear_until("READY")
    (project / "flows/greet.yaml").write_text("name: [")
    assert manager.hear()["STATUS"].startswith("1 flow; reload: the project has errors: flows/greet.yaml:1:")
    (project / "flows/greet.yaml").write_text(FLOW)
    assert manager.hear() == {"STATUS": "1 flow, all is well"}


def test_watchdog_hears_of_a_loop_that_turns_and_nothing_of_one_that_hangs(project, manager, daemon):
    running = daemon(WATCHDOG_USEC="200000")
    manager.hear_until("READY")
    before = time.monotonic()
    for _ in range(10):
        assert manager.hear() == {"WATCHDOG": "1"}
    assert time.monotonic() - before >= 0.8
    running.send_signal(signal.SIGSTOP)
    manager.socket.settimeout(1.0)
    with pytest.raises(TimeoutError):
        manager.hear_until("any more")
    running.send_signal(signal.SIGCONT)
    manager.socket.settimeout(PATIENCE_S)
    assert manager.hear() == {"WATCHDOG": "1"}


def test_watchdog_of_another_process_is_left_alone(project, manager, daemon):
    running = daemon(WATCHDOG_USEC="1000", WATCHDOG_PID="1")
    manager.hear_until("READY")
    running.send_signal(signal.SIGTERM)
    assert manager.hear() == {"STOPPING": "1"}


def test_daemon_that_cannot_start_is_not_ready(project, manager, daemon):
    (project / "flows/greet.yaml").write_text("name: [")
    assert daemon().wait(PATIENCE_S) == 3
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.hear()


@pytest.mark.parametrize("address", ["/nowhere/to/be/found", "@nobody-listens", "vsock:2:1", "/" + "x" * 200])
def test_socket_where_nobody_is_harms_nothing(project, manager, daemon, address):
    running = daemon(NOTIFY_SOCKET=address, WATCHDOG_USEC="2000")
    deadline = time.monotonic() + PATIENCE_S
    while '"ready"' not in (project / "stderr").read_text():
        assert running.poll() is None, (project / "stderr").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGHUP)
    running.send_signal(signal.SIGTERM)
    assert running.wait(PATIENCE_S) == 0
    assert "Traceback" not in (project / "stderr").read_text()


def test_what_a_full_queue_did_not_take_is_said_again(manager):
    """A datagram more than the queue holds is refused at once: the loop must not wait for the reader."""

    async def scenario() -> None:
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        filler.setblocking(False)
        fillers = 0
        with suppress(BlockingIOError):
            while True:
                filler.sendto(b"FILL=1", manager.address)
                fillers += 1
        environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000"}
        notifier = Notifier(environ, asyncio.get_running_loop(), lambda: "well")
        notifier.start()
        for _ in range(fillers):
            assert manager.hear() == {"FILL": "1"}
        heard = await asyncio.to_thread(manager.hear)
        assert heard == {"READY": "1", "WATCHDOG": "1", "STATUS": "well"}
        notifier.close()
        filler.close()

    asyncio.run(scenario())


def test_reloads_that_overlap_are_over_when_all_are(manager):
    async def scenario() -> None:
        notifier = Notifier({"NOTIFY_SOCKET": manager.address}, asyncio.get_running_loop(), lambda: "well")
        notifier.reloading()
        notifier.reloading()
        notifier.reloaded()
        notifier.reloaded()
        notifier.reloading()
        notifier.stopping()
        notifier.reloaded()
        notifier.close()
        said = [next(iter(manager.hear())) for _ in range(5)]
        assert said == ["RELOADING", "RELOADING", "READY", "RELOADING", "STOPPING"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("troubles", "status"),
    [
        ({}, "2 flows, all is well"),
        ({"provider": "refused", "journal": "full"}, "2 flows; journal: full; provider: refused"),
        ({"reload": "a\nb\n  |\n3 | c\n"}, "2 flows; reload: a b"),
        ({"reload": "READY=0\x1b[2J\n\nSTOPPING=1"}, "2 flows; reload: READY=0?[2J  STOPPING=1"),
        ({"reload": "x" * 300}, "2 flows; reload: " + "x" * 199 + "…"),
    ],
)  # fmt: skip
def test_status_is_one_short_line(troubles, status):
    assert status_of(2, troubles) == status
