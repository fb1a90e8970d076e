"""The fleet brake: when many connections of one integration fail at once, the cause is not the people.

A provider's bad day, or our own wrong client secret, looks like `invalid_grant` from everybody. While the brake is on,
no connection is moved to `needs_reauth`; they are tried again later.
"""

from __future__ import annotations

from connector.storage import Transaction

WINDOW_MS = 5 * 60 * 1000
ENOUGH = 20
SHARE = 0.10


def note_outcome(tx: Transaction, integration_id: str, outcome: str) -> None:
    """Remember how one refresh ended: landed, rejected, try_later, misconfigured, ambiguous."""
    tx.run(
        "INSERT INTO refresh_outcomes (integration_id, outcome, at) VALUES (:integration, :outcome, :now)",
        integration=integration_id,
        outcome=outcome,
        now=tx.now(),
    )


def braked(tx: Transaction, integration_id: str) -> bool:
    """Whether so many refreshes of this integration were rejected lately that no single one proves anything."""
    row = tx.one(
        """SELECT COUNT(*) AS everything,
                  COALESCE(SUM(CASE WHEN outcome = 'rejected' THEN 1 ELSE 0 END), 0) AS rejected,
                  COALESCE(SUM(CASE WHEN outcome = 'misconfigured' THEN 1 ELSE 0 END), 0) AS misconfigured
           FROM refresh_outcomes WHERE integration_id = :integration AND at > :since""",
        integration=integration_id,
        since=tx.now() - WINDOW_MS,
    )
    if row is None:
        return False
    many = row["rejected"] >= ENOUGH and row["rejected"] > SHARE * row["everything"]
    return bool(many or row["misconfigured"] > 0)


def forget_outcomes(tx: Transaction, *, limit: int = 10_000) -> int:
    """Drop outcomes that no window looks at any more."""
    return tx.run(
        "DELETE FROM refresh_outcomes WHERE id IN (SELECT id FROM refresh_outcomes WHERE at < :before LIMIT :limit)",
        before=tx.now() - 2 * WINDOW_MS,
        limit=limit,
    )
