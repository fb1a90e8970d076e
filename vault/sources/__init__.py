"""Key sources: where key encryption keys come from. Owns how they are read; tenant keys are the keyring's."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from vault.errors import KeySourceError
from vault.sources.access import Access
from vault.sources.aws_kms import open_aws_kms
from vault.sources.environment import EnvironmentKeySource
from vault.sources.file import FileKeySource
from vault.sources.gcp_kms import open_gcp_kms
from vault.sources.guard import Health
from vault.sources.protocol import GrowingKeySource, KeySource, RemoteKeySource
from vault.sources.several import joined
from vault.sources.transit import open_transit

__all__ = [
    "KINDS",
    "Access",
    "EnvironmentKeySource",
    "FileKeySource",
    "GrowingKeySource",
    "Health",
    "KeySource",
    "RemoteKeySource",
    "joined",
    "open_source",
    "open_sources",
]

KINDS = ("file", "env", "transit", "aws-kms", "gcp-kms")
"""What a setting for a key source may begin with."""


def open_source(
    spec: str,
    *,
    base: Path = Path(),
    environment: Mapping[str, str] | None = None,
    access: Access | None = None,
) -> KeySource:
    """The key source a setting names.

    "file:PATH" (relative to `base`), "env:NAME", "transit:https://HOST:PORT/MOUNT/KEY", "aws-kms:ARN" or
    "gcp-kms:projects/…/cryptoKeys/KEY". The environment is this process's unless another is handed in.

    Raises:
        KeySourceError: unknown kind of source, or the source cannot be read.
    """
    kind, _, rest = spec.partition(":")
    access = access or Access()
    if kind in KINDS and rest:
        if kind == "file":
            return FileKeySource(base / rest, passphrase=access.passphrase)
        if kind == "env":
            return EnvironmentKeySource(rest, os.environ if environment is None else environment)
        if kind == "transit":
            return open_transit(rest, access)
        return open_aws_kms(rest) if kind == "aws-kms" else open_gcp_kms(rest)
    # The spec is not shown: someone may have pasted the key itself into the setting.
    raise KeySourceError(
        "The setting for the key source names no known kind.",
        'Write "file:PATH", "env:NAME", "transit:https://…", "aws-kms:arn:…" or "gcp-kms:projects/…".',
    )


def open_sources(
    spec: str,
    also: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
    access: Access | None = None,
) -> KeySource:
    """The source that wraps, and the others that only open, as one. Raises KeySourceError as `open_source` does."""
    first, *others = (open_source(one, environment=environment, access=access) for one in (spec, *also))
    return joined(first, others)
