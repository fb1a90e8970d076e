"""What has expired is removed."""

from __future__ import annotations

from connector.storage import Transaction

_EXPIRED = (
    "DELETE FROM access_tokens WHERE expires_at <= :now",
    "DELETE FROM client_assertions WHERE expires_at <= :now",
    "DELETE FROM client_secrets WHERE expires_at IS NOT NULL AND expires_at <= :now",
    "DELETE FROM idempotency_keys WHERE expires_at <= :now",
)


def sweep(tx: Transaction) -> int:
    """Remove expired access tokens, used assertions, rotated secrets and kept answers; how many rows."""
    now = tx.now()
    return sum(tx.run(statement, now=now) for statement in _EXPIRED)
