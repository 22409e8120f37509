"""Whether a push was signed by the provider (sinch-api.md section 10): RSA over request line, Date and raw body.

What is checked first costs least. Digest and key are ours to say: a header only picks among the keys that are stored,
and one that names another digest than the key's is refused. The signature has no nonce, so a push may be replayed
within the window of its Date; ids tell repeats.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from sinchflow.sinch.words import shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

#: How far a push's Date may lie from now: five retries at their longest, and a clock that is a little off.
WINDOW = timedelta(minutes=15)

Digest = Literal["SHA224", "SHA256", "SHA512"]

_SIGNATURE = b"x-messagemedia-signature"
_DIGEST = b"x-messagemedia-digest-type"
_CIPHER = b"x-messagemedia-cipher-type"
_KEY_ID = b"x-messagemedia-key-id"

#: IMF-fixdate, RFC 9110 section 5.6.7, and nothing else.
_DATE = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([0-9]{4}) "
    rb"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


class SignatureKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the provider's with which it signs. public_key: base64 of a DER SubjectPublicKeyInfo."""

    key_id: str
    public_key: str
    digest: str
    cipher: str = "RSA"
    account: str = "default"
    created: str | None = None


class BadKey(ValueError):
    """A stored key that cannot be used; the message is one line."""


class Verifier:
    """Checks pushes against these keys. Raises BadKey when one of them is no key."""

    def __init__(self, keys: Iterable[SignatureKey]) -> None:
        self._keys = {key.key_id: (normalised(key.digest), _verify(key)) for key in keys}

    def reason(self, request_line: bytes, headers: Mapping[bytes, bytes], body: bytes, now: datetime) -> str | None:
        """Why the push is not to be trusted; None when it is genuine.

        request_line: `METHOD TARGET HTTP/1.1` as the provider wrote it, query included. headers: lower-case names.
        """
        date = headers.get(b"date", b"")
        sent_at = _date(date)
        if _SIGNATURE not in headers:
            return "it is not signed, although a signature key is stored"
        if sent_at is None:
            return "its Date header is missing or no date of HTTP's form"
        if abs(now - sent_at) > WINDOW:
            return f"its Date is more than {WINDOW // timedelta(minutes=1)} minutes off"
        key_id = headers.get(_KEY_ID, b"").decode("latin-1")
        if key_id not in self._keys:
            return f'it is signed with the key "{shown(key_id, 50)}", whose public part is not stored'
        digest, verify = self._keys[key_id]
        named = headers.get(_DIGEST)
        if named is not None and normalised(named.decode("latin-1")) != digest:
            return f"it names the digest {shown(named.decode('latin-1'), 20)}, but the key's is {digest}"
        cipher = headers.get(_CIPHER, b"RSA")
        if cipher.upper() != b"RSA":
            return f"it names the cipher {shown(cipher.decode('latin-1'), 20)}, but the key's is RSA"
        try:
            signature = base64.b64decode(headers[_SIGNATURE], validate=True)
        except binascii.Error:
            return "its signature is no base64"
        return None if verify(signature, request_line + date + body) else "its signature is wrong"


def normalised(digest: str) -> str:
    """`SHA-512`, `sha512` and `SHA512` are one name."""
    return digest.strip().upper().replace("-", "")


def _date(text: bytes) -> datetime | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second = found.groups()
    try:
        return datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None


def _verify(key: SignatureKey) -> Callable[[bytes, bytes], bool]:
    """A function of signature and signed bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digests: dict[str, hashes.HashAlgorithm] = {
        "SHA224": hashes.SHA224(), "SHA256": hashes.SHA256(), "SHA512": hashes.SHA512()
    }  # fmt: skip
    digest = normalised(key.digest)
    if digest not in digests or key.cipher.upper() != "RSA":
        raise BadKey(f"signature key {key.key_id}: {key.cipher} with {key.digest} is not known here")
    public_key, algorithm = _public_key(key), digests[digest]

    def verify(signature: bytes, signed: bytes) -> bool:
        try:
            public_key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            return False
        return True

    return verify


def _public_key(key: SignatureKey) -> "RSAPublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public_key = load_der_public_key(base64.b64decode("".join(key.public_key.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(f"signature key {key.key_id}: its public_key cannot be read; store it again") from error
    if not isinstance(public_key, RSAPublicKey):
        raise BadKey(f"signature key {key.key_id}: its public_key is none of RSA's")
    return public_key
