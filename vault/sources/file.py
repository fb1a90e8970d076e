"""The default key source: a file beside, not inside, the data directory and its backups."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Self

from vault.derivation import KEY_BYTES
from vault.errors import KekUnknown, KeySourceError
from vault.sources import key_file
from vault.sources.key_file import KeyFile
from vault.sources.local import LocalKeys, id_of, name_of
from vault.sources.private_file import changing, read_private, replace_private, write_new_private

_State = tuple[int, int, int]


class FileKeySource(LocalKeys):
    """Keys from a file that only the gateway's user may read.

    The file is looked at whenever keys are asked for, and read again where it changed, so that every process learns
    of a new key by itself. A file that is damaged or gone meanwhile does not stop a process that has its keys.

    Whoever has both the file and the database has everything, so they belong on different volumes and in
    different backups.
    """

    __slots__ = ("_lock", "_passphrase", "_path", "_retired", "_state")

    def __init__(self, path: Path, *, passphrase: bytes | None = None) -> None:
        """Read the keys.

        Raises:
            KeySourceError: no file, too open, another user's, damaged, or the passphrase is missing or wrong.
        """
        self._path = path
        self._passphrase = passphrase
        self._lock = Lock()
        self._state: _State | None = _state_of(path)
        self._retired: frozenset[str] = frozenset()
        self._take(key_file.load(read_private(path), passphrase))

    @classmethod
    def create(cls, path: Path, *, name: str = "1", passphrase: bytes | None = None) -> Self:
        """A new file with one new random key. Only ever on request: nothing else here makes keys.

        Raises:
            KeySourceError: something is at the path already, or it cannot be written.
        """
        write_new_private(path, key_file.dump({name: os.urandom(KEY_BYTES)}, name, passphrase))
        return cls(path, passphrase=passphrase)

    # Using -----------------------------------------------------------------------------------------

    def key_id(self) -> str:
        """The id of the key that wraps now."""
        self._refresh()
        return super().key_id()

    def key_ids(self) -> frozenset[str]:
        """The ids of all keys that can unwrap."""
        self._refresh()
        return super().key_ids()

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, wrapped by the primary KEK and bound to the context."""
        self._refresh()
        return super().wrap(key, context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """The key that was wrapped; see `KeySource.unwrap` for what it raises."""
        self._refresh()
        return super().unwrap(blob, context)

    # Changing --------------------------------------------------------------------------------------

    def retired_ids(self) -> frozenset[str]:
        """The ids of keys that are kept for old backups, and open nothing."""
        self._refresh()
        return frozenset(id_of(name) for name in self._retired)

    def add(self, key_id: str) -> None:
        """A new random key under this id; it unwraps, and wraps nothing yet. Nothing where it is there.

        Raises:
            KeySourceError: the file cannot be changed, or the name was used for a key that is retired.
        """
        name = name_of(key_id)

        def added(file: KeyFile) -> KeyFile:
            if name in file.retired:
                raise KeySourceError(f"The key {name} was retired.", "Choose another name for the new key.")
            return KeyFile({name: os.urandom(KEY_BYTES), **file.keys}, file.primary, file.retired)

        self._change(added)

    def promote(self, key_id: str) -> None:
        """From now on this key wraps.

        Raises:
            KekUnknown: it is not held.
            KeySourceError: the file cannot be changed.
        """
        name = name_of(key_id)

        def promoted(file: KeyFile) -> KeyFile:
            _demand(name, file.keys)
            return KeyFile(file.keys, name, file.retired)

        self._change(promoted)

    def retire(self, key_id: str) -> None:
        """The key opens nothing any more, and is kept. Nothing where it is retired or gone.

        Raises:
            KeySourceError: it is the key that wraps, or the file cannot be changed.
        """
        name = name_of(key_id)

        def retired(file: KeyFile) -> KeyFile:
            if name == file.primary:
                raise KeySourceError(f"The key {name} wraps.", "Let another key wrap first: connector vault rotate")
            kept = {one: key for one, key in file.keys.items() if one == name}
            rest = {one: key for one, key in file.keys.items() if one != name}
            return KeyFile(rest, file.primary, {**file.retired, **kept})

        self._change(retired)

    def reinstate(self, key_id: str) -> None:
        """A retired key unwraps again.

        Raises:
            KekUnknown: it is neither retired nor held.
            KeySourceError: the file cannot be changed.
        """
        name = name_of(key_id)

        def reinstated(file: KeyFile) -> KeyFile:
            _demand(name, {**file.keys, **file.retired})
            back = {one: key for one, key in file.retired.items() if one == name}
            rest = {one: key for one, key in file.retired.items() if one != name}
            return KeyFile({**file.keys, **back}, file.primary, rest)

        self._change(reinstated)

    def forget(self, key_id: str) -> None:
        """Destroy a retired key: no backup that needs it can ever be opened.

        Raises:
            KekUnknown: it is not among the retired ones.
            KeySourceError: the file cannot be changed.
        """
        name = name_of(key_id)

        def forgotten(file: KeyFile) -> KeyFile:
            _demand(name, file.retired)
            rest = {one: key for one, key in file.retired.items() if one != name}
            return KeyFile(file.keys, file.primary, rest)

        self._change(forgotten)

    def _change(self, change: Callable[[KeyFile], KeyFile]) -> None:
        with changing(self._path):
            before = key_file.load(read_private(self._path), self._passphrase)
            after = change(before)
            if after != before:
                text = key_file.dump(after.keys, after.primary, self._passphrase, retired=after.retired)
                replace_private(self._path, text)
            self._state = _state_of(self._path)
            self._take(after)

    def _refresh(self) -> None:
        state = _state_of(self._path)
        if state is None or state == self._state:
            return
        with self._lock:
            if state == self._state:
                return
            try:
                self._take(key_file.load(read_private(self._path), self._passphrase))
            except KeySourceError:
                return  # what is held still serves; the next start will say what is wrong with the file
            self._state = state

    def _take(self, file: KeyFile) -> None:
        self._hold(file.keys, file.primary)
        self._retired = frozenset(file.retired)


def _demand(name: str, keys: Mapping[str, bytes]) -> None:
    if name not in keys:
        raise KekUnknown(f"No key {name} is there.", "See which there are: connector vault status")


def _state_of(path: Path) -> _State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
