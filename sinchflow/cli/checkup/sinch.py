"""The provider, as each account of the project reaches it: key, clock, webhooks, signatures, senders."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from sinchflow.cli.checkup.finding import Finding, fail, ok, skipped, warn
from sinchflow.cli.provider import PacedCalls, Provider
from sinchflow.deploy.drift import drifted
from sinchflow.errors import CannotStart
from sinchflow.runtime.connections import Connection, Hooks, open_client
from sinchflow.runtime.keyring import read_keys
from sinchflow.runtime.settled import SEND_ID
from sinchflow.sinch import signature_keys
from sinchflow.sinch.client import Answer, Calls, NotSent, Unknown
from sinchflow.sinch.detail_reports import find
from sinchflow.sinch.failure import CallFailed
from sinchflow.sinch.senders import gather_senders
from sinchflow.sinch.webhooks import list_webhooks

#: The Date header has whole seconds, and the answer is some time on its way.
_CLOSE = timedelta(seconds=10)
#: Signatures are refused at 15 minutes; how far off an HMAC's date may be is not documented (sinch-api.md section 2.2).
_TOO_FAR = timedelta(minutes=5)
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_PATIENCE_S = 5.0
#: No message of anybody's has this id.
_NOBODY = "sinchflow-doctor-000"


class _Watched:
    """Calls that are looked at: the last answer, and when it came."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.answer: Answer | None = None
        self.came_at: datetime | None = None

    async def call(self, method: str, target: str, body: bytes = b"") -> Answer | NotSent | Unknown:
        """See `Client.call`."""
        result = await self._calls.call(method, target, body)
        if isinstance(result, Answer):
            self.answer, self.came_at = result, datetime.now(UTC)
        return result


def account(root: Path, name: str) -> Iterator[Finding]:
    """All that can be asked of one account, with some ten calls that change nothing."""
    provider = Provider(root)
    connection = provider.connection(name)
    yield from asyncio.run(_Account(provider, connection, root).findings())


