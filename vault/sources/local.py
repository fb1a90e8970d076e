"""Key encryption keys held in this process, wherever they were read from.

A wrapped key is "gk1", one byte of id length, the KEK's id, 16 bytes of its check value, 12 of nonce, then
ciphertext and tag (AES-256-GCM). The check value makes a wrong key of the right name tell itself apart from
altered bytes. Ids read "local:<name>", alike for every local source, so that a key may move from a file
into a variable and back without a rotation.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import NoReturn

from cryptography.exceptions import InvalidTag

from vault.cipher import NONCE_BYTES, Cipher
from vault.derivation import KEY_BYTES, derive
from vault.errors import FormatUnknown, KekMismatch, KekUnknown, KeySourceError, TagMismatch
from vault.key_material import KeyMaterial
from vault.lp import lp

CHECK_BYTES = 16
_MAGIC = b"gk1"
_PREFIX = "local:"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class Kek(KeyMaterial):
    """One key encryption key. Wrapping and recognising use subkeys, never the key itself."""

    __slots__ = ("_cipher", "check", "name")

    def __init__(self, name: str, key: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise KeySourceError(
                "A key's name is not usable.", "Use 1 to 64 letters, digits, dots, underscores or hyphens."
            )
        if len(key) != KEY_BYTES:
            raise KeySourceError(f"Key {name} is not {KEY_BYTES} bytes long.", "Restore the key as it was written.")
        self.name = name
        self.check = derive(key, b"gw/kek-check/v1", length=CHECK_BYTES)
        self._cipher = Cipher(derive(key, b"gw/kek-wrap/v1"))

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key under this KEK, its header included."""
        header = self._header()
        nonce = os.urandom(NONCE_BYTES)
        return header + nonce + self._cipher.seal(nonce, key, lp(header, context))

    def unwrap(self, wrapped: "_Wrapped", context: bytes) -> bytes:
        """The key that was wrapped; KekMismatch or TagMismatch if it was not by this KEK or not like this."""
        if not compare_digest(wrapped.check, self.check):
            raise KekMismatch(
                f"The key named {self.name} is not the one that wrapped what is stored.",
                f"Put back the key that was named {self.name} when this database was last in use.",
            )
        try:
            return self._cipher.open(wrapped.nonce, wrapped.sealed, lp(self._header(), context))
        except InvalidTag:
            raise TagMismatch("a wrapped tenant key was altered or moved from its row") from None

    def _header(self) -> bytes:
        name = self.name.encode()
        return _MAGIC + bytes([len(name)]) + name + self.check


@dataclass(frozen=True, slots=True)
class _Wrapped:
    name: str
    check: bytes
    nonce: bytes
    sealed: bytes


class LocalKeys(KeyMaterial):
    """A set of KEKs with one that wraps; the whole of a key source but for where the keys come from."""

    __slots__ = ("_keys", "_primary")

    def __init__(self, keys: Mapping[str, bytes], primary: str) -> None:
        self._hold(keys, primary)

    def _hold(self, keys: Mapping[str, bytes], primary: str) -> None:
        """These keys from now on, and no others."""
        held = {name: Kek(name, key) for name, key in keys.items()}
        if primary not in held:
            raise KeySourceError(
                "The primary key is not among the keys.", "Name one of the keys that are listed as primary."
            )
        self._keys, self._primary = held, held[primary]

    def key_id(self) -> str:
        """The id of the key that wraps now."""
        return id_of(self._primary.name)

    def key_ids(self) -> frozenset[str]:
        """The ids of all keys that can unwrap."""
        return frozenset(id_of(name) for name in self._keys)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, wrapped by the primary KEK and bound to the context."""
        return self._primary.wrap(key, context)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """The key that was wrapped; see `KeySource.unwrap` for what it raises."""
        wrapped = _parse(blob)
        kek = self._keys.get(wrapped.name)
        if kek is None:
            self._lacks(wrapped.name)
        return kek.unwrap(wrapped, context)

    def rewrap(self, blob: bytes, context: bytes) -> bytes:
        """The same key under the primary KEK."""
        return self.wrap(self.unwrap(blob, context), context)

    def check_value(self, key_id: str | None = None) -> bytes:
        """16 bytes that recognise a KEK.

        Raises:
            KekUnknown: no key of that id is held.
        """
        if key_id is None:
            return self._primary.check
        name = name_of(key_id)
        kek = self._keys.get(name)
        if kek is None or key_id != id_of(name):
            self._lacks(name)
        return kek.check

    def _lacks(self, name: str) -> NoReturn:
        shown = name if _NAME.fullmatch(name) else "of an unreadable name"
        raise KekUnknown(
            f"No key {shown} is held here.",
            f"Add the key {shown} to the key source again, beside the one that wraps now.",
        )


def id_of(name: str) -> str:
    """The id of the key of that name, as it stands beside what the key wrapped."""
    return _PREFIX + name


def name_of(key_id: str) -> str:
    """The name within the source of the key of that id."""
    return key_id.removeprefix(_PREFIX)


def wrapped_by(blob: bytes) -> str:
    """The id that a wrapped key names, not yet believed. Raises FormatUnknown."""
    return id_of(_parse(blob).name)


def _parse(blob: bytes) -> _Wrapped:
    if blob[:3] != _MAGIC or len(blob) < len(_MAGIC) + 1:
        raise FormatUnknown("not a key that a local key source wrapped")
    name_end = 4 + blob[3]
    check_end = name_end + CHECK_BYTES
    nonce_end = check_end + NONCE_BYTES
    if len(blob) < nonce_end:
        raise FormatUnknown("a wrapped key is cut short")
    name = blob[4:name_end].decode("ascii", errors="replace")
    return _Wrapped(name, blob[name_end:check_end], blob[check_end:nonce_end], blob[nonce_end:])
