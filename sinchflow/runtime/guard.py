"""Who may push to the webhook port: the token in the path, the secret header, the provider's signature.

One guard per catalog. It decides and says why not; answering and counting are the ingress's.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sinchflow.model.project import DEFAULT_ACCOUNT
from sinchflow.runtime.connections import Hooks

if TYPE_CHECKING:
    from sinchflow.sinch.signature import Verifier

#: The last part of a webhook's path. Callbacks are asked for per message and carry no headers of ours.
KINDS = frozenset({"inbound", "receipts", "opt-outs", "callback"})
#: In a scope's `state`: called by the application once the caller has shown that it is no stranger to the port.
WELCOME = "welcome"
SECRET_HEADER = b"x-sinchflow-secret"


class Refusal(Exception):
    """The request is not taken. `status`: of HTTP. `alarm`: for operators, where a push of the provider's is lost.

    problems: all that is wrong with the request, where it can be more than one thing.
    """

    def __init__(
        self, status: int, reason: str, *, headers: tuple[tuple[bytes, bytes], ...] = (), alarm: str | None = None,
        problems: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers
        self.alarm = alarm
        self.problems = problems


class Door(msgspec.Struct, frozen=True):
    """Which webhook was called, once the token has been seen."""

    account: str
    kind: str


class Guard:
    """verifiers: by account, for those that must sign."""

    def __init__(self, hooks: Hooks, accounts: Iterable[str], verifiers: "Mapping[str, Verifier]") -> None:
        self._token = hooks.token.encode()
        self._secret = None if hooks.secret is None else hooks.secret.encode()
        self._prefix = hooks.prefix.encode()
        self._accounts = frozenset(accounts) - {DEFAULT_ACCOUNT}
        self._verifiers = verifiers

    def door(self, path: str) -> Door:
        """The webhook at `/hooks/TOKEN[/ACCOUNT]/KIND`. Raises Refusal."""
        parts = path.split("/")
        if len(parts) not in (4, 5) or parts[1] != "hooks" or parts[-1] not in KINDS:
            raise Refusal(404, "no such path: webhooks are /hooks/TOKEN/inbound, …/receipts, …/opt-outs, …/callback")
        if not hmac.compare_digest(parts[2].encode("utf-8", "surrogatepass"), self._token):
            raise Refusal(404, "no such path: the token is not the one in `webhooks.token`")
        if len(parts) == 4:
            return Door(DEFAULT_ACCOUNT, parts[3])
        if parts[3] not in self._accounts:
            raise Refusal(404, f'no such path: there is no account "{parts[3][:50]}" under `accounts:`')
        return Door(parts[3], parts[4])

    def secret_state(self, headers: Iterable[tuple[bytes, bytes]]) -> Literal["off", "ok", "missing", "wrong"]:
        """What the secret header says."""
        if self._secret is None:
            return "off"
        shown = next((value for name, value in headers if name == SECRET_HEADER), None)
        if shown is None:
            return "missing"
        return "ok" if hmac.compare_digest(shown, self._secret) else "wrong"

    def check_secret(self, door: Door, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Raises Refusal when an account webhook does not carry the secret."""
        if self._secret is None or door.kind == "callback":
            return
        state = self.secret_state(headers)
        if state != "ok":
            reason = f"the header X-Sinchflow-Secret is {state}"
            raise Refusal(403, reason, alarm=f"pushes are refused: {reason}; register the webhooks with `apply`")

    def check_signature(
        self, door: Door, scope: MutableMapping[str, Any], body: bytes, clock: Callable[[], datetime]
    ) -> None:
        """Raises Refusal when the account must sign and this is not signed as it should be."""
        verifier = self._verifiers.get(door.account)
        if verifier is None:
            return
        query = scope["query_string"]
        target = self._prefix + scope["raw_path"] + (b"?" + query if query else b"")
        line = b"%s %s HTTP/1.1" % (scope["method"].encode(), target)
        reason = verifier.reason(line, dict(scope["headers"]), body, clock())
        if reason is not None:
            raise Refusal(403, reason, alarm=f"pushes are refused: {reason}")
