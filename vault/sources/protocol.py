"""What the vault asks of whoever keeps the key encryption keys (KEKs)."""

from typing import Protocol


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
