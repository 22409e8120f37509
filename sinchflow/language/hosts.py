"""Whom an address that is written out calls: its host, and whether that is a machine of one's own network."""

from functools import lru_cache
from urllib.parse import urlsplit

from sinchflow.expression.addresses import Reach, literal_address

#: Endings of names that no public server has: RFC 6761, 6762 and 8375, ICANN's reserved `internal`, and customs.
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".intranet", ".corp")


def host_of(url: str) -> str | None:
    """The host, when it is written out whole: nothing of it is filled in later."""
    if "://" not in url:
        return None
    prefix = url.partition("{")[0]
    end = min((at for sign in "/?#" if (at := url.find(sign, url.find("://") + 3)) >= 0), default=len(url))
    if len(prefix) < end:
        return None
    try:
        return urlsplit(url[:end]).hostname
    except ValueError:
        return None


@lru_cache(maxsize=2_000)
def private_meaning(host: str, allow: tuple[str, ...] = ()) -> str | None:
    """What the host is, when it is an address that is private and not in `allow` (`outbound.allow`): the address."""
    address = "127.0.0.1" if host.rstrip(".") == "localhost" else literal_address(host)
    return None if address is None or Reach(allow).permits(host, address) else address


def is_private_name(host: str) -> bool:
    """Whether only machines of one's own network have such names."""
    return host.rstrip(".").endswith(_PRIVATE_ENDINGS)
