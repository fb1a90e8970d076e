"""Relative paths in settings lie beside the settings file, wherever the process was started."""

from __future__ import annotations

from pathlib import Path

from connector.settings.models import Settings

_SQLITE = "sqlite:///"


def anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with absolute paths, taken from `folder`."""
    kind, _, rest = settings.vault.kek.partition(":")
    kek = f"file:{folder / rest}" if kind == "file" else settings.vault.kek
    outside = settings.vault.outside
    directory = settings.policy.directory
    return settings.model_copy(
        update={
            "database": settings.database.model_copy(update={"url": _database(settings.database.url, folder)}),
            "vault": settings.vault.model_copy(update={"kek": kek, "outside": outside and folder / outside}),
            "policy": settings.policy.model_copy(update={"directory": directory and folder / directory}),
        }
    )


def _database(url: str, folder: Path) -> str:
    if not url.startswith(_SQLITE) or url.removeprefix(_SQLITE) in {"", ":memory:"}:
        return url
    file, question, query = url.removeprefix(_SQLITE).partition("?")
    return f"{_SQLITE}{folder / file}{question}{query}"
