"""Whose X-Forwarded-For is believed: the networks in `server.trusted_proxies`, and nobody else's.

Nothing here is built from Host or X-Forwarded-Host: every URL comes from `server.public_url`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_REAL_IP",
)


class TrustedProxies:
    """WSGI: set REMOTE_ADDR to the nearest address that no trusted proxy has, and forget every forwarded header."""

    def __init__(self, app: WSGIApplication, networks: Iterable[str]) -> None:
        self._app = app
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        """Serve the request with what may be believed of it."""
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        for name in _FORWARDED:
            environ.pop(name, None)
        if forwarded and self._networks:
            environ["REMOTE_ADDR"] = self._nearest_stranger(environ.get("REMOTE_ADDR", ""), forwarded)
        return self._app(environ, start_response)

    def _nearest_stranger(self, peer: str, forwarded: str) -> str:
        nearest = peer
        for hop in reversed([hop.strip() for hop in forwarded.split(",")]):
            if not self._trusts(nearest):
                return nearest
            if _address(hop) is None:
                return nearest
            nearest = hop
        return nearest

    def _trusts(self, written: str) -> bool:
        address = _address(written)
        return address is not None and any(address in network for network in self._networks)


def _address(written: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:  # not an address: nobody we know
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
