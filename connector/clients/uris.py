"""Which redirect and return URIs may be registered (RFC 6749 section 3.1.2, RFC 9700 section 4.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from connector.model.errors import BadInput

MAX_URI = 2000


def redirect_uris(written: Iterable[str], *, development: bool, what: str = "redirect URI") -> tuple[str, ...]:
    """The URIs as written: they are compared by exact bytes, so nothing is normalised.

    Raises:
        BadInput: one cannot be registered; the hint says which and how to mend it.
    """
    uris = tuple(dict.fromkeys(written))
    for uri in uris:
        problem = _problem(uri, development=development)
        if problem:
            raise BadInput("bad_redirect_uri", f"The {what} {uri[:200]!r} cannot be registered: {problem}.")
    return uris


def _problem(uri: str, *, development: bool) -> str:
    if not uri.isascii() or not uri.isprintable() or " " in uri or "\\" in uri or len(uri) > MAX_URI:
        return f"write it in at most {MAX_URI} printable ASCII characters without spaces or backslashes"
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "its host or port cannot be read"
    if not parts.scheme or not host or "://" not in uri:
        return "write it whole, such as https://app.example.org/callback"
    return _unsafe(uri, parts, host, development=development)


def _unsafe(uri: str, parts: SplitResult, host: str, *, development: bool) -> str:
    if "#" in uri:
        return "leave out the fragment (#…)"
    if "@" in parts.netloc:
        return "leave out user name and password"
    if "*" in uri:
        return "wildcards are not understood; register each URI"
    if any(segment in {".", ".."} for segment in parts.path.lower().replace("%2e", ".").split("/")):
        return "leave out . and .. from its path"
    if parts.scheme == "https" or (development and parts.scheme == "http" and is_loopback(host)):
        return ""
    return "use https" + (", or http on 127.0.0.1, ::1 or localhost" if development else "")


def is_loopback(host: str) -> bool:
    """Whether a host name written in a URI is this machine; nothing is resolved."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, not an address
        return False
