"""Where a request may go: pure decisions about URLs and addresses.

`ipaddress.is_global` is where this starts, not where it ends: addresses that carry another address inside (mapped,
translated, tunnelled) and cloud metadata services are refused too.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = frozenset({443, 8443})
_DEFAULT_PORTS = {"https": 443, "http": 80}
_MAX_URL = 8192
_MAX_HOST = 253

_UNSAFE = re.compile(r"[^\x21-\x7e]|[\\<>\"{}|^`]")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBERISH = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")
_INSIDE = ("internal", "local", "localhost", "lan", "home", "corp", "intranet", "localdomain", "home.arpa", "onion")

_REFUSED_V4 = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "168.63.129.16/32",  # a cloud's wire server on a public address
        "192.0.0.0/24",  # protocol assignments, some of them "global"
    )
)
_UNICAST_V6 = ipaddress.ip_network("2000::/3")  # all that is routed on the internet
_REFUSED_V6 = tuple(
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo and ORCHID among them
        "2002::/16",  # 6to4: any IPv4 address inside
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # upper half of an interface id with an IPv4 address in the lower


class Refused(Exception):
    """A rule forbids this request; nothing was sent. `code` is a machine word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Target:
    """Where a checked URL leads."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True)
class Rules:
    """What may be reached. In development also loopback, on any port, by http or https."""

    development: bool = False

    def target(self, url: str) -> Target:
        """The scheme, host and port of a URL that may be asked. Raises Refused."""
        if len(url) > _MAX_URL or _UNSAFE.search(url):
            raise Refused("url_unsafe")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise Refused("url_unreadable") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise Refused("scheme_refused")
        if "@" in parts.netloc:
            raise Refused("userinfo_refused")
        if parts.fragment or "#" in url:
            raise Refused("fragment_refused")
        host = (parts.hostname or "").lower()
        target = Target(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)
        self._check_host(host)
        self._check_door(target)
        return target

    def check(self, target: Target, address: Address) -> None:
        """Whether this address may be connected to for that target. Raises Refused."""
        if self.development and _is_loopback(address):
            return
        if target.scheme != "https" or target.port not in PORTS:
            raise Refused("address_refused")
        if not is_public(address):
            raise Refused("address_refused")

    def _check_host(self, host: str) -> None:
        literal = as_literal(host)
        if literal is not None:
            return
        labels = host.split(".")
        if len(host) > _MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
            raise Refused("host_unreadable")
        if _NUMBERISH.fullmatch(labels[-1]):
            raise Refused("host_numeric")
        if self._names_loopback(host):
            return
        if len(labels) == 1 or host.endswith(tuple(f".{suffix}" for suffix in _INSIDE)):
            raise Refused("host_inside")

    def _check_door(self, target: Target) -> None:
        if self._names_loopback(target.host):
            return
        if target.scheme != "https":
            raise Refused("scheme_refused")
        if target.port not in PORTS:
            raise Refused("port_refused")

    def _names_loopback(self, host: str) -> bool:
        if not self.development:
            return False
        literal = as_literal(host)
        return _is_loopback(literal) if literal is not None else host == "localhost" or host.endswith(".localhost")


def as_literal(host: str) -> Address | None:
    """The address that a host spells in its one canonical form; None for names and for every other spelling."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return None
    return address


def is_public(address: Address) -> bool:
    """Whether an address is a plain public unicast one, with no other address hidden in it."""
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _UNICAST_V6:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _REFUSED_V6)


def _is_loopback(address: Address) -> bool:
    return address.is_loopback and not getattr(address, "ipv4_mapped", None)
