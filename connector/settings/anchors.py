"""Relative paths in settings lie beside the settings file, wherever the process was started."""

from __future__ import annotations

from pathlib import Path

from connector.settings.key_sources import VaultSettings
from connector.settings.mail import SmtpSettings
from connector.settings.models import Settings

_SQLITE = "sqlite:///"
_VAULT_PATHS = ("outside", "token_file", "ca_file")


def anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with absolute paths, taken from `folder`."""
    policy = settings.policy
    paths = {
        "directory": policy.directory and folder / policy.directory,
        "text": policy.text and folder / policy.text,
    }
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": _database(settings.database.url, folder)}),
            "vault": _vault(settings, folder),
            "policy": policy.model_copy(update=paths),
            "smtp": _smtp(settings, folder),
            "refresh": settings.refresh.model_copy(
                update={"journal": settings.refresh.journal and folder / settings.refresh.journal}
            ),
        }
    )


def _vault(settings: Settings, folder: Path) -> VaultSettings:
    vault = settings.vault
    paths = {name: folder / path for name in _VAULT_PATHS if (path := getattr(vault, name)) is not None}
    also = tuple(_key_source(one, folder) for one in vault.also_opens)
    return vault.model_copy(update={"kek": _key_source(vault.kek, folder), "also_opens": also, **paths})


def _smtp(settings: Settings, folder: Path) -> SmtpSettings:
    smtp = settings.smtp
    paths = {"directory": smtp.directory and folder / smtp.directory, "ca": smtp.ca and folder / smtp.ca}
    return smtp.model_copy(update=paths)


def _key_source(spec: str, folder: Path) -> str:
    kind, _, rest = spec.partition(":")
    return f"file:{folder / rest}" if kind == "file" else spec


def _database(url: str, folder: Path) -> str:
    if not url.startswith(_SQLITE) or url.removeprefix(_SQLITE) in {"", ":memory:"}:
        return url
    file, question, query = url.removeprefix(_SQLITE).partition("?")
    return f"{_SQLITE}{folder / file}{question}{query}"