class _Account:
    def __init__(self, provider: Provider, connection: Connection, root: Path) -> None:
        self._provider = provider
        self._connection = connection
        self._root = root
        self._suffix = "" if len(provider.project.all_accounts) == 1 else f" ({connection.account})"

    async def findings(self) -> list[Finding]:
        async with open_client(self._connection) as client:
            calls = _Watched(PacedCalls(client, self._connection.limits))
            try:
                await list_webhooks(calls)
            except CallFailed as failure:
                found = [await self._no_answer(failure)]
            else:
                found = [ok(self._name("provider"), f"{self._connection.base_url} answers, and takes the key")]
                found += await self._rest(calls)
            return [*found, *self._clock(calls)]

    async def _rest(self, calls: Calls) -> list[Finding]:
        found: list[Finding] = []
        for name, look in (
            ("webhooks", self._webhooks), ("signature keys", self._keys), ("senders", self._senders),
            ("detail report", self._report),
        ):  # fmt: skip
            try:
                found.append(await look(calls))
            except CallFailed as failure:
                found.append(warn(self._name(name), failure.message, "try again later", is_outside=True))
        return found

    async def _no_answer(self, failure: CallFailed) -> Finding:
        name, url = self._name("provider"), self._connection.base_url
        if failure.kind == "unauthorised":
            other = "basic" if self._connection.auth == "hmac" else "hmac"
            if await self._works_as(other):
                hint = f"the key is of the kind {other}: set `credentials: {{auth: {other}}}` in sinchflow.yaml"
            else:
                hint = "check the key and the secret, and that the key is one of this service"
            return fail(name, f"{url} refuses the key: {failure.message}", hint)
        if failure.kind == "connection":
            return await asyncio.to_thread(_not_reached, name, url, failure.message)
        return fail(name, failure.message, "see what it says; `base_url` and `service` may be wrong", is_outside=True)

    async def _works_as(self, auth: str) -> bool:
        """Whether the same key is taken when it proves itself the other way."""
        other = replace(self._connection, auth=auth)
        try:
            async with open_client(other) as client:
                await list_webhooks(client)
        except (CallFailed, UnicodeError):
            return False
        return True

    def _clock(self, calls: _Watched) -> Iterator[Finding]:
        """The provider's clock against ours: whatever it answers has a date."""
        if calls.answer is None or calls.came_at is None:
            return
        try:
            theirs = parsedate_to_datetime(calls.answer.headers.get("date", ""))
        except (ValueError, TypeError):
            return
        apart = abs(calls.came_at - theirs)
        words = f"{apart.total_seconds():.0f} s apart from the provider's"
        hint = "keep the clock right with NTP: `timedatectl set-ntp true`"
        if apart > _TOO_FAR:
            yield fail(self._name("clock"), f"{words}: HMAC keys and signatures are refused", hint)
        elif apart > _CLOSE:
            yield warn(self._name("clock"), words, hint)
        else:
            yield ok(self._name("clock"), "agrees with the provider's")

    async def _webhooks(self, calls: Calls) -> Finding:
        name = self._name("webhooks")
        try:
            hooks: Hooks = self._provider.hooks()
        except CannotStart as error:
            return skipped(name, str(error).splitlines()[0])
        if hooks.public_url is None:
            return skipped(name, "without webhooks.public_url nobody can say what they should be")
        different = await drifted(calls, hooks, self._provider.project.webhooks, self._connection.account)
        if not different:
            return ok(name, "registered as the project says")
        return fail(name, "; ".join(different), "`sinchflow plan`, then `sinchflow apply`")

    async def _keys(self, calls: Calls) -> Finding:
        name, account = self._name("signature keys"), self._connection.account
        stored = {key.key_id for key in read_keys(self._root) if key.account == account}
        setting = self._provider.project.webhooks.signature
        is_demanded = setting == "on" or (setting == "auto" and bool(stored))
        try:
            enabled = await signature_keys.enabled_key(calls)
        except CallFailed as failure:
            if failure.status != 403:
                raise
            if is_demanded:
                return fail(
                    name, "the account does not sign, and the daemon demands it", "`webhooks: {signature: off}`"
                )
            return ok(name, "the account does not sign; token and secret header stand on their own")
        if not is_demanded:
            return ok(name, "not demanded" if enabled is None else "pushes are signed; the daemon does not look")
        if enabled is None:
            return fail(name, "nothing is signed, and the daemon refuses what is not", "`sinchflow keys list`")
        if enabled.key_id not in stored:
            return fail(name, f"pushes are signed with {enabled.key_id}, not stored here", "`sinchflow keys list`")
        return ok(name, "pushes are signed with a stored key")

    async def _senders(self, calls: Calls) -> Finding:
        name, number = self._name("senders"), self._connection.source_number
        found = await gather_senders(calls, number)
        listed = found["senders"]
        if number is None:
            return ok(name, f"{len(listed)} to send from; without source_number the provider chooses")
        if any(sender["is_default"] for sender in listed):
            return ok(name, f"{number} is one of the account's")
        return warn(
            name,
            f"source_number {number} is not one of the account's {len(listed)}: messages from it may be refused",
            "`sinchflow senders` lists them; register it with Sinch, or choose another",
        )

    async def _report(self, calls: Calls) -> Finding:
        """Where messages of unknown outcome are looked up; it need not be the account's to read."""
        name, now = self._name("detail report"), datetime.now(UTC)
        try:
            await find(calls, SEND_ID, {_NOBODY}, now - timedelta(minutes=5), now)
        except CallFailed as failure:
            if failure.kind != "refused":
                raise
            return warn(
                name,
                f"cannot be read, so messages of unknown outcome are held: {failure.message}",
                "ask Sinch for the reporting API, or choose `sends: {on_unknown: …}` in sinchflow.yaml",
            )
        return ok(name, "can be read: messages of unknown outcome are looked up there")

    def _name(self, check: str) -> str:
        return f"{check}{self._suffix}"


def _not_reached(name: str, url: str, words: str) -> Finding:
    """Which step on the way to the provider fails: its name, the connection, TLS."""
    what, hint = _obstacle(url)
    if proxy := next((each for each in _PROXIES if os.environ.get(each)), None):
        hint += f"; {proxy} is set, but sinchflow goes to Sinch directly: let it through the firewall"
    return fail(name, f"{words}: {what}", hint, is_outside=True)


def _obstacle(url: str) -> tuple[str, str]:
    """What is in the way, and what to do."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    try:
        with closing(socket.create_connection((host, parts.port or (443 if is_tls else 80)), _PATIENCE_S)) as plain:
            if is_tls:
                import httpx

                with httpx.create_ssl_context(trust_env=False).wrap_socket(plain, server_hostname=host):
                    pass
    except (socket.gaierror, UnicodeError):
        return "its name cannot be resolved", "check this machine's DNS, and `service` or `base_url`"
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not trusted here ({error.verify_message})",
            "is a proxy reading along, or the clock wrong?",
        )
    except ssl.SSLError as error:
        return f"no TLS ({error.reason})", "check `base_url`, and what stands in between"
    except ConnectionRefusedError:
        return "the connection is refused", "check `base_url`, and the firewall"
    except TimeoutError:
        return "no connection in time", "check the firewall: it must let https out"
    except OSError as error:
        return error.strerror or str(error), "check this machine's network"
    return "now it can be reached", "try again"
