"""Unwrapped tenant keys, kept for a while so that a key service is asked per tenant and not per request.

Data keys are not kept: unwrapping one takes microseconds, and a kept one would outlive its destruction.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from vault.key_material import KeyMaterial

Key = TypeVar("Key", bound=KeyMaterial)


class KeyCache(KeyMaterial, Generic[Key]):
    """Keys by (tenant, id), forgotten `ttl_s` seconds after they were put in, however often they were used.

    `now` gives milliseconds. Safe for threads. A clock that was set back empties the entries it would revive.
    """

    __slots__ = ("_entries", "_lock", "_most", "_now", "_ttl_ms")

    def __init__(self, now: Callable[[], int], ttl_s: int, most: int) -> None:
        self._now = now
        self._ttl_ms = ttl_s * 1000
        self._most = most
        self._entries: OrderedDict[tuple[str, str], tuple[int, Key]] = OrderedDict()
        self._lock = Lock()

    def get(self, tenant: str, key_id: str) -> Key | None:
        """The key, unless it is unknown or too old."""
        name = (tenant, key_id)
        entry = self._entries.get(name)
        if entry is None:
            return None
        kept_at, key = entry
        if 0 <= self._now() - kept_at < self._ttl_ms:
            return key
        with self._lock:
            if self._entries.get(name) is entry:
                del self._entries[name]
        return None

    def put(self, tenant: str, key_id: str, key: Key) -> None:
        """Keep the key from now on; the oldest leaves when there are too many."""
        with self._lock:
            self._entries[tenant, key_id] = (self._now(), key)
            self._entries.move_to_end((tenant, key_id))
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
