"""Signatures of pushes: the vectors and their must-fail variants, and everything that is refused before any RSA."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sinchflow.sinch.signature import BadKey, SignatureKey, Verifier, normalised

VECTOR = json.loads((Path(__file__).parent / "data" / "test-vectors.json").read_text(encoding="utf-8"))[
    "webhook_signature"
]
NOW = datetime(2026, 8, 18, 3, 43, 30, tzinfo=UTC)


def key(digest: str = "SHA256", **changes: str) -> SignatureKey:
    given = {"key_id": VECTOR["key_id"], "public_key": VECTOR["public_key"], "digest": digest} | changes
    return SignatureKey(**given)


def reason(
    digest: str = "SHA256", keys=None, now: datetime = NOW, request_line=None, body=None, **headers: str | None
) -> str | None:
    """What the verifier says to the vector with these changes; a header of None is left out."""
    given = {
        "date": VECTOR["date"], "x-messagemedia-signature": VECTOR["signatures"][digest],
        "x-messagemedia-digest-type": digest, "x-messagemedia-cipher-type": "RSA",
        "x-messagemedia-key-id": VECTOR["key_id"],
    } | {name.replace("_", "-"): value for name, value in headers.items()}  # fmt: skip
    return Verifier([key(digest)] if keys is None else keys).reason(
        (request_line or VECTOR["request_line"]).encode(),
        {name.encode(): value.encode("latin-1") for name, value in given.items() if value is not None},
        (body or VECTOR["body"]).encode(),
        now,
    )


@pytest.mark.parametrize("digest", ["SHA224", "SHA256", "SHA512"])
def test_genuine_push_is_trusted(digest):
    assert reason(digest) is None


@pytest.mark.parametrize("digest", ["SHA224", "SHA256", "SHA512"])
@pytest.mark.parametrize("changed", VECTOR["must_fail"], ids=lambda changed: changed["change"])
def test_changed_push_is_not(digest, changed):
    assert reason(digest, **{changed["change"]: changed["value"]}) == "its signature is wrong"


@pytest.mark.parametrize("written", ["SHA256", "SHA-256", "sha256", " sha-256 "])
def test_digest_is_known_by_any_of_its_names(written):
    assert normalised(written) == "SHA256"
    assert reason(x_messagemedia_digest_type=written) is None
    assert reason(keys=[key(written)]) is None


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"x_messagemedia_signature": None}, "it is not signed"),
        ({"date": None}, "Date header is missing"),
        ({"date": "Tue, 18 Aug 2026 03:43:24 +0000"}, "no date of HTTP's form"),
        ({"date": "2026-08-18T03:43:24Z"}, "no date of HTTP's form"),
        ({"date": "Tue, 18 Aug 2026 03:43:24 GMT\u00e9"}, "no date of HTTP's form"),
        ({"date": "Tue, 38 Aug 2026 03:43:24 GMT"}, "no date of HTTP's form"),
        ({"date": "Tue, 18 Aug 2026 3:43:24 GMT"}, "no date of HTTP's form"),
        ({"x_messagemedia_key_id": None}, 'signed with the key ""'),
        ({"x_messagemedia_key_id": "other"}, 'signed with the key "other", whose public part is not stored'),
        ({"x_messagemedia_digest_type": "SHA512"}, "names the digest SHA512, but the key's is SHA256"),
        ({"x_messagemedia_digest_type": "MD5"}, "names the digest MD5"),
        ({"x_messagemedia_cipher_type": "DSA"}, "names the cipher DSA"),
        ({"x_messagemedia_signature": "%%"}, "no base64"),
        ({"x_messagemedia_signature": ""}, "signature is wrong"),
        ({"x_messagemedia_signature": base64.b64encode(b"x" * 256).decode()}, "signature is wrong"),
    ],
)
def test_push_that_is_not_signed_properly_is_refused_with_its_reason(headers, words):
    assert words in (reason(**headers) or "")


@pytest.mark.parametrize("header", ["x_messagemedia_digest_type", "x_messagemedia_cipher_type"])
def test_headers_that_only_repeat_what_the_key_says_may_be_missing(header):
    assert reason(**{header: None}) is None


@pytest.mark.parametrize(("minutes", "is_in_time"), [(-15, True), (15, True), (-15.1, False), (15.1, False)])
def test_date_may_be_a_quarter_of_an_hour_off(minutes, is_in_time):
    sent_at = datetime(2026, 8, 18, 3, 43, 24, tzinfo=UTC)
    said = reason(now=sent_at + timedelta(minutes=minutes))
    assert said is None if is_in_time else "more than 15 minutes off" in (said or "")


def test_any_of_several_keys_may_have_signed():
    other = key(key_id="other")
    assert reason(keys=[other, key()]) is None
    assert reason(keys=[key("SHA512", key_id="x"), key()]) is None


@pytest.mark.parametrize("bits", [1024, 3072])
def test_key_may_have_any_size(bits):
    """The vendor's own sample key has 1024 bits."""
    private = rsa.generate_private_key(65537, bits)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signed = (VECTOR["request_line"] + VECTOR["date"] + VECTOR["body"]).encode()
    signature = base64.b64encode(private.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()
    keys = [key(public_key=base64.b64encode(public).decode())]
    assert reason(keys=keys, x_messagemedia_signature=signature) is None
    assert reason(keys=keys) == "its signature is wrong"


@pytest.mark.parametrize(
    "header", ["x_messagemedia_key_id", "x_messagemedia_digest_type", "x_messagemedia_cipher_type"]
)
def test_strange_headers_are_told_on_one_line(header):
    said = reason(**{header: "a\x1b[2J\x9b" + "x" * 500})
    assert said is not None
    assert said.isprintable()
    assert len(said) < 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"public_key": "AAAA"}, "public_key cannot be read"),
        ({"public_key": "no base64!"}, "public_key cannot be read"),
        ({"public_key": ""}, "public_key cannot be read"),
        ({"digest": "MD5"}, "RSA with MD5 is not known"),
        ({"cipher": "DSA"}, "DSA with SHA256 is not known"),
        ({"public_key": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="}, "none of RSA's"),
    ],
)
def test_stored_key_that_is_none_is_said_to_be(changes, words):
    with pytest.raises(BadKey, match=words) as refused:
        Verifier([key(**changes)])
    assert VECTOR["key_id"] in str(refused.value)
