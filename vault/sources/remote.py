"""Key encryption keys that never leave a service: Transit, AWS KMS, GCP KMS.

A wrapped key is "gk2", two bytes of id length, the KEK's id, 16 bytes of its check value, then whatever the service
answered. The context is bound by the service itself. The check value stands for the key's id and the moment it was
made, so that another key under the same name tells itself apart from altered bytes, before anything is sent.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from threading import Lock
from typing import NoReturn

from vault.derivation import KEY_BYTES
from vault.errors import FormatUnknown, KekMismatch, KekUnknown, KeySourceError
from vault.key_material import KeyMaterial
from vault.lp import lp
from vault.sources.guard import Guard, Health
from vault.sources.local import CHECK_BYTES

_MAGIC = b"gk2"
_ID_AT = len(_MAGIC) + 2
_LONGEST_ID = 512
_LOOK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """What a service says of its keys: id → check value of those that open, which one wraps, which are out of use."""

    held: Mapping[str, bytes]
    primary: str
    retired: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped key, taken apart."""

    key_id: str
    check: bytes
    sealed: bytes


class RemoteKeys(KeyMaterial, ABC):
    """A key source over a service; what differs between services are the five methods at its end.

    What the service says of its keys is remembered, and asked for again where something is not as remembered.
    """

    def __init__(self, guard: Guard, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._guard = guard
        self._monotonic = monotonic
        self._lock = Lock()
        self._known: ServiceKeys | None = None
        self._looked_at = 0.0

    # Using -----------------------------------------------------------------------------------------

    def key_id(self) -> str:
        """The id of the key that wraps now; asks the service, if the answer is not quite fresh."""
        return self._keys().primary

    def key_ids(self) -> frozenset[str]:
        """The ids of all keys that can unwrap."""
        return frozenset(self._keys().held)

    def retired_ids(self) -> frozenset[str]:
        """The ids of keys that the service keeps and does not use."""
        return self._keys().retired

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, wrapped by the service and bound to the context."""
        wants = self._keys().primary
        key_id, sealed = self._guard.ask(lambda: self._encrypt(wants, key, _bound(context)))
        return self._pack(key_id, sealed)

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """The key that was wrapped; see `KeySource.unwrap` for what it raises."""
        wrapped = self.checked(blob)
        key = self._guard.ask(lambda: self._decrypt(wrapped.key_id, wrapped.sealed, _bound(context)))
        if len(key) != KEY_BYTES:
            raise KeySourceError("The key service answered with something that is no key.", "Ask who keeps it.")
        return key

    def rewrap(self, blob: bytes, context: bytes) -> bytes:
        """The same key under the KEK that wraps now; the service does it, and the key is not seen here."""
        return self.take_over(self.checked(blob), context)

    def take_over(self, wrapped: Wrapped, context: bytes) -> bytes:
        """What a key of this service wrapped, under the KEK that wraps now."""
        wants, bound = self._keys().primary, _bound(context)
        key_id, sealed = self._guard.ask(lambda: self._reencrypt(wrapped.key_id, wants, wrapped.sealed, bound))
        return self._pack(key_id, sealed)

    def check_value(self, key_id: str | None = None) -> bytes:
        """16 bytes that recognise a KEK. Raises KekUnknown where the service has none of that id in use."""
        keys = self._keys()
        wanted = keys.primary if key_id is None else key_id
        return keys.held[wanted] if wanted in keys.held else self._lacks(wanted)

    def health(self) -> Health:
        """How the service does, as of the last requests."""
        return self._guard.health()

    def checked(self, blob: bytes) -> Wrapped:
        """A wrapped key, taken apart, whose KEK is there and is the one that wrapped. Raises as `unwrap` does."""
        wrapped = parsed(blob)
        found = self._keys(_LOOK_AGAIN_S * 60).held.get(wrapped.key_id)
        if found is None or not compare_digest(found, wrapped.check):
            found = self._keys(0).held.get(wrapped.key_id)
        if found is None:
            self._lacks(wrapped.key_id)
        if not compare_digest(found, wrapped.check):
            raise KekMismatch(
                f"The key {wrapped.key_id} is not the one that wrapped what is stored: it was made anew.",
                "Put back the key service's own backup from when this database was last in use.",
            )
        return wrapped

    # For those that know a service -----------------------------------------------------------------

    def _keys(self, max_age_s: float = _LOOK_AGAIN_S) -> ServiceKeys:
        known = self._known
        if known is not None and self._monotonic() - self._looked_at < max_age_s:
            return known
        found = self._guard.ask(self._look)
        with self._lock:
            self._known, self._looked_at = found, self._monotonic()
        return found

    def _pack(self, key_id: str, sealed: bytes) -> bytes:
        held = self._keys().held
        if key_id not in held:  # the service began to use another key a moment ago
            held = self._keys(0).held
        if key_id not in held:
            self._lacks(key_id)
        name = key_id.encode()
        return _MAGIC + len(name).to_bytes(2, "big") + name + held[key_id] + sealed

    def _lacks(self, key_id: str) -> NoReturn:
        retired = self._known is not None and key_id in self._known.retired
        raise KekUnknown(
            f"The key {key_id} is {'out of use' if retired else 'not one that this key source may use'}.",
            "Put it into use again at the key service, or name its key source under vault.also_opens.",
        )

    @abstractmethod
    def _look(self) -> ServiceKeys:
        """Ask the service what keys there are. Raises Unanswered, KeySourceError."""

    @abstractmethod
    def _encrypt(self, key_id: str, key: bytes, bound: bytes) -> tuple[str, bytes]:
        """Which KEK wrapped, and what came of it. Raises Unanswered, KeySourceError."""

    @abstractmethod
    def _decrypt(self, key_id: str, sealed: bytes, bound: bytes) -> bytes:
        """What was wrapped. Raises Unanswered, TagMismatch, KeySourceError."""

    @abstractmethod
    def _reencrypt(self, key_id: str, wants: str, sealed: bytes, bound: bytes) -> tuple[str, bytes]:
        """The same under the KEK `wants`. Raises Unanswered, TagMismatch, KeySourceError."""


def check_of(key_id: str, made_at: int) -> bytes:
    """The check value of a key that a service made at that moment (in the service's own unit)."""
    return sha256(lp(b"gw/kek-check/v2", key_id.encode(), str(made_at).encode())).digest()[:CHECK_BYTES]


def parsed(blob: bytes) -> Wrapped:
    """A wrapped key, taken apart and not yet believed. Raises FormatUnknown."""
    if blob[: len(_MAGIC)] != _MAGIC or len(blob) < _ID_AT:
        raise FormatUnknown("not a key that a key service wrapped")
    check_at = _ID_AT + int.from_bytes(blob[len(_MAGIC) : _ID_AT], "big")
    sealed_at = check_at + CHECK_BYTES
    if not _ID_AT < check_at <= _ID_AT + _LONGEST_ID or len(blob) <= sealed_at:
        raise FormatUnknown("a wrapped key is cut short")
    try:
        key_id = blob[_ID_AT:check_at].decode("ascii")
    except UnicodeDecodeError:
        raise FormatUnknown("a wrapped key names no key") from None
    return Wrapped(key_id, blob[check_at:sealed_at], blob[sealed_at:])


def _bound(context: bytes) -> bytes:
    return lp(b"gw/kek-service/v1", context)
