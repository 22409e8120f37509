"""How the provider is reached and reaches us: the project's settings with secrets filled in.

Used by the daemon's catalog and by commands that talk to the provider without a daemon.
"""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import msgspec

from sinchflow.engine.scope import SETTINGS_SCOPE
from sinchflow.errors import CannotStart
from sinchflow.expression.template import ExpressionError, Templates
from sinchflow.model.flow import Text
from sinchflow.model.project import DEFAULT_ACCOUNT, Account, CatchUp, Limits, Project
from sinchflow.runtime.secrets import Secrets
from sinchflow.sinch.services import SERVICES

if TYPE_CHECKING:
    from sinchflow.sinch.client import Client

_PATH_PART = re.compile(r"[A-Za-z0-9._~+=-]+")
_QUOTABLE = re.compile(r"[ !#-~]+")


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """How one account is reached: all filled in."""

    account: str = DEFAULT_ACCOUNT
    base_url: str
    api_key: str
    api_secret: str
    auth: Literal["basic", "hmac"] = "basic"
    sub_account: str | None = None
    source_number: str | None = None
    limits: Limits = Limits()
    catch_up: CatchUp | None = None

    def __repr__(self) -> str:
        return f"Connection({self.account}, {self.base_url})"  # a secret has no place in a log

    @property
    def peer(self) -> tuple[str | None, ...]:
        """What a client is made of: it need not be made again while this stays the same."""
        return (self.base_url, self.api_key, self.api_secret, self.auth, self.sub_account)


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """How the provider reaches us: all filled in.

    public_url: without a slash at the end; its path is what a proxy takes off. secret: what the header must hold.
    """

    token: str
    secret: str | None = None
    public_url: str | None = None

    def __repr__(self) -> str:
        return f"Hooks({self.public_url})"

    def path(self, account: str, kind: str) -> str:
        """Path of a webhook on our port: `/hooks/TOKEN[/ACCOUNT]/KIND`."""
        middle = "" if account == DEFAULT_ACCOUNT else f"/{account}"
        return f"/hooks/{self.token}{middle}/{kind}"

    @property
    def prefix(self) -> str:
        """The path that public addresses have before ours, as in `/sms`; empty where there is none."""
        return "" if self.public_url is None else urlsplit(self.public_url).path.rstrip("/")


class Settings:
    """The project's texts, rendered: `secrets.NAME` filled in, `env.NAME` where the project lists the name."""

    def __init__(
        self, project: Project, secrets: Secrets, templates: Templates, environ: Mapping[str, str] | None = None
    ) -> None:
        environ = os.environ if environ is None else environ
        self.env = {name: environ[name] for name in project.env if name in environ}
        self._project = project
        self._secrets = secrets
        self._templates = templates
        self._scope: Mapping[str, Any] = {**SETTINGS_SCOPE, "env": self.env}

    def connections(self) -> dict[str, Connection]:
        """Every account's, the default one's first. Raises CannotStart when one cannot be reached as described."""
        return {name: self.connection(account) for name, account in self._project.all_accounts.items()}

    def connection(self, account: Account) -> Connection:
        """One account's. Raises CannotStart."""
        where = "the project" if account.name == DEFAULT_ACCOUNT else f'account "{account.name}"'
        if account.base_url is not None:
            base_url = self._text(account.base_url)
            if "@" in base_url.partition("://")[2].partition("/")[0]:
                raise CannotStart(
                    f"{account.base_url.origin}: base_url holds a login, which Sinch does not use, and which would be "
                    "told wherever the address is: take it out; keys go under `credentials:`"
                )
        elif account.service is None:
            raise CannotStart(
                f"{where} does not say which Sinch service to use: "
                f"set `service:` (one of {', '.join(SERVICES)}) or `base_url:` in sinchflow.yaml"
            )
        else:
            base_url = SERVICES[account.service]
        if account.credentials is None:
            raise CannotStart(
                f"{where} has no API key: set `credentials:` in sinchflow.yaml, for example "
                'credentials: {api_key: "{{ secrets.SINCH_API_KEY }}", api_secret: "{{ secrets.SINCH_API_SECRET }}"}'
            )
        api_key = self._filled(account.credentials.api_key, "api_key")
        if account.credentials.auth == "hmac" and not _QUOTABLE.fullmatch(api_key):
            raise CannotStart(
                f"{account.credentials.api_key.origin}: this api_key cannot be one of the kind HMAC: "
                "those are printable ASCII without quotation marks"
            )
        return Connection(
            account=account.name,
            base_url=base_url,
            api_key=api_key,
            api_secret=self._filled(account.credentials.api_secret, "api_secret"),
            auth=account.credentials.auth,
            sub_account=account.sub_account,
            source_number=account.source_number,
            limits=account.limits,
            catch_up=account.catch_up,
        )

    def hooks(self) -> Hooks:
        """How the provider reaches us. Raises CannotStart when there is no token, or one of no use."""
        webhooks = self._project.webhooks
        if webhooks.token is None:
            raise CannotStart(
                "the project has no webhook token, the secret part of the URLs that Sinch calls: set "
                '`webhooks: {token: "{{ secrets.HOOK_TOKEN }}"}` in sinchflow.yaml and SINCHFLOW_SECRET_HOOK_TOKEN'
            )
        public_url = None if webhooks.public_url is None else self._text(webhooks.public_url).rstrip("/")
        token = self._filled(webhooks.token, "token")
        if not _PATH_PART.fullmatch(token) or not token.strip("."):
            raise CannotStart(
                f"{webhooks.token.origin}: webhooks.token is one part of an address: it may hold ASCII letters, digits "
                "and - _ . ~ + = only; make one with `openssl rand -hex 24`"
            )
        return Hooks(
            token=token,
            secret=None if webhooks.secret is None else self._filled(webhooks.secret, "secret"),
            public_url=public_url or None,
        )

    def secret(self, text: Text, what: str) -> str:
        """A secret text of a flow's trigger, filled in. Raises CannotStart, also when it is empty."""
        return self._filled(text, what)

    def _filled(self, text: Text, what: str) -> str:
        """The text, which must not be empty: with an empty token, everybody would know it."""
        found = self._text(text)
        if not found:
            raise CannotStart(f"{text.origin}: {what} is empty: give the secret or variable that it is made of a value")
        return found

    def _text(self, text: Text) -> str:
        try:
            return self._secrets.fill(self._templates.text(text, self._scope)).strip()
        except ExpressionError as error:
            raise CannotStart(f"{text.origin}: {error.message}") from error


def open_client(connection: Connection) -> "Client":
    """A client of this connection; the caller closes it."""
    from sinchflow.sinch.client import BasicKey, Client, HmacKey

    kind = HmacKey if connection.auth == "hmac" else BasicKey
    key = kind(api_key=connection.api_key, api_secret=connection.api_secret)
    return Client(connection.base_url, key, sub_account=connection.sub_account)
