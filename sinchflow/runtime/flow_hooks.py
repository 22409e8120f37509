"""Flows' own webhooks, `/flows/PATH`: which flow an address is for, and whether the caller may start it.

One index per catalog, with the secrets filled in. It decides and says why not; answering is `flow_calls`'s.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Sequence

import msgspec

from sinchflow.model.flow import Flow, Hmac, Text, Webhook
from sinchflow.runtime.guard import Refusal

PREFIX = "/flows"
TOKEN_HEADER = b"x-token"

_Headers = Iterable[tuple[bytes, bytes]]


class FlowHook(msgspec.Struct, frozen=True, kw_only=True):
    """One `webhook` trigger. token, key: what the header `X-Token` must hold, and with what the body is signed."""

    flow: Flow
    trigger: Webhook
    token: bytes | None = None
    key: bytes | None = None

    def __repr__(self) -> str:
        return f"FlowHook({self.trigger.path})"  # a secret has no place in a log

    @property
    def secret_headers(self) -> frozenset[bytes]:
        """Headers that show who the caller is: they are not kept."""
        signature = () if self.trigger.hmac is None else (self.trigger.hmac.header.lower().encode(),)
        return frozenset({TOKEN_HEADER, b"authorization", b"proxy-authorization", b"cookie", *signature})

    def check_token(self, headers: _Headers) -> None:
        """Raises Refusal when the trigger has a token and the caller does not know it."""
        if self.token is None:
            return
        shown = _header(headers, TOKEN_HEADER)
        if shown is None:
            raise Refusal(401, "the header X-Token is missing: it must hold the token of this webhook")
        if not hmac.compare_digest(shown, self.token):
            raise Refusal(401, "the header X-Token does not hold the token of this webhook")

    def check_signature(self, headers: _Headers, body: bytes) -> None:
        """Raises Refusal when the trigger has `hmac` and the body is not signed with its secret."""
        if self.key is None or self.trigger.hmac is None:
            return
        name, algorithm = self.trigger.hmac.header, self.trigger.hmac.algorithm
        shown = _header(headers, name.lower().encode())
        if shown is None:
            raise Refusal(401, f"the header {name} is missing: it must hold the HMAC-{algorithm.upper()} of the body")
        digest = hmac.digest(self.key, body, algorithm)
        found = _digest_in(shown, algorithm, len(digest))
        if found is None:
            raise Refusal(401, f"the header {name} holds no HMAC-{algorithm.upper()}, neither in hex nor in base64")
        if not hmac.compare_digest(found, digest):
            raise Refusal(401, f"the header {name} does not fit the body and this webhook's secret")


class FlowHooks:
    """The webhooks of all enabled flows, by path and method. secret: fills in a text; raises CannotStart."""

    def __init__(self, flows: Sequence[Flow], secret: Callable[[Text, str], str]) -> None:
        self._by_path: dict[str, dict[str, FlowHook]] = {}
        for flow in flows:
            for trigger in flow.triggers:
                if flow.enabled and isinstance(trigger, Webhook):
                    hook = FlowHook(
                        flow=flow,
                        trigger=trigger,
                        token=None if trigger.token is None else secret(trigger.token, "the webhook's token").encode(),
                        key=_key(trigger.hmac, secret),
                    )
                    methods = self._by_path.setdefault(trigger.path, {})
                    for method in trigger.method:
                        methods.setdefault(method, hook)

    def find(self, path: str, method: str) -> FlowHook:
        """The webhook at this path of the port. Raises Refusal."""
        methods = self._by_path.get(path.removeprefix(PREFIX))
        if methods is None:
            raise Refusal(404, "no such path: no flow that is switched on has a webhook here")
        hook = methods.get(method)
        if hook is None:
            allowed = ", ".join(sorted(methods))
            reason = f"method {method[:20]} is not allowed: this webhook takes {allowed}"
            raise Refusal(405, reason, headers=((b"allow", allowed.encode()),))
        return hook


def _key(signed: Hmac | None, secret: Callable[[Text, str], str]) -> bytes | None:
    return None if signed is None else secret(signed.secret, "hmac.secret").encode()


def _header(headers: _Headers, wanted: bytes) -> bytes | None:
    return next((value.strip() for name, value in headers if name == wanted), None)


def _digest_in(shown: bytes, algorithm: str, size: int) -> bytes | None:
    """The digest that a header holds, in hex or base64, perhaps after the algorithm's name; None: there is none."""
    written = shown.removeprefix(f"{algorithm}=".encode())
    try:
        digest = bytes.fromhex(written.decode("ascii")) if len(written) == 2 * size else _from_base64(written)
    except (ValueError, binascii.Error):
        return None
    return digest if len(digest) == size else None


def _from_base64(written: bytes) -> bytes:
    """Also of the URL-safe kind, and without the padding."""
    padding = b"=" * (-len(written) % 4)
    return base64.b64decode(written.translate(bytes.maketrans(b"-_", b"+/")) + padding, validate=True)
