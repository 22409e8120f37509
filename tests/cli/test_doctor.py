"""What `doctor` finds: of the provider with its faults, and of machines that are made up."""

import asyncio
import contextlib
import json
import os
import re
import socket
import ssl
import stat
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import apsw
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sinchflow.cli.checkup import machine, public, storage
from sinchflow.cli.checkup.finding import Finding, examine, ok
from sinchflow.errors import CannotStart
from sinchflow.journal.sqlite import FILE_NAME, SqliteJournal
from sinchflow.simulate.faults import Fault

SETTINGS = """\
base_url: "BASE"
credentials: {api_key: "{{ secrets.API_KEY }}", api_secret: "{{ secrets.API_SECRET }}"AUTH}
webhooks: {token: "{{ secrets.HOOK_TOKEN }}"HOOKS}
"""
FLOW = "name: greet\non: {inbound_sms: {keyword: HI}}\nsteps: [{reply: Hello.}]\n"
SECRETS = {"API_SECRET": "s3cret", "HOOK_TOKEN": "hook-token-of-the-test"}


@pytest.fixture
def doctor(tmp_path, simulated, command, monkeypatch):
    """Runs `doctor` on a project; gives the exit code and state, words and hint by check."""
    monkeypatch.setenv("SINCHFLOW_SECRET_API_KEY", "key")

    def look(
        *arguments: str, base: str = simulated.url, auth: str = "", hooks: str = "", secrets=SECRETS, more: str = ""
    ):
        (tmp_path / "flows").mkdir(exist_ok=True)
        (tmp_path / "flows/greet.yaml").write_text(FLOW)
        text = SETTINGS.replace("BASE", base).replace("AUTH", auth).replace("HOOKS", hooks)
        (tmp_path / "sinchflow.yaml").write_text(text + more)
        ended = command(secrets)("doctor", "--json", *arguments)
        assert ended.err == ""
        found = json.loads(ended.out)
        assert found["exit_code"] == ended.code
        return ended.code, {each["check"]: (each["state"], each["words"], each["hint"]) for each in found["findings"]}

    return look


def test_all_is_well(doctor):
    code, found = doctor(more='country: AU\nsource_number: "+61491593156"\n')
    assert code == 0
    for check in (
        "provider",
        "clock",
        "senders",
        "detail report",
        "signature keys",
        "secrets",
        "webhook token",
        "versions",
        "flows",
    ):
        assert found[check][0] == "ok", (check, found[check])
    assert found["daemon"] == ("skipped", "none works here: start it with `sinchflow run`", "")


SECRET_GONE = {"API_SECRET": "s3cret"}
#: How the project or the provider is, the exit code, and a check with its state and a part of its words and hint.
CASES = [
    (
        {"secrets": {**SECRETS, "API_SECRET": "other"}}, 1,
        ("provider", "fail", "refuses the key: HTTP 401", "check the key and the secret"),
    ),
    ({"auth": ", auth: hmac"}, 1, ("provider", "fail", "refuses the key", "the key is of the kind basic: set `cred")),
    ({"secrets": SECRET_GONE}, 1, ("secrets", "fail", "secret HOOK_TOKEN is missing", "run doctor there")),
    ({"secrets": SECRET_GONE}, 1, ("webhook token", "skipped", "for the reason above", "")),
    ({"secrets": {**SECRETS, "HOOK_TOKEN": "abcabc"}}, 1, ("webhook token", "fail", "6 characters", "openssl rand")),
    ({"base": "http://127.0.0.1:9"}, 4, ("provider", "fail", "the connection is refused", "firewall")),
    ({"base": "https://sinch.invalid"}, 4, ("provider", "fail", "its name cannot be resolved", "DNS")),
    ({"base": "https://PLAIN"}, 4, ("provider", "fail", "no TLS", "check `base_url`")),
    ({"more": 'source_number: "+61491593199"\n'}, 0, ("senders", "warn", "+61491593199 is not one of", "senders")),
    ({"hooks": ", public_url: 'http://localhost:9'"}, 1, ("public address", "fail", "a private address", "internet")),
    ({"hooks": ", public_url: 'https://sms.invalid'"}, 1, ("public address", "fail", "cannot be resolved", "DNS")),
    ({"hooks": ", public_url: 'https://sms.invalid'"}, 1, ("webhooks", "fail", "inbound: not registered", "apply")),
    ({"more": "timezone: Mars/Olympus\n"}, 1, ("flows", "fail", "1 error; the first: sinchflow.yaml:", "validate")),
]  # fmt: skip


