"""The public address, as Sinch would reach it: name, certificate, and whether our daemon answers there."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sinchflow.cli.checkup.finding import Finding, fail, ok, skipped, warn

_TIMEOUT_S = 10.0
_SOON = timedelta(days=14)


def address(root: Path) -> Iterator[Finding]:
    """What can be said of `webhooks.public_url` without the network, then with it."""
    from sinchflow.cli.provider import Provider

    url = Provider(root).hooks().public_url
    if url is None:
        yield warn(
            "public address",
            "webhooks.public_url is not set: `plan`, `apply` and the look for drift cannot work",
            "`webhooks: {public_url: https://sms.example.com}` in sinchflow.yaml",
        )
        return
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        yield warn("public address", f"{url} is not https: tokens and messages can be read on the way", "use https")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = list(_resolved(host, port))
    yield from (each for each in addresses if isinstance(each, Finding))
    if any(isinstance(each, str) for each in addresses) and parts.scheme == "https":
        yield from certificate(host, port)


def _resolved(host: str, port: int) -> Iterator[Finding | str]:
    """A finding, and the addresses when there are any."""
    try:
        found = sorted({str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        yield fail("public address", f"{host} cannot be resolved: {error}", "check the name, and its DNS records")
        return
    private = [each for each in found if not ipaddress.ip_address(each.partition("%")[0]).is_global]
    if len(private) == len(found):
        yield fail(
            "public address",
            f"{host} is {', '.join(found)} from here: Sinch cannot reach a private address",
            "name the address that the internet sees; where this machine has a DNS of its own, look from outside",
        )
    else:
        yield ok("public address", f"{host} is {', '.join(found)}")
    yield from found


def certificate(host: str, port: int) -> Iterator[Finding]:
    """Whether the certificate that is served there is valid, and for how long."""
    import httpx

    context = httpx.create_ssl_context(trust_env=False)
    try:
        plain = socket.create_connection((host, port), _TIMEOUT_S)
        with closing(plain), context.wrap_socket(plain, server_hostname=host) as secured:
            until = str((secured.getpeercert() or {}).get("notAfter", ""))
    except ssl.SSLCertVerificationError as error:
        yield fail(
            "certificate",
            f"of {host} is not valid: {error.verify_message}",
            "renew it, and serve the whole chain: Sinch refuses to call otherwise",
        )
        return
    except OSError as error:
        yield skipped("certificate", f"{host}:{port} is not reached from here: {error}")
        return
    yield lasting(host, until, datetime.now(UTC))


def lasting(host: str, until: str, now: datetime) -> Finding:
    """How long a certificate is valid. until: as `ssl` tells it."""
    left = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC) - now
    if left < _SOON:
        return warn("certificate", f"of {host} ends in {left.days} days", "renew it")
    return ok("certificate", f"of {host} is valid for {left.days} days")


def answers(root: Path, account: str) -> Iterator[Finding]:
    """Whether our daemon answers at the addresses that Sinch calls for this account."""
    import asyncio

    from sinchflow.cli.provider import Provider
    from sinchflow.deploy.desired import wanted_webhooks
    from sinchflow.deploy.selftest import self_test

    provider = Provider(root)
    hooks = provider.hooks()
    if hooks.public_url is None:
        return
    wanted = wanted_webhooks(hooks, provider.project.webhooks, account)
    suffix = "" if len(provider.project.all_accounts) == 1 else f" ({account})"
    for tested in asyncio.run(self_test(wanted, hooks, account)):
        name = f"webhook {tested.kind}{suffix}"
        if tested.state == "ok":
            yield ok(name, f"{tested.url}: {tested.words}")
        elif tested.state == "unreachable":
            yield skipped(name, f"{tested.url}: {tested.words}")
        else:
            yield fail(name, f"{tested.url}: {tested.words}", "start the daemon, and look at the proxy's configuration")
