"""How many connections are where: for operators."""

from __future__ import annotations

from connector.storage import Transaction


def count_by_state(tx: Transaction) -> list[tuple[str, str, int]]:
    """(provider, state, how many), over all tenants."""
    rows = tx.all("SELECT provider, state, COUNT(*) AS many FROM connections GROUP BY provider, state ORDER BY 1, 2")
    return [(row["provider"], row["state"], row["many"]) for row in rows]
