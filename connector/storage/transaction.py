"""What a room may do with the database, and what both databases' transactions have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = Mapping[str, Any]


class Transaction(Protocol):
    """What a room may do with the database."""

    dialect: str
    skip_locked: str

    def one(self, sql: str, /, **params: Any) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, /, **params: Any) -> list[Row]:
        """Every row."""

    def run(self, sql: str, /, **params: Any) -> int:
        """Execute; how many rows it changed."""

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute once per row of parameters; how many rows that changed in all."""

    def now(self) -> int:
        """Milliseconds since the epoch, the same throughout the transaction."""

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction is committed; never where it rolled back."""


class DriverTransaction(Transaction, Protocol):
    """The same with its two ends, for whoever opens and closes it."""

    after: list[Callable[[], None]]

    def begin(self) -> None:
        """Open a write transaction."""

    def commit(self) -> None:
        """Make it durable."""

    def roll_back(self) -> bool:
        """Whether the connection is clean again. Where not, the first error is the one to tell."""


class Timed:
    """Time and afterthoughts of one transaction."""

    __slots__ = ("_now", "_read_clock", "after")

    def __init__(self, read_clock: Callable[[], int]) -> None:
        self.after: list[Callable[[], None]] = []
        self._read_clock = read_clock
        self._now: int | None = None

    def now(self) -> int:
        """Milliseconds since the epoch, read once."""
        if self._now is None:
            self._now = self._read_clock()
        return self._now

    def after_commit(self, action: Callable[[], None]) -> None:
        """Keep for after the commit."""
        self.after.append(action)
