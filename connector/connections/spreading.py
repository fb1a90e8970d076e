"""After an outage everybody comes back: not at once, but spread over the time that so many take.

Each failure waits, on top of its own pause, a random part of what it takes to bring all those back who failed lately.
"""

from __future__ import annotations

from connector.connections.brake import WINDOW_MS
from connector.storage import Transaction

PER_SECOND = 20
LONGEST_MS = 15 * 60 * 1000


def spread_ms(backlog: int, draw: float, *, per_second: int = PER_SECOND) -> int:
    """A uniform share of the time that `backlog` refreshes take at that rate, in ms; at most a quarter of an hour."""
    return int(draw * min(LONGEST_MS, backlog * 1000 // per_second))


def failed_lately(tx: Transaction, integration_id: str) -> int:
    """How many refreshes of this integration came to nothing within the window, because its provider was away."""
    row = tx.one(
        """SELECT COUNT(*) AS n FROM refresh_outcomes WHERE integration_id = :integration AND at > :since
           AND outcome IN ('try_later', 'ambiguous')""",
        integration=integration_id,
        since=tx.now() - WINDOW_MS,
    )
    return 0 if row is None else int(row["n"])
