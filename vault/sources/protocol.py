"""What the vault asks of whoever keeps the key encryption keys (KEKs)."""

from typing import Protocol, runtime_checkable

from vault.sources.guard import Health


class KeySource(Protocol):
    """Wraps and unwraps tenant keys. `context` is bound: what was wrapped under one opens under no other.

    Every method may raise KeySourceError, whose `mend` tells the operator what to do.
    """

    def key_id(self) -> str:
        """The id of the key that wraps now."""
        ...

    def key_ids(self) -> frozenset[str]:
        """The ids of all keys that can unwrap."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, wrapped by the KEK that `key_id` names; the result says itself which one that was."""
        ...

    def unwrap(self, blob: bytes, context: bytes) -> bytes:
        """The key that was wrapped.

        Raises:
            KekUnknown: wrapped by a KEK that this source does not hold.
            KekMismatch: the KEK of that name is another key than the one that wrapped.
            TagMismatch: altered, or wrapped under another context.
            FormatUnknown: nothing this source ever wrote.
        """
        ...

    def rewrap(self, blob: bytes, context: bytes) -> bytes:
        """The same key, wrapped by the KEK that wraps now. Raises as `unwrap` does."""
        ...

    def check_value(self, key_id: str | None = None) -> bytes:
        """16 bytes that recognise a KEK (absent: the one that wraps now) and give nothing of it away."""
        ...


@runtime_checkable
class GrowingKeySource(KeySource, Protocol):
    """A source whose keys can be changed from here. All of it can be repeated without effect."""

    def retired_ids(self) -> frozenset[str]:
        """The ids of keys that are kept for old backups, and open nothing."""
        ...

    def add(self, key_id: str) -> None:
        """A new random key under this id; it unwraps, and wraps nothing yet."""
        ...

    def promote(self, key_id: str) -> None:
        """From now on this key wraps. Raises KekUnknown where it is not held."""
        ...

    def retire(self, key_id: str) -> None:
        """The key opens nothing any more, and is kept. Raises KeySourceError for the one that wraps."""
        ...

    def reinstate(self, key_id: str) -> None:
        """A retired key unwraps again. Raises KekUnknown where it is not kept."""
        ...

    def forget(self, key_id: str) -> None:
        """Destroy a retired key: no backup that needs it can ever be opened. Raises KekUnknown, KeySourceError."""
        ...


@runtime_checkable
class RemoteKeySource(KeySource, Protocol):
    """A source that has to ask somebody: its answers take time, or do not come."""

    def health(self) -> Health:
        """How those who are asked do, as of the last requests; asks nothing."""
        ...
