"""Keys from an environment variable, for containers whose platform hands secrets in that way.

The value is NAME:BASE64, several of them separated by commas, the first being the one that wraps. Where the
variable NAME is absent and NAME_FILE is set, the value is read from that file, which is the better way: variables
are seen by child processes, by crash reporters and in /proc. The file must be private like a key file.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from vault.derivation import KEY_BYTES
from vault.errors import KeySourceError
from vault.sources.local import LocalKeys
from vault.sources.private_file import read_private


class EnvironmentKeySource(LocalKeys):
    """Keys from the variable, or from the file that the variable with _FILE appended points at."""

    __slots__ = ()

    def __init__(self, variable: str, environment: Mapping[str, str]) -> None:
        """Read the keys from the environment that is handed in.

        Raises:
            KeySourceError: neither variable is set, both are, or the value is malformed.
        """
        keys = _parse(_value(variable, environment), variable)
        super().__init__(keys, next(iter(keys)))

    @staticmethod
    def create_value(name: str = "1") -> str:
        """A value with one new random key, for the operator to store. Only ever on request."""
        return f"{name}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def _value(variable: str, environment: Mapping[str, str]) -> str:
    direct = environment.get(variable)
    pointed = environment.get(f"{variable}_FILE")
    if direct and pointed:
        raise KeySourceError(f"Both {variable} and {variable}_FILE are set.", "Keep one of them.")
    if pointed:
        return read_private(Path(pointed)).decode("ascii", errors="replace")
    if direct:
        return direct
    raise KeySourceError(
        f"The variable {variable} is not set.",
        f"Set {variable} to NAME:BASE64 with the key of this database, or {variable}_FILE to a file with it.",
    )


def _parse(value: str, variable: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for entry in value.strip().split(","):
        name, _, text = entry.strip().partition(":")
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES or name in keys:
            # The value is a secret: not even its malformed part is shown.
            raise KeySourceError(
                f"The value of {variable} is malformed.",
                f"It reads NAME:BASE64 with {KEY_BYTES} bytes in base64, several separated by commas.",
            )
        keys[name] = key
    return keys
