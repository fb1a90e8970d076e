"""Unwrapped tenant keys, kept for a while so that a key service is asked per tenant and not per request.

A key that came from a service is asked for again behind its users' backs: they get the one that is there meanwhile, so
that no request, and no answer of a provider that waits to be stored, waits for the service. Where the service is out,
what is there serves on until it is too old; where the service refuses, it is forgotten at once.

Data keys are not kept: unwrapping one takes microseconds, and a kept one would outlive its destruction.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Generic, TypeVar

from vault.errors import KeyServiceOut, VaultError
from vault.key_material import KeyMaterial

Key = TypeVar("Key", bound=KeyMaterial)

_TRY_AGAIN_MS = 10_000


@dataclass(slots=True, repr=False)
class _Entry(KeyMaterial, Generic[Key]):
    key: Key
    kept_at: int
    renew: Callable[[], Key] | None
    renewed_at: int = 0  # when that was last tried


class KeyCache(KeyMaterial, Generic[Key]):
    """Keys by (tenant, id), forgotten `ttl_s` seconds after they were put in, however often they were used.

    A key that can be renewed is renewed then, and forgotten after `keep_s` seconds in which that did not work.
    `now` gives milliseconds. Safe for threads. A clock that was set back empties the entries it would revive.
    """

    __slots__ = ("_entries", "_keep_ms", "_lock", "_most", "_now", "_ttl_ms")

    def __init__(self, now: Callable[[], int], ttl_s: int, most: int, *, keep_s: int = 0) -> None:
        self._now = now
        self._ttl_ms = ttl_s * 1000
        self._keep_ms = max(ttl_s, keep_s) * 1000
        self._most = most
        self._entries: OrderedDict[tuple[str, str], _Entry[Key]] = OrderedDict()
        self._lock = Lock()

    def get(self, tenant: str, key_id: str) -> Key | None:
        """The key, unless it is unknown or too old."""
        name = (tenant, key_id)
        entry = self._entries.get(name)
        if entry is None:
            return None
        age = self._now() - entry.kept_at
        if 0 <= age < self._ttl_ms:
            return entry.key
        if entry.renew is not None and 0 <= age < self._keep_ms:
            self._renew_behind(name, entry)
            return entry.key
        self._drop(name, entry)
        return None

    def put(self, tenant: str, key_id: str, key: Key, renew: Callable[[], Key] | None = None) -> None:
        """Keep the key from now on; the oldest leaves when there are too many. `renew` asks for it anew."""
        with self._lock:
            self._entries[tenant, key_id] = _Entry(key, self._now(), renew)
            self._entries.move_to_end((tenant, key_id))
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _renew_behind(self, name: tuple[str, str], entry: _Entry[Key]) -> None:
        now = self._now()
        with self._lock:
            if now - entry.renewed_at < _TRY_AGAIN_MS:
                return
            entry.renewed_at = now
        Thread(target=self._renew, args=(name, entry), name="key-renewal", daemon=True).start()

    def _renew(self, name: tuple[str, str], entry: _Entry[Key]) -> None:
        if entry.renew is None:
            return
        try:
            key = entry.renew()
        except KeyServiceOut:
            return  # what is there serves on; the next user tries again
        except VaultError:
            self._drop(name, entry)  # refused, or no longer what it was: whoever needs it hears why
            return
        with self._lock:
            if self._entries.get(name) is entry:
                self._entries[name] = _Entry(key, self._now(), entry.renew)

    def _drop(self, name: tuple[str, str], entry: _Entry[Key]) -> None:
        with self._lock:
            if self._entries.get(name) is entry:
                del self._entries[name]
