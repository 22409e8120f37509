"""Which addresses `http` steps may reach: public ones, and those that `outbound.allow` names. Pure.

What dials and what judges flows ask the same questions here, so that they agree.
"""

import ipaddress
import re
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IPv4 addresses written into the last 32 bits of IPv6: RFC 6052, and RFC 4291 section 2.5.5.1.
_HOLDS_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
#: Unspecified and loopback, which lie in the second of them.
_OWN_IPV6 = frozenset({ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1")})
#: All that IANA has given out for the public (RFC 4291 section 2.4). Python takes for global what nobody owns, and
#: what some routers still translate: `::ffff:0:a.b.c.d` (RFC 2765), `fec0::/10`, `64:ff9b:1::/48` (RFC 8215).
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
#: Not public although Python says so: protocol assignments with Oracle's metadata service in them, relays for 6to4
#: (RFC 7526), what Azure serves its machines with, documentation (RFC 9637).
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20")))
#: A part of an IPv4 address as inet_aton(3) reads it: hexadecimal, octal or decimal.
_PART = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_LONGEST_PART = 20


class Reach:
    """The addresses, networks and host names that may be reached although they are private."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._hosts: set[str] = set()
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._hosts.add(entry.lower())

    @property
    def has_networks(self) -> bool:
        """Whether any address is named, which a host's name may stand for."""
        return bool(self._networks)

    def permits(self, host: str, address: str) -> bool:
        """Whether `address`, which `host` stands for, may be reached."""
        if self.names(host):
            return True
        candidate = _inner(ipaddress.ip_address(address.partition("%")[0]))
        if any(candidate.version == network.version and candidate in network for network in self._networks):
            return True
        return _is_public(candidate)

    def names(self, host: str) -> bool:
        """Whether the host is named itself."""
        return host.lower() in self._hosts


def literal_address(host: str) -> str | None:
    """The address that `host` spells, None for a name, which a resolver decides on.

    Systems dial `2130706433`, `127.1` and `0x7f.1` as 127.0.0.1 too (inet_aton(3)).
    """
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _short_ipv4(host.rstrip("."))
    return host


def is_misspelt(host: str) -> bool:
    """Whether the host is meant as an IPv4 address and is none: what ends in a number is no name (RFC 3696 section 2).

    Clients and systems differ in what they dial for it.
    """
    last = host.rstrip(".").rpartition(".")[2]
    return literal_address(host) is None and re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", last) is not None


def to_allow(address: str) -> str:
    """What `outbound.allow` must say for an address: the IPv4 address that an IPv6 form stands for."""
    return str(_inner(ipaddress.ip_address(address.partition("%")[0])))


def _short_ipv4(host: str) -> str | None:
    parts = host.split(".")
    if len(parts) > 4 or not all(len(part) <= _LONGEST_PART and _PART.fullmatch(part) for part in parts):
        return None
    *first, last = (int(part, 16 if part[:2] in ("0x", "0X") else 8 if part[0] == "0" else 10) for part in parts)
    if any(number > 0xFF for number in first) or last >= 1 << (8 * (4 - len(first))):
        return None
    value = last
    for place, number in enumerate(first):
        value |= number << (8 * (3 - place))
    return str(ipaddress.IPv4Address(value))


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def _inner(address: Address) -> Address:
    """The IPv4 address inside an IPv6 form of it, else the address."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _OWN_IPV6:
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if any(address in network for network in _HOLDS_IPV4):
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
