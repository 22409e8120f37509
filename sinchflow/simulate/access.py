"""Who may call the simulated Sinch: Basic and HMAC keys, checked from the documents (sinch-api.md section 2) and by
code of its own, so that it is a second opinion on our client's.

What the documents leave open is decided so: the query belongs to the signed request line, a `Date` may be five minutes
off, and `Content-MD5` is there exactly when there is a body.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

AuthKind = Literal["basic", "hmac", "any"]

_SKEW = timedelta(minutes=5)
_PART = re.compile(r'(\w+)="([^"]*)"')


class Access:
    """The account's key. Without an `api_key` any is taken, as long as its kind is right."""

    def __init__(
        self,
        kind: AuthKind,
        api_key: str | None,
        api_secret: str | None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._kind = kind
        self._now = now
        self._key = api_key
        self._secret = (api_secret or "").encode()
        pair = f"{api_key}:{api_secret or ''}".encode()
        self._basic = b"Basic " + base64.b64encode(pair)

    def allows(self, method: str, target: bytes, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        """Whether the request shows the right key. `target`: path and query as on the wire; header names lower-case."""
        shown = headers.get(b"authorization", b"")
        if shown.startswith(b"hmac "):
            return self._kind != "basic" and self._allows_hmac(method, target, headers, body)
        if self._kind == "hmac" or not shown.startswith(b"Basic "):
            return False
        return self._key is None or hmac.compare_digest(shown, self._basic)

    def _allows_hmac(self, method: str, target: bytes, headers: Mapping[bytes, bytes], body: bytes) -> bool:
        if self._key is None:
            return True
        parts = dict(_PART.findall(headers[b"authorization"].decode("latin-1")))
        date = headers.get(b"date", b"").decode("latin-1")
        if not self._is_current(date):
            return False
        lines, names = [f"Date: {date}"], ["Date"]
        if body:
            digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
            if headers.get(b"content-md5", b"").decode("latin-1") != digest:
                return False
            lines.append(f"Content-MD5: {digest}")
            names.append("Content-MD5")
        lines.append(f"{method} {target.decode('latin-1')} HTTP/1.1")
        names.append("request-line")
        expected = {
            "username": self._key,
            "algorithm": "hmac-sha256",
            "headers": " ".join(names),
            "signature": hmac_signature(self._secret, "\n".join(lines)),
        }
        return parts == expected

    def _is_current(self, date: str) -> bool:
        try:
            time = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
        except ValueError:
            return False
        return abs(self._now() - time) <= _SKEW


def hmac_signature(secret: bytes, signing_string: str) -> str:
    """What an HMAC key signs a request with."""
    return base64.b64encode(hmac.digest(secret, signing_string.encode(), "sha256")).decode()
