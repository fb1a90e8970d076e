"""Key sources: where key encryption keys come from. Owns how they are read; tenant keys are the keyring's."""

import os
from collections.abc import Mapping
from pathlib import Path

from vault.errors import KeySourceError
from vault.sources.environment import EnvironmentKeySource
from vault.sources.file import FileKeySource
from vault.sources.protocol import GrowingKeySource, KeySource

__all__ = ["EnvironmentKeySource", "FileKeySource", "GrowingKeySource", "KeySource", "open_source"]


def open_source(
    spec: str,
    *,
    base: Path = Path(),
    environment: Mapping[str, str] | None = None,
    passphrase: bytes | None = None,
) -> KeySource:
    """The key source a setting names: "file:PATH" (relative to `base`) or "env:NAME".

    The environment is this process's unless another is handed in; the passphrase is for files that need one.

    Raises:
        KeySourceError: unknown kind of source, or the source cannot be read.
    """
    kind, _, rest = spec.partition(":")
    if kind == "file" and rest:
        return FileKeySource(base / rest, passphrase=passphrase)
    if kind == "env" and rest:
        return EnvironmentKeySource(rest, os.environ if environment is None else environment)
    # The spec is not shown: someone may have pasted the key itself into the setting.
    raise KeySourceError("The setting for the key source names no known kind.", 'Write "file:PATH" or "env:NAME".')
