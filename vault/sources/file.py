"""The default key source: a file beside, not inside, the data directory and its backups."""

import os
from pathlib import Path
from typing import Self

from vault.derivation import KEY_BYTES
from vault.sources import key_file
from vault.sources.local import LocalKeys
from vault.sources.private_file import read_private, write_new_private


class FileKeySource(LocalKeys):
    """Keys from a file that only the gateway's user may read; read once, when this is built.

    Whoever has both the file and the database has everything, so they belong on different volumes and in
    different backups.
    """

    __slots__ = ()

    def __init__(self, path: Path, *, passphrase: bytes | None = None) -> None:
        """Read the keys.

        Raises:
            KeySourceError: no file, too open, another user's, damaged, or the passphrase is missing or wrong.
        """
        keys, primary = key_file.load(read_private(path), passphrase)
        super().__init__(keys, primary)

    @classmethod
    def create(cls, path: Path, *, name: str = "1", passphrase: bytes | None = None) -> Self:
        """A new file with one new random key. Only ever on request: nothing else here makes keys.

        Raises:
            KeySourceError: something is at the path already, or it cannot be written.
        """
        write_new_private(path, key_file.dump({name: os.urandom(KEY_BYTES)}, name, passphrase))
        return cls(path, passphrase=passphrase)
