"""Rules that look at more than one setting, or at the machine."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from connector.model.errors import Misconfigured
from connector.settings.models import Settings


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is this machine, by its written name; nothing is resolved."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, not an address
        return False


def check_production(settings: Settings) -> None:
    """Refuse in production what only development may have.

    Raises:
        Misconfigured: with what to set instead.
    """
    if settings.is_development:
        return
    url = settings.server.public_url
    if not url.startswith("https://"):
        raise Misconfigured(
            "public_url_insecure",
            'server.public_url must begin with https:// in production; for a trial set server.mode = "development".',
        )
    if is_loopback(url):
        raise Misconfigured(
            "public_url_loopback",
            "server.public_url names this machine only; in production name the host that browsers reach.",
        )


def check_key(settings: Settings, environ: Mapping[str, str]) -> None:
    """The keys must be there, and for no one else to read. What lies at a key service is asked for later.

    Raises:
        Misconfigured: with the command that mends it.
    """
    for place, spec in zip(_places(settings), settings.vault.sources(), strict=True):
        kind, _, rest = spec.partition(":")
        if kind == "env" and not (environ.get(rest) or environ.get(f"{rest}_FILE")):
            raise Misconfigured(
                "key_missing", f"{place} names the variable {rest}, which is not set; set it, or {rest}_FILE."
            )
        if kind == "file":
            _check_key_file(place, Path(rest))


def _places(settings: Settings) -> list[str]:
    return ["vault.kek", *["vault.also_opens"] * len(settings.vault.also_opens)]


def _check_key_file(place: str, path: Path) -> None:
    if not path.is_file():
        raise Misconfigured(
            "key_missing",
            f"{place} names {path}, which is no file. Restore it from your backup; nothing that is stored "
            "can be read without it. On a fresh machine write one with: connector init",
        )
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Misconfigured("loose_permissions", f"Others may use the key in {path}; run: chmod 600 {path}")
