"""What time does to values and to the change feed. Runs in the background."""

from __future__ import annotations

from connector import records
from connector.flows.gateway import Gateway

FEED_DAYS = 30
_DAY_MS = 24 * 3600 * 1000


def step(gateway: Gateway) -> bool:
    """Delete what is over, place what is new in the feed, forget what is old in it. True where there was something."""
    with gateway.store.read() as tx:
        if not records.keeping_due(tx, tx.now() - FEED_DAYS * _DAY_MS):
            return False
    with gateway.store.transaction() as tx:
        dropped = records.drop_expired(tx)
        pruned = records.prune_changes(tx, tx.now() - FEED_DAYS * _DAY_MS)
    with gateway.store.transaction() as tx:
        placed = records.sequence_changes(tx)
    return bool(dropped or pruned or placed)
