"""Rows whose seals held, so that the same bytes are not hashed with every request."""

from __future__ import annotations

from threading import Lock
from typing import Any, Generic, TypeAlias, TypeVar

from connector.storage.transaction import Row

T = TypeVar("T")
Read: TypeAlias = tuple[Any, ...]


def read_of(row: Row) -> Read:
    """Every value of a row as it was read: what its verification is remembered by."""
    return tuple(row.values()) if isinstance(row, dict) else tuple(row)


class Verified(Generic[T]):
    """What came of rows whose seals held: the same bytes under the same wrapped key hold again.

    What was read must include the wrapped key that the seal was checked under. The rows themselves are read with every
    request; one that was changed in any place is another entry, and one that is gone is not looked up. So nothing here
    outlives a revocation, and only the hashing of the same bytes is spared. The oldest entry makes room.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[Read, T] = {}
        self._lock = Lock()

    def get(self, read: Read) -> T | None:
        """What came of exactly these bytes."""
        return self._found.get(read)

    def put(self, read: Read, value: T) -> T:
        """Remember it; returns `value`."""
        with self._lock:
            while len(self._found) >= self._most:
                del self._found[next(iter(self._found))]
            self._found[read] = value
        return value
