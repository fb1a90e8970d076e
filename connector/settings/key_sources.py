"""Where keys come from: the source that wraps, those that only open, and what it takes to ask them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from connector.settings.durations import Duration
from connector.settings.sections import SECRET, Section, Words, listed
from vault import KEY_SOURCES


def _key_source(kek: str) -> str:
    kind, _, rest = kek.partition(":")
    if kind not in KEY_SOURCES or not rest:
        raise ValueError(
            "write file:PATH, env:NAME, transit:https://HOST:PORT/MOUNT/KEY, aws-kms:arn:… or gcp-kms:projects/…"
        )
    return kek


KeySourceName = Annotated[str, AfterValidator(_key_source)]


class VaultSettings(Section):
    """Where the key comes from that wraps all others."""

    kek: KeySourceName = Field(
        default="file:keys/kek.json",
        description="The key that wraps all others: file:PATH (only its owner may read it), env:NAME, "
        "transit:https://HOST:PORT/MOUNT/KEY, aws-kms:ARN or gcp-kms:PATH.",
    )
    also_opens: Annotated[tuple[KeySourceName, ...], BeforeValidator(listed)] = Field(
        default=(), description="Further key sources that open what they wrapped, and wrap nothing: for moving."
    )
    passphrase: Words | None = Field(
        default=None,
        repr=False,
        json_schema_extra=SECRET,
        description="The passphrase of the key file; a key file that is written while it is set is protected by it.",
    )
    token: Words | None = Field(
        default=None, repr=False, json_schema_extra=SECRET, description="The token for Transit."
    )
    token_file: Path | None = Field(
        default=None, description="A file that an agent keeps the token for Transit in; read whenever it is needed."
    )
    ca_file: Path | None = Field(
        default=None, description="The certificates by which Transit is known; absent: those of the machine."
    )
    namespace: Words | None = Field(default=None, description="The namespace that Transit is in, where there are any.")
    outside: Path | None = Field(
        default=None,
        description="A folder for what a backup must not bring back: destroyed keys; absent: beside the key file.",
    )

    epoch: Duration = Field(
        default=timedelta(days=30),
        description="How long keys wrap before `connector vault rotate --due` replaces them.",
    )
    backup_retention: Duration | None = Field(
        default=None,
        description="How long backups of the database are kept, and retired keys with them; absent: receipts name no "
        "date by which backups no longer open.",
    )
    rewrite_every: Duration = Field(
        default=timedelta(days=1),
        description="PostgreSQL: how often the tables of keys are written anew after keys were destroyed.",
    )

    @model_validator(mode="after")
    def _whole(self) -> VaultSettings:
        if self.token is not None and self.token_file is not None:
            raise ValueError("set vault.token or vault.token_file, not both")
        if len(set(self.sources())) != len(self.also_opens) + 1:
            raise ValueError("vault.also_opens names a key source twice, or the one in vault.kek")
        return self

    def sources(self) -> Iterator[str]:
        """The key sources as they are written, the one that wraps first."""
        yield self.kek
        yield from self.also_opens
