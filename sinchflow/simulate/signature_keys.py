"""Signature keys and what they sign: pushes and callbacks (sinch-api.md section 10).

While a key is enabled every push carries a signature over its request line, `Date` and body, run together. Keys are
real RSA keys. What the documents leave open is decided so: deleting the enabled key disables it; keys belong to the
main account, and sign for its sub-accounts too.
"""

import base64
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from sinchflow.simulate.bodies import written
from sinchflow.simulate.call import Call, bad_request, not_allowed
from sinchflow.simulate.posting import Signer
from sinchflow.simulate.web import Reply

if TYPE_CHECKING:  # cryptography takes 0.1 s to import: only who makes a key pays for it
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PATH = "/v1/iam/signature_keys"
DIGESTS = ("SHA224", "SHA256", "SHA512")
_BITS = 2048
_ENABLED = "enabled"


class SignatureKey(msgspec.Struct, kw_only=True):
    """One key, as the API shows it; `public_key` is shown once."""

    key_id: str
    public_key: str
    cipher: str
    digest: str
    created: str
    enabled: bool = False

    def shown(self) -> dict[str, Any]:
        """As every answer but the first has it."""
        return {name: value for name, value in msgspec.to_builtins(self).items() if name != "public_key"}


class SignatureKeys:
    """The account's keys, oldest first. on_change: given what signs from now on, None when no key is enabled."""

    def __init__(self, on_change: Callable[[Signer | None], None]) -> None:
        self._keys: dict[str, tuple[SignatureKey, RSAPrivateKey]] = {}
        self._on_change = on_change

    def create(self, digest: str = "SHA256") -> SignatureKey:
        """Make a key, not enabled yet."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        private = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        key = SignatureKey(
            key_id=str(uuid.uuid4()),
            public_key=base64.b64encode(public).decode(),
            cipher="RSA",
            digest=digest,
            created=written(datetime.now(UTC)),
        )
        self._keys[key.key_id] = (key, private)
        return key

    def enable(self, key_id: str | None) -> None:
        """Sign with this key alone; None: with none. Raises KeyError."""
        chosen = None if key_id is None else self._keys[key_id]
        for key, _ in self._keys.values():
            key.enabled = chosen is not None and key is chosen[0]
        self._on_change(None if chosen is None else _signer(*chosen))

    def answer(self, call: Call) -> Reply:
        """The endpoints of /v1/iam/signature_keys."""
        id_ = call.path.removeprefix(PATH).removeprefix("/")
        match call.method, id_:
            case "GET", "":
                return self._page(call)
            case "POST", "":
                return self._create(call)
            case "GET", "enabled":
                enabled = next((key for key, _ in self._keys.values() if key.enabled), None)
                return _not_found("Currently no key is enabled") if enabled is None else Reply(200, enabled.shown())
            case "PATCH", "enabled":
                return self._enable(call)
            case "DELETE", "enabled":
                self.enable(None)
                return Reply(204)
            case (("GET" | "DELETE"), _) if id_ not in self._keys:
                return _not_found("Entity not found")
            case "GET", _:
                return Reply(200, self._keys[id_][0].shown())
            case "DELETE", _:
                if self._keys[id_][0].enabled:
                    self.enable(None)
                del self._keys[id_]
                return Reply(200)
        return not_allowed(call)

    def _page(self, call: Call) -> Reply:
        page, size = call.number("page", None, 1, 1_000_000), call.number("page_size", None, 1, 100)
        wrong = [name for name, number in (("page", page), ("page_size", size)) if number is None]
        if page is None or size is None:
            return bad_request(*(f"{name} property value is invalid" for name in wrong), message="Bad Request")
        found = list(self._keys.values())[(page - 1) * size : page * size]
        return Reply(200, [key.shown() for key, _ in found])

    def _create(self, call: Call) -> Reply:
        asked = call.json() or {}
        details = [
            f"/{name}: [{asked.get(name) or ''}] is invalid"
            for name, allowed in (("cipher", ("RSA",)), ("digest", DIGESTS))
            if asked.get(name) not in allowed
        ]
        if details:
            return bad_request(*details, message="Bad Request")
        return Reply(201, self.create(asked["digest"]))

    def _enable(self, call: Call) -> Reply:
        key_id = (call.json() or {}).get("key_id")
        if not isinstance(key_id, str):
            return bad_request("/key_id: Key id cannot be null", message="Bad Request")
        if key_id not in self._keys:
            return _not_found("Entity not found")
        self.enable(key_id)
        return Reply(200, self._keys[key_id][0].shown())


def _not_found(words: str) -> Reply:
    return Reply(404, {"message": words})


def _signer(key: SignatureKey, private: "RSAPrivateKey") -> Signer:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    digest: hashes.HashAlgorithm = getattr(hashes, key.digest)()

    def sign(request_line: bytes, body: bytes) -> bytes:
        date = format_datetime(datetime.now(UTC), usegmt=True)
        signature = private.sign(request_line + date.encode() + body, PKCS1v15(), digest)
        return (
            f"\r\nDate: {date}\r\nX-MessageMedia-Signature: {base64.b64encode(signature).decode()}"
            f"\r\nX-MessageMedia-Digest-Type: {key.digest}\r\nX-MessageMedia-Cipher-Type: {key.cipher}"
            f"\r\nX-MessageMedia-Key-Id: {key.key_id}"
        ).encode()

    return sign
