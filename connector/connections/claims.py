"""Who may refresh: a durable claim with an intent, one at a time.

The claim is committed before a byte leaves for the provider. It is the crash record, the proof that the database can be
written, and the fence that keeps a late answer from landing over a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.connections.connection import Connection
from connector.connections.moves import move
from connector.connections.rows import find_for_update
from connector.model.states import ConnectionState
from connector.storage import Transaction
from vault import Vault

_CLAIMABLE = (ConnectionState.ACTIVE, ConnectionState.EXPIRED)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to refresh one connection until `lease_until` (ms). `fence` must be named when landing."""

    connection: Connection
    fence: int
    lease_until: int
    taken_over: bool  # the owner before died or overran: what it sent may have arrived


def claim_refresh(
    tx: Transaction,
    vault: Vault,
    connection_id: str,
    *,
    worker: str,
    lease_ms: int,
    dead_owners: frozenset[str] = frozenset(),
    ignore_wait: bool = False,
) -> Claim | None:
    """Claim the refresh of a connection, or None where it cannot be claimed now.

    Args:
        dead_owners: workers known to be dead; their leases are over at once.
        ignore_wait: claim in spite of `next_attempt_at` (a caller waits and the token is over).
    """
    connection = find_for_update(tx, vault, connection_id)
    if connection is None or not connection.can_refresh:
        return None
    now = tx.now()
    taken_over = connection.state is ConnectionState.REFRESHING
    if taken_over and not _abandoned(connection, now, dead_owners):
        return None
    if not taken_over and connection.state not in _CLAIMABLE:
        return None
    if not taken_over and connection.next_attempt_at > now and not ignore_wait:
        return None
    claimed = move(
        tx,
        vault,
        connection,
        ConnectionState.REFRESHING,
        take_over=True,
        keep_lease=True,
        columns={
            "lease_owner": worker,
            "lease_until": now + lease_ms,
            "intent_at": connection.intent_at
            or now,  # kept over takeovers and unknown outcomes: a grace counts from it
            "attempts": connection.attempts + 1,
        },
    )
    return Claim(claimed, claimed.fence, now + lease_ms, taken_over)


def extend_claim(tx: Transaction, claim: Claim, *, lease_ms: int) -> bool:
    """Push the lease out while an answer is held. False where the claim was lost."""
    changed = tx.run(
        "UPDATE connections SET lease_until = :until WHERE id = :id AND fence = :fence AND state = 'refreshing'",
        until=tx.now() + lease_ms,
        id=claim.connection.id,
        fence=claim.fence,
    )
    return changed == 1


def due_refreshes(tx: Transaction, *, limit: int) -> list[str]:
    """Ids of connections whose background refresh is due, most urgent first: an index scan."""
    rows = tx.all(
        """SELECT id FROM connections WHERE state = 'active' AND refresh_at <= :now AND next_attempt_at <= :now
           ORDER BY refresh_at LIMIT :limit""",
        now=tx.now(),
        limit=limit,
    )
    return [row["id"] for row in rows]


def abandoned_claims(tx: Transaction, *, dead_owners: frozenset[str], limit: int) -> list[str]:
    """Ids of connections whose refresh was claimed by somebody who died or overran the lease."""
    rows = tx.all(
        "SELECT id, lease_owner, lease_until FROM connections WHERE state = 'refreshing' "
        "ORDER BY lease_until LIMIT :limit",
        limit=limit,
    )
    now = tx.now()
    return [row["id"] for row in rows if row["lease_owner"] in dead_owners or (row["lease_until"] or 0) < now]


def _abandoned(connection: Connection, now: int, dead_owners: frozenset[str]) -> bool:
    return connection.lease_owner in dead_owners or (connection.lease_until or 0) < now
