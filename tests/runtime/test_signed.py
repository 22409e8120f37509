"""Signed pushes at the daemon's door: with keys stored, whoever does not sign properly is refused, loudly."""

import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sinchflow.runtime.keyring import write_keys
from sinchflow.sinch.signature import SignatureKey

TOKEN = "hook-token-of-the-test"
PATH = f"/hooks/{TOKEN}/inbound?v=2"
FLOW = "on: inbound_sms\nsteps:\n  - log: hi\n"
KEYS = {name: rsa.generate_private_key(public_exponent=65537, key_size=1024) for name in ("old", "new", "other")}
BODY = json.dumps({"reply_id": "r1", "source_address": "+61491570156", "content": "Café “yes”"}).encode()


def stored(name: str, **fields: str) -> SignatureKey:
    public = (
        KEYS[name]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return SignatureKey(key_id=f"key-{name}", public_key=base64.b64encode(public).decode(), digest="SHA256", **fields)


def signed(
    name: str, *, path: str = PATH, body: bytes = BODY, at: datetime | None = None, **changes: str | None
) -> dict[str, str]:
    """The headers of a push as the provider signs it; a change of None leaves a header out."""
    date = format_datetime(at or datetime.now(UTC), usegmt=True)
    message = f"POST {path} HTTP/1.1".encode() + date.encode() + body
    signature = KEYS[name].sign(message, padding.PKCS1v15(), hashes.SHA256())
    headers = {
        "Date": date, "X-MessageMedia-Signature": base64.b64encode(signature).decode(),
        "X-MessageMedia-Digest-Type": "SHA-256", "X-MessageMedia-Cipher-Type": "RSA",
        "X-MessageMedia-Key-Id": f"key-{name}",
    }  # fmt: skip
    headers |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in headers.items() if value is not None}


def test_signed_pushes_are_taken_and_all_others_refused(house, play):
    now = datetime.now(UTC)
    refused = {
        "unsigned": {},
        "without Date": signed("old", Date=None),
        "Date of another": signed("old", Date=format_datetime(now + timedelta(seconds=1), usegmt=True)),
        "too old": signed("old", at=now - timedelta(minutes=16)),
        "from the future": signed("old", at=now + timedelta(minutes=16)),
        "another path": signed("old", path=f"/hooks/{TOKEN}/inbound"),
        "another body": signed("old", body=BODY.replace(b"yes", b"no")),
        "an unknown key": signed("other"),
        "another's key id": signed("other", **{"X-MessageMedia-Key-Id": "key-old"}),
        "another digest": signed("old", **{"X-MessageMedia-Digest-Type": "SHA512"}),
        "no key id": signed("old", **{"X-MessageMedia-Key-Id": None}),
        "rubbish": signed("old", **{"X-MessageMedia-Signature": "%%%"}),
    }

    async def scenario(house):
        for name, headers in refused.items():
            answer = await house.post(BODY, path=PATH, headers=headers)
            assert answer.status_code == 403, name
            assert "pushes are refused" in house.daemon.stats.troubles["webhooks"]
        assert house.daemon.stats.events == {}
        for name in ("old", "new"):
            body = BODY.replace(b"r1", name.encode())
            assert (await house.post(body, path=PATH, headers=signed(name, body=body))).status_code == 202
        assert house.daemon.stats.troubles == {}

    house.flow(FLOW)
    write_keys(house.root, [stored("old"), stored("new")])
    play(scenario)


def test_captured_push_that_comes_again_starts_no_second_run(house, play, eventually):
    async def scenario(house):
        headers = signed("old")
        answers = [await house.post(BODY, path=PATH, headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 200, 200]
        await eventually(lambda: house.daemon.worker.is_idle)
        assert (house.daemon.stats.runs_started, house.daemon.stats.repeats) == (1, 2)

    house.flow(FLOW)
    write_keys(house.root, [stored("old")])
    play(scenario)


def test_public_path_prefix_of_a_proxy_is_part_of_what_is_signed(house, play):
    async def scenario(house):
        assert (await house.post(BODY, path=PATH, headers=signed("old"))).status_code == 403
        assert (await house.post(BODY, path=PATH, headers=signed("old", path=f"/sms{PATH}"))).status_code == 202

    house.flow(FLOW)
    write_keys(house.root, [stored("old")])
    play(scenario, webhooks=f"{{token: {TOKEN}, public_url: 'https://sms.example.com/sms/'}}")


def test_keys_of_one_account_ask_nothing_of_another(house, play):
    accounts = '{nz: {base_url: "http://127.0.0.1:1", credentials: {api_key: a, api_secret: b}}}'

    async def scenario(house):
        assert (await house.post(BODY, path=PATH)).status_code == 202
        assert (await house.post(BODY, path=f"/hooks/{TOKEN}/nz/inbound")).status_code == 403

    house.flow(FLOW)
    write_keys(house.root, [stored("old", account="nz")])
    play(scenario, accounts=accounts)


def test_signature_off_asks_for_none_although_keys_are_stored(house, play):
    async def scenario(house):
        assert (await house.post(BODY, path=PATH)).status_code == 202

    house.flow(FLOW)
    write_keys(house.root, [stored("old")])
    play(scenario, webhooks=f"{{token: {TOKEN}, signature: off}}")


def test_key_that_is_stored_while_the_daemon_runs_is_used(house, play, eventually):
    async def scenario(house):
        assert (await house.post(BODY, path=PATH)).status_code == 202
        write_keys(house.root, [stored("old")])
        await eventually(lambda: house.daemon.stats.reloads["done"])
        assert (await house.post(BODY, path=PATH)).status_code == 403
        assert (await house.post(BODY, path=PATH, headers=signed("old"))).status_code == 200

    house.flow(FLOW)
    play(scenario)


@pytest.mark.parametrize(
    ("signature", "key", "words"),
    [
        ("on", None, "sinchflow keys create"),
        ("auto", stored("old").__class__(key_id="key-bad", public_key="AAAA", digest="SHA256"), "key-bad"),
    ],
)
def test_start_without_usable_keys_is_refused(house, play, signature, key, words):
    async def scenario(_house):
        raise AssertionError("it must not start")

    house.flow(FLOW)
    if key is not None:
        write_keys(house.root, [key])
    with pytest.raises(Exception, match=words) as refused:
        play(scenario, webhooks=f"{{token: {TOKEN}, signature: {signature}}}")
    assert type(refused.value).__name__ == "CannotStart"
