"""The webhooks that a project wants at the provider: one per kind of event, with addresses of their own.

An address may carry `?v=N`: url and method are unique at the provider, so a replacement needs an address that differs
from the one it replaces, and ours does not look at the query. The first has none.
"""

import re

import msgspec

from sinchflow.errors import CannotStart
from sinchflow.model.project import Webhooks
from sinchflow.runtime.connections import Hooks
from sinchflow.sinch.webhooks import EVENTS, KINDS, TEMPLATES

#: Marks a webhook as made by a deployment of sinchflow: `NAME/KIND`.
MARKER = "X-Sinchflow"
SECRET = "X-Sinchflow-Secret"

_VERSION = re.compile(r"\?v=([1-9][0-9]{0,8})$")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook as it should be. url: without a version. read_timeout: in milliseconds; retry_delay: in seconds."""

    kind: str
    url: str
    method: str = "POST"
    encoding: str = "JSON"
    events: tuple[str, ...]
    headers: dict[str, str]
    template: str
    read_timeout: int
    retries: int
    retry_delay: int


def wanted_webhooks(hooks: Hooks, settings: Webhooks, account: str) -> tuple[Wanted, ...]:
    """What this account should have. Raises CannotStart when the project has no public address, or one of no use."""
    public_url = _public_url(hooks)
    secret = {} if hooks.secret is None else {SECRET: _header_value(hooks.secret)}
    return tuple(
        Wanted(
            kind=kind,
            url=public_url + hooks.path(account, kind),
            events=tuple(EVENTS[kind]),
            headers={MARKER: f"{settings.name}/{kind}", **secret},
            template=TEMPLATES[kind],
            read_timeout=round(settings.read_timeout.total_seconds() * 1000),
            retries=settings.retries,
            retry_delay=round(settings.retry_delay.total_seconds()),
        )
        for kind in KINDS
    )


def split_version(url: str) -> tuple[str, int]:
    """The address without its version, and the version: 1 where there is none."""
    found = _VERSION.search(url)
    return (url, 1) if found is None else (url[: found.start()], int(found[1]))


def with_version(url: str, version: int) -> str:
    """The address in this version."""
    return url if version == 1 else f"{url}?v={version}"


def _header_value(secret: str) -> str:
    if not re.fullmatch(r"[!-~](?:[ -~]{0,998}[!-~])?", secret):
        raise CannotStart("webhooks.secret travels in a header: it may hold up to 1000 printable ASCII characters")
    return secret


def _public_url(hooks: Hooks) -> str:
    """Velocity reads URLs too, so its signs may not stand in ours (sinch-api.md section 6)."""
    url = hooks.public_url
    if url is None:
        raise CannotStart(
            "the project does not say at which address Sinch reaches it: set "
            "`webhooks: {public_url: https://sms.example.com}` in sinchflow.yaml, without /hooks/…"
        )
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", url):
        raise CannotStart(
            f"webhooks.public_url {url!r} is no address that Sinch can call: "
            "it is https://HOST, perhaps with a path, without a query"
        )
    for what, text in (("public_url", url), ("token", hooks.token)):
        if re.search(r"[$#?\s]", text):
            raise CannotStart(f"webhooks.{what} may not hold $, #, ? or blanks: Sinch would read them as its own")
    return url