@pytest.mark.parametrize(("how", "code", "expected"), CASES)
def test_what_is_wrong_is_said_with_how_to_mend_it(doctor, simulated, monkeypatch, how, code, expected):
    monkeypatch.delenv("SINCHFLOW_SECRET_HOOK_TOKEN", raising=False)
    check, state, words, hint = expected
    if "base" in how:
        how = {**how, "base": how["base"].replace("PLAIN", simulated.url.partition("//")[2])}
    ended, found = doctor(**how)
    assert (found[check][0], ended) == (state, code), found
    assert words in found[check][1]
    assert hint in found[check][2]


FAULTS = [
    ({"status": 503}, 4, "provider", "HTTP 503"),
    ({"status": 403, "body": '{"message": "no"}'}, 4, "provider", "HTTP 403"),
    ({"status": 200, "body": "<html>Please log in</html>"}, 4, "provider", "cannot be read"),
    ({"kind": "reset"}, 4, "provider", "the connection to .* broke"),
]


def test_account_without_the_detail_report_is_told_what_that_means(doctor, simulated):
    simulated.sim.fail_next(Fault(status=403, body="{}", method="POST", path="/v2-preview/reporting", times=9))
    code, found = doctor()
    assert (code, found["detail report"][0]) == (0, "warn"), found
    assert "messages of unknown outcome are held" in found["detail report"][1]


@pytest.mark.parametrize(("fault", "code", "check", "words"), FAULTS)
def test_provider_in_trouble_is_told_from_this_machine(doctor, simulated, fault, code, check, words):
    simulated.sim.fail_next(Fault(**fault, method="GET", path="/v1/webhooks"))
    ended, found = doctor()
    assert (ended, found[check][0]) == (code, "fail"), found
    assert re.search(words, found[check][1])


