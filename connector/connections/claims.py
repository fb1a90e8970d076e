"""Who may refresh: a durable claim with an intent, one at a time.

The claim is committed before a byte leaves for the provider. It is the crash record, the proof that the database can be
written, and the fence that keeps a late answer from landing over a newer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.connections.connection import Connection
from connector.connections.moves import claim_all, move
from connector.connections.rows import checked, find_for_update, lock_rows
from connector.model.errors import SealBroken
from connector.model.states import ConnectionState
from connector.storage import Row, Transaction
from connector.storage.guards import DUE_AT, DUE_WHERE, WANTED_WHERE
from vault import DataKey, Owner, Vault

SET_ASIDE_MS = 60_000
_CLAIMABLE = (ConnectionState.EXPIRED, ConnectionState.ACTIVE)


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
    seen_generation: int | None = None,
    leases_count: bool = True,
) -> Claim | None:
    """Claim the refresh of a connection, or None where it cannot be claimed now.

    Args:
        dead_owners: workers known to be dead; their leases are over at once.
        seen_generation: the tokens that the caller found too old; None for who comes because the refresh is due. Where
            somebody refreshed since, there is nothing to claim.
        leases_count: whether a lease that is over may be taken over; not right after a clock was set.
    """
    connection = find_for_update(tx, vault, connection_id)
    now = tx.now()
    if connection is None or not _may_claim(connection, now, dead_owners, seen_generation, leases_count=leases_count):
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
    return Claim(claimed, claimed.fence, now + lease_ms, _is_taken_over(connection))


def claim_refreshes(
    tx: Transaction,
    vault: Vault,
    ids: Sequence[str],
    *,
    worker: str,
    lease_ms: int,
    dead_owners: frozenset[str] = frozenset(),
    leases_count: bool = True,
    set_aside_ms: int = SET_ASIDE_MS,
) -> list[Claim]:
    """Claim what of these is due or abandoned, in one transaction and two statements; in the order of `ids`.

    As `claim_refresh` does for one, for whoever comes because refreshes are due. What somebody else holds is passed
    over without waiting (PostgreSQL). A row without its seal is logged, claimed by nobody and left alone for
    `set_aside_ms`, so that it keeps the others from nothing.
    """
    now = tx.now()
    keys: dict[str, DataKey] = {}
    wanted: list[Connection] = []
    for row in lock_rows(tx, ids):
        tenant_id = row["tenant_id"]
        if tenant_id not in keys:
            keys[tenant_id] = vault.key(tx, Owner(tenant_id, "tenant", tenant_id))
        try:
            connection = checked(row, keys[tenant_id])
        except SealBroken:
            postpone(tx, row["id"], now + set_aside_ms)
            continue
        if _may_claim(connection, now, dead_owners, None, leases_count=leases_count):
            wanted.append(connection)
    order = {one: number for number, one in enumerate(ids)}
    wanted.sort(key=lambda connection: order[connection.id])
    claimed = claim_all(tx, keys, wanted, worker=worker, lease_until=now + lease_ms)
    return [
        Claim(after, after.fence, now + lease_ms, _is_taken_over(before))
        for before, after in zip(wanted, claimed, strict=True)
    ]


def due_refreshes(tx: Transaction, *, limit: int) -> list[str]:
    """Ids of connections whose background refresh is due, longest overdue first: one range of one index."""
    return _ids(
        tx.all(
            f"""SELECT id FROM connections {_by(tx, "ix_connections_due")} WHERE {DUE_WHERE} AND {DUE_AT} <= :now
                ORDER BY {DUE_AT} LIMIT :limit""",
            now=tx.now(),
            limit=limit,
        )
    )


def want_refresh(tx: Transaction, connection: Connection) -> bool:
    """Put a connection at the head of what is due, because somebody waits for these tokens to be replaced.

    False where nobody has to: the tokens are others by now, or its refresh is under way. No seal is asked: asking too
    early is all that this can do.
    """
    return bool(
        tx.run(
            """UPDATE connections SET refresh_at = 0 WHERE id = :id AND generation = :generation
               AND state IN ('active', 'expired') AND can_refresh = 1""",
            id=connection.id,
            generation=connection.generation,
        )
    )


def wanted_refreshes(tx: Transaction, *, limit: int) -> list[str]:
    """Ids of connections that somebody waits for and that may be asked now, longest waiting first."""
    return _ids(
        tx.all(
            f"""SELECT id FROM connections {_by(tx, "ix_connections_wanted")} WHERE {WANTED_WHERE}
                AND next_attempt_at <= :now ORDER BY next_attempt_at LIMIT :limit""",
            now=tx.now(),
            limit=limit,
        )
    )


def abandoned_claims(
    tx: Transaction, *, dead_owners: frozenset[str], limit: int, leases_count: bool = True
) -> list[str]:
    """Ids of connections whose refresh was claimed by somebody who died or, where leases count, overran the lease."""
    dead = {f"d{number}": owner for number, owner in enumerate(sorted(dead_owners))}
    died = f"OR lease_owner IN ({', '.join(':' + name for name in dead)})" if dead else ""
    rows = tx.all(
        f"""SELECT id FROM connections WHERE state = 'refreshing' AND next_attempt_at <= :now
              AND (lease_until < :over OR lease_until IS NULL {died})
            ORDER BY intent_at LIMIT :limit""",
        now=tx.now(),
        over=tx.now() if leases_count else 0,
        limit=limit,
        **dead,
    )
    return _ids(rows)


def is_claimed(tx: Transaction, connection_id: str, fence: int) -> bool:
    """Whether the claim with this fence still stands, its owner alive or not: nobody took over, and it is not over."""
    row = tx.one(
        "SELECT id FROM connections WHERE id = :id AND state = 'refreshing' AND fence = :fence",
        id=connection_id,
        fence=fence,
    )
    return row is not None


def postpone(tx: Transaction, connection_id: str, until: int) -> None:
    """Leave a connection alone until then (ms), whatever is wrong with it. Widens nothing, so no seal is asked."""
    tx.run("UPDATE connections SET next_attempt_at = :until WHERE id = :id", until=until, id=connection_id)


def _by(tx: Transaction, index: str) -> str:
    """SQLite keeps no figures about its tables unless told to, and guesses another index."""
    return f"INDEXED BY {index}" if tx.dialect == "sqlite" else ""


def _ids(rows: list[Row]) -> list[str]:
    return [row["id"] for row in rows]


def _may_claim(
    connection: Connection,
    now: int,
    dead_owners: frozenset[str],
    seen_generation: int | None,
    *,
    leases_count: bool,
) -> bool:
    if not connection.can_refresh or connection.next_attempt_at > now:
        return False
    if _is_taken_over(connection):
        return _abandoned(connection, now if leases_count else 0, dead_owners)
    return _wanted(connection, now, seen_generation)


def _is_taken_over(connection: Connection) -> bool:
    return connection.state is ConnectionState.REFRESHING


def _abandoned(connection: Connection, now: int, dead_owners: frozenset[str]) -> bool:
    return connection.lease_owner in dead_owners or (connection.lease_until or 0) < now


def _wanted(connection: Connection, now: int, seen_generation: int | None) -> bool:
    if connection.state not in _CLAIMABLE:
        return False
    if seen_generation is None:
        return connection.refresh_at is not None and connection.refresh_at <= now
    return connection.generation == seen_generation
