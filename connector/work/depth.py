"""How much work waits, and for how long: for operators."""

from __future__ import annotations

from dataclasses import dataclass

from connector.storage import Transaction
from connector.work.leases import TABLES


@dataclass(frozen=True, slots=True)
class Depth:
    """One kind of work in one state. `overdue_s`: seconds since the oldest was due; 0 where none is."""

    table: str
    state: str
    many: int
    overdue_s: float


def depths(tx: Transaction) -> list[Depth]:
    """Every kind of work by state."""
    now = tx.now()
    found: list[Depth] = []
    for table in sorted(TABLES):
        rows = tx.all(
            f"SELECT state, COUNT(*) AS many, MIN(next_at) AS oldest FROM {table} GROUP BY state ORDER BY state"
        )
        found += [Depth(table, row["state"], row["many"], _overdue(row["state"], row["oldest"], now)) for row in rows]
    return found


def _overdue(state: str, oldest: int, now: int) -> float:
    return max(0, now - oldest) / 1000 if state == "queued" else 0.0