class _OtherTime(BaseHTTPRequestHandler):
    """A provider whose clock is not ours, and that refuses everything."""

    late = timedelta()

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(datetime.now(UTC) - self.late, usegmt=True)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.mark.parametrize(
    ("late", "state", "words"),
    [(0, "ok", "agrees"), (60, "warn", "60 s apart|61 s apart|59 s apart"), (-900, "fail", "signatures are refused")],
)
def test_clock_is_compared_also_where_the_key_is_refused(doctor, late: float, state: str, words: str) -> None:
    handler = type("Handler", (_OtherTime,), {"late": timedelta(seconds=late)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            code, found = doctor(base=f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
    assert (code, found["provider"][0], found["clock"][0]) == (1, "fail", state)
    assert re.search(words, found["clock"][1])


def test_proxy_that_is_not_used_is_named_when_nothing_is_reached(doctor, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    _, found = doctor(base="http://127.0.0.1:9")
    assert "HTTPS_PROXY is set, but sinchflow goes to Sinch directly" in found["provider"][2]


def test_offline_asks_nobody(doctor, simulated):
    code, found = doctor("--offline", base="https://sinch.invalid")
    assert code == 0
    assert not {"provider", "public address", "clock"} & found.keys()


def test_hanging_and_crashing_checks_are_lines_of_the_report():
    def crash() -> Iterable[Finding]:
        yield ok("crash", "so far")
        raise ZeroDivisionError("by zero")

    def refuse() -> Iterable[Finding]:
        raise CannotStart("the project has errors:\nflows/x.yaml:1:1: wrong")

    def hang() -> Iterable[Finding]:
        threading.Event().wait(5)
        yield ok("hang", "too late")

    found = [*examine([("crash", crash), ("refuse", refuse), ("refuse", refuse), ("hang", hang)], 0.3)]
    assert [(each.check, each.state, each.words) for each in found] == [
        ("crash", "ok", "so far"),
        ("crash", "fail", "the check itself crashed: ZeroDivisionError: by zero"),
        ("refuse", "fail", "the project has errors: flows/x.yaml:1:1: wrong"),
        ("refuse", "skipped", "could not be looked at, for the reason above"),
        ("hang", "fail", "did not end within 0.3 s"),
    ]


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / {data} rw - {kind} server:/x rw
31 22 0:41 / /elsewhere rw - nfs4 other:/y rw
"""


@pytest.mark.parametrize(
    ("kind", "state", "words"),
    [
        ("xfs", "ok", "xfs, mounted at "),
        ("nfs4", "fail", "is on a network (nfs4"),
        ("cifs", "fail", "is on a network"),
        ("fuse.sshfs", "fail", "is on a network"),
        ("tmpfs", "warn", "is memory"),
        ("overlay", "warn", "the container's own layer"),
    ],
)
def test_file_system_of_the_data_folder_matters(tmp_path: Path, kind: str, state: str, words: str) -> None:
    data = tmp_path / "the data"
    data.mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(data=str(data).replace(" ", "\\040"), kind=kind))
    found = {each.check: each for each in storage.disk(data, None, mounts)}
    assert (found["file system"].state, words in found["file system"].words) == (state, True)
    assert found["disk speed"].words.startswith("an fsync takes ")
    assert [path.name for path in data.iterdir()] == []


def test_journal_larger_than_the_disk_is_a_warning(tmp_path: Path) -> None:
    found = {each.check: each for each in storage.disk(tmp_path, 10**18)}
    assert (found["disk space"].state, "retention.max_size" in found["disk space"].words) == ("warn", True)


@pytest.mark.parametrize(
    ("content", "state", "words"),
    [(None, "ok", "none yet"), (b"x" * 8_192, "fail", "cannot be read"), (b"", "warn", "is empty")],
)
def test_journal_that_is_none(tmp_path: Path, content: bytes | None, state: str, words: str) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    (found,) = storage.journal(tmp_path)
    assert (found.state, words in found.words) == (state, True), found


def test_damaged_journal_is_found(tmp_path: Path) -> None:
    asyncio.run(_journal(tmp_path))
    path = tmp_path / FILE_NAME
    connection = apsw.Connection(str(path))
    assert connection.pragma("integrity_check") == "ok"
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()
    (found,) = storage.journal(tmp_path)
    assert (found.state, found.words.startswith("whole; schema ")) == ("ok", True), found
    content = bytearray(path.read_bytes())
    content[4 * 4_096 :] = b"\xa5" * (len(content) - 4 * 4_096)
    path.write_bytes(content)
    (found,) = storage.journal(tmp_path)
    assert (found.state, "backup" in found.hint) == ("fail", True), found


def test_journal_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.touch(0o600)
    tmp_path.chmod(0o755)
    assert [each.state for each in storage.folder(tmp_path)] == ["ok"]
    path.chmod(0o644)
    (found,) = storage.folder(tmp_path)
    assert (found.state, found.hint) == ("warn", f"`chmod go= {tmp_path}`")
    tmp_path.chmod(0o700)
    assert [each.state for each in storage.folder(tmp_path)] == ["ok"]


def test_new_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    modes = asyncio.run(_journal(tmp_path))
    assert modes[FILE_NAME] == 0o600
    assert set(modes.values()) == {0o600}


async def _journal(folder: Path) -> dict[str, int]:
    """Begin a journal; the modes of its files while it is open."""
    journal = SqliteJournal(folder, asyncio.get_running_loop())
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(folder)}
    journal.close()
    return modes


def test_process_that_holds_the_journal_and_says_nothing_is_named(tmp_path: Path) -> None:
    lock, locks = tmp_path / "lock", tmp_path / "locks"
    lock.write_text("4711\n")
    locks.write_text(f"1: FLOCK  ADVISORY  WRITE 4711 08:01:{lock.stat().st_ino} 0 EOF\n2: POSIX x\n")
    (found,) = storage.owner(tmp_path, locks)
    assert (found.state, "process 4711 holds the journal" in found.words) == ("fail", True)
    locks.write_text("")
    (found,) = storage.owner(tmp_path, locks)
    assert found.state == "skipped"


@pytest.mark.parametrize(
    ("watches", "instances", "state"),
    [(65_536, 128, "ok"), (100, 128, "warn"), (65_536, 2, "warn"), (None, None, "ok")],
)
def test_limits_on_watches(tmp_path: Path, watches: int | None, instances: int | None, state: str) -> None:
    for name, value in (("max_user_watches", watches), ("max_user_instances", instances)):
        if value is not None:
            (tmp_path / name).write_text(f"{value}\n")
    assert [each.state for each in machine.watches(tmp_path)] == [state]


@pytest.mark.parametrize(
    ("until", "state", "words"),
    [("Dec  5 02:00:00 2026 GMT", "warn", "ends in 12 days"), ("Mar  1 00:00:00 2027 GMT", "ok", "valid for 97 days")],
)
def test_certificate_that_ends_soon_is_a_warning(until: str, state: str, words: str) -> None:
    found = public.lasting("sms.example.com", until, datetime(2026, 11, 23, 2, 0, tzinfo=UTC))
    assert (found.state, words in found.words) == (state, True), found


def test_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path / "cert.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError), contextlib.closing(listener.accept()[0]) as connection:
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=answer)
        thread.start()
        (found,) = public.certificate("localhost", listener.getsockname()[1])
        thread.join()
    assert (found.state, "self" in found.words) == ("fail", True), found


def _self_signed(path: Path) -> Path:
    """A key and a certificate for localhost that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_journal_that_may_grow_beyond_its_disk_is_a_warning_of_the_project(doctor):
    code, found = doctor("--offline", more="retention: {max_size: 900000GB}\n")
    assert (code, found["disk space"][0]) == (0, "warn"), found
