"""`sinchflow keys` against a simulated Sinch: what is stored, what signs, and what is refused because it would hurt."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sinchflow.runtime.keyring import KEYS_FILE, read_keys
from sinchflow.simulate.faults import Fault
from sinchflow.simulate.features import Features
from sinchflow.simulate.provider import SimulatedSinch
from sinchflow.sinch.signature import Verifier

SETTINGS = """\
base_url: "BASE"
credentials: {api_key: key, api_secret: "{{ secrets.API_SECRET }}"}
webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}
"""
PATH = "/v1/iam/signature_keys"


@pytest.fixture
def run(simulated, command, tmp_path) -> Callable[..., Any]:
    """Runs `sinchflow keys` in a project."""
    (tmp_path / "sinchflow.yaml").write_text(SETTINGS.replace("BASE", simulated.url))
    run = command({"API_SECRET": "s3cret"})
    return lambda *arguments, **options: run("keys", *arguments, **options)


@pytest.fixture
def sim(simulated) -> SimulatedSinch:
    return simulated.sim


def listed(run: Callable[..., Any]) -> list[dict[str, Any]]:
    return json.loads(run("list", "--json").out)["keys"]


def enabled(run: Callable[..., Any]) -> str | None:
    return json.loads(run("list", "--json").out)["enabled"]


def stored(root: Path) -> list[str]:
    return [key.key_id for key in read_keys(root)]


def test_no_keys(run):
    found = run("list")
    assert found.code == 0
    assert found.out == "Keys of account default\n  none\nWithout a stored key the daemon demands no signatures.\n"


def test_created_key_is_stored_and_verifies_what_sinch_signs(run, sim, tmp_path):
    created = run("create", "--enable", "--digest", "SHA512")
    assert created.code == 0
    assert "commit that file to Git" in created.out
    assert created.out.endswith("The daemon takes what is signed with the stored key only.\n")
    (key,) = read_keys(tmp_path)
    assert (key.digest, key.cipher, key.account) == ("SHA512", "RSA", "default")
    assert enabled(run) == key.key_id
    head = sim.pusher.signer(b"POST /hooks/t/inbound HTTP/1.1", b"{}").decode().strip()
    headers = {
        name.lower().encode(): value.encode() for name, value in (line.split(": ", 1) for line in head.split("\r\n"))
    }
    assert Verifier([key]).reason(b"POST /hooks/t/inbound HTTP/1.1", headers, b"{}", datetime.now(UTC)) is None


def test_key_that_is_not_enabled_yet_is_warned_of(run, tmp_path):
    created = run("create")
    assert created.code == 0
    assert "WARNING: Sinch signs with no key, and the daemon refuses what is not signed" in created.out
    (key_id,) = stored(tmp_path)
    assert run("enable", key_id).out.splitlines()[0] == f"Sinch signs with key {key_id} from now on."
    assert enabled(run) == key_id


def test_list_tells_what_is_stored_here_and_what_not(run, sim, tmp_path):
    ours = (run("create"), stored(tmp_path)[0])[1]
    theirs = sim.signature_keys.create().key_id
    found = run("list").out
    assert f"  {ours}  SHA256         stored here  " in found
    assert f"  {theirs}  SHA256         not stored here: cannot be verified  " in found
    sim.signature_keys.enable(theirs)
    found = run("list").out
    assert f"  {theirs}  SHA256  signs  not stored here" in found
    assert "WARNING: Sinch signs with a key that is not stored here" in found


def test_key_that_is_not_stored_is_enabled_by_force_only(run, sim):
    theirs = sim.signature_keys.create().key_id
    refused = run("enable", theirs)
    assert refused.code == 2
    assert "is not stored in signature-keys.json" in refused.err
    assert enabled(run) is None
    assert run("enable", theirs, "--force").code == 0
    assert enabled(run) == theirs


def test_rotation_keeps_the_old_key_until_it_is_deleted(run, tmp_path):
    run("create", "--enable")
    (old,) = stored(tmp_path)
    rotated = run("rotate")
    assert rotated.code == 0
    assert f"`sinchflow keys delete {old}`" in rotated.out
    _, new = stored(tmp_path)
    assert enabled(run) == new
    assert run("delete", old).code == 0
    assert stored(tmp_path) == [new]
    assert [key["key_id"] for key in listed(run)] == [new]


def test_signing_key_is_not_deleted_while_another_is_demanded(run, tmp_path):
    run("create", "--enable")
    run("create")
    first, second = stored(tmp_path)
    refused = run("delete", first)
    assert refused.code == 2
    assert "enable the other first" in refused.err
    assert run("delete", first, "--force").code == 0
    assert run("delete", second).code == 0
    assert stored(tmp_path) == []
    assert run("delete", second).code == 2


def test_signing_is_not_disabled_while_it_is_demanded(run, tmp_path):
    run("create", "--enable")
    refused = run("disable")
    assert refused.code == 2
    assert "set `webhooks: {signature: off}` first" in refused.err
    settings = tmp_path / "sinchflow.yaml"
    settings.write_text(settings.read_text().replace("token:", "signature: off, token:"))
    assert run("disable").out.startswith("Sinch signs no more.\n")
    assert enabled(run) is None


def test_key_that_is_gone_at_sinch_is_deleted_here(run, simulated, tmp_path):
    run("create")
    (key_id,) = stored(tmp_path)
    httpx.delete(f"{simulated.url}{PATH}/{key_id}", auth=("key", "s3cret"))
    assert f"{key_id}  SHA256         stored here, gone at Sinch" in run("list").out
    assert run("delete", key_id).code == 0
    assert stored(tmp_path) == []


def test_account_without_the_feature_is_one_clear_line(run, sim):
    sim.features = Features(signature_keys=False)
    for command in (["list"], ["create"], ["disable"]):
        refused = run(*command)
        assert refused.code == 4
        assert refused.err.startswith(
            "sinchflow: account default: Sinch does not sign for this account: ask Sinch for Enterprise Webhooks "
            "or use `webhooks: {secret: …}` instead (HTTP 403: This feature has not been enabled in your account"
        )
        assert refused.err.count("\n") == 1


def test_key_whose_enabling_fails_is_stored_all_the_same(run, sim, tmp_path):
    sim.fail_next(Fault(method="PATCH", status=500, path=PATH))
    assert run("create", "--enable").code == 4
    assert len(stored(tmp_path)) == 1


def test_broken_file_is_noticed_before_a_key_is_made(run, sim, tmp_path):
    (tmp_path / KEYS_FILE).write_text('{\n  "keys": [\n<<<<<<< HEAD\n  ]\n}')
    refused = run("create")
    assert refused.code == 3
    assert refused.err.startswith("sinchflow: signature-keys.json:3: is no JSON")
    assert sim.requests == []


def test_keys_of_accounts_do_not_mix(run, simulated, tmp_path):
    settings = tmp_path / "sinchflow.yaml"
    more = f"accounts: {{nz: {{base_url: '{simulated.url}', credentials: {{api_key: key, api_secret: s3cret}}}}}}\n"
    settings.write_text(settings.read_text() + more)
    run("create", "--account", "nz")
    run("create")
    assert [key.account for key in read_keys(tmp_path)] == ["nz", "default"]
    assert [key["is_stored"] for key in listed(run)] == [False, True]
    assert run("create", "--account", "uk").code == 2
