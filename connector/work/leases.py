"""The lease engine over every table with the lease columns.

`next_at` is when a row may be touched next: when it is due while queued, when its lease is over while claimed. So one
index (state, next_at) finds both. Each claim raises `fence`; `settle`, `retry` and `heartbeat` act only under the fence
they were given, so a worker that was taken for dead changes nothing when it comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connector.model.states import WorkState
from connector.storage import Transaction
from connector.storage.schema import metadata

TABLES = frozenset({"imports", "deliveries", "revocations", "mails", "forwardings"})
_LEASE_COLUMNS = frozenset({"id", "state", "next_at", "attempts", "fence", "lease_owner", "lease_until"})
_OPEN = frozenset({WorkState.QUEUED, WorkState.CLAIMED})


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row held under a lease. `attempts` counts this one."""

    id: str
    fence: int
    attempts: int


def claim(  # noqa: PLR0917  the first five belong to every claim
    tx: Transaction, table: str, owner: str, limit: int, lease_ms: int, where: str = "", **params: Any
) -> list[Claimed]:
    """Hold up to `limit` rows that are due: first those whose lease is over, then the queued ones, oldest first.

    `where` is a constant SQL condition of the calling room on the row (named `work`), with `params` for its values;
    params may not be called owner, now, until, state or room.
    """
    _known(table)
    now = tx.now()
    values = params | {"now": now, "until": now + lease_ms, "owner": owner}
    found: list[Claimed] = []
    for state in (WorkState.CLAIMED, WorkState.QUEUED):
        if len(found) < limit:
            found += _claim_in(tx, table, where, values | {"state": state.value, "room": limit - len(found)})
    return found


def any_due(tx: Transaction, table: str) -> bool:
    """Whether there is something to claim, as far as a look without a lock can say: idle workers write nothing."""
    _known(table)
    found = tx.one(
        f"SELECT id FROM {table} WHERE state IN ('queued', 'claimed') AND next_at <= :now LIMIT 1", now=tx.now()
    )
    return found is not None


def heartbeat(tx: Transaction, table: str, claimed: Claimed, owner: str, lease_ms: int) -> bool:
    """Hold on for another `lease_ms` from now; False if somebody else has the row."""
    _known(table)
    return bool(
        tx.run(
            f"UPDATE {table} SET lease_until = :until, next_at = :until"
            " WHERE id = :id AND fence = :fence AND lease_owner = :owner AND state = 'claimed'",
            until=tx.now() + lease_ms,
            id=claimed.id,
            fence=claimed.fence,
            owner=owner,
        )
    )


def settle(tx: Transaction, table: str, id: str, fence: int, state: str, **columns: Any) -> bool:  # noqa: A002
    """End the work in `state`, setting `columns` with it; False (and nothing changed) if somebody else took over.

    Raises:
        ValueError: the state does not end anything, or a column is not the table's or belongs to the lease.
    """
    if WorkState(state) in _OPEN:
        raise ValueError("work is settled in a state that ends it; to do it again use retry")
    return _let_go(tx, table, (id, fence), {"state": WorkState(state).value}, columns)


def retry(
    tx: Transaction,
    table: str,
    id: str,  # noqa: A002
    fence: int,
    delay_ms: int,
    **columns: Any,
) -> bool:
    """Queue the work again, due after `delay_ms`; False (and nothing changed) if somebody else took over."""
    return _let_go(tx, table, (id, fence), {"state": "queued", "next_at": tx.now() + delay_ms}, columns)


def give_back(tx: Transaction, table: str, claimed: Iterable[Claimed]) -> int:
    """Queue again what was claimed and not begun (at shutdown), as if it had never been claimed; how many."""
    _known(table)
    return sum(
        tx.run(
            f"UPDATE {table} SET state = 'queued', attempts = attempts - 1, next_at = :now, lease_owner = NULL,"
            " lease_until = NULL WHERE id = :id AND fence = :fence AND state = 'claimed'",
            now=tx.now(),
            id=one.id,
            fence=one.fence,
        )
        for one in claimed
    )


def release_dead(tx: Transaction, table: str, dead_owners: Iterable[str]) -> int:
    """Queue again, due at once, what the dead held; how many. Their fence is over with that."""
    _known(table)
    return sum(
        tx.run(
            f"UPDATE {table} SET state = 'queued', fence = fence + 1, next_at = :now, lease_owner = NULL,"
            " lease_until = NULL WHERE state = 'claimed' AND lease_owner = :owner",
            now=tx.now(),
            owner=owner,
        )
        for owner in dead_owners
    )


def is_held(tx: Transaction, table: str, id: str, attempt: int) -> bool:  # noqa: A002
    """Whether somebody is at this attempt now, as far as the row says."""
    _known(table)
    row = tx.one(
        f"SELECT id FROM {table} WHERE id = :id AND state = 'claimed' AND attempts = :attempt", id=id, attempt=attempt
    )
    return row is not None


def _claim_in(tx: Transaction, table: str, where: str, values: dict[str, Any]) -> list[Claimed]:
    # Materialised: PostgreSQL may run a plain subselect again and then locks more rows than the limit.
    rows = tx.all(
        f"WITH due AS MATERIALIZED (SELECT id FROM {table} AS work WHERE state = :state AND next_at <= :now"
        f" {f'AND ({where})' if where else ''} ORDER BY next_at LIMIT :room {tx.skip_locked})"
        f" UPDATE {table} SET state = 'claimed', fence = fence + 1, attempts = attempts + 1, lease_owner = :owner,"
        " lease_until = :until, next_at = :until WHERE id IN (SELECT id FROM due) RETURNING id, fence, attempts",
        **values,
    )
    return [Claimed(row["id"], int(row["fence"]), int(row["attempts"])) for row in rows]


def _let_go(tx: Transaction, table: str, held: tuple[str, int], lease: dict[str, Any], columns: dict[str, Any]) -> bool:
    _check_columns(table, columns)
    values = {"lease_owner": None, "lease_until": None, **lease, **columns}
    listed = ", ".join(f"{name} = :set_{name}" for name in values)
    return bool(
        tx.run(
            f"UPDATE {table} SET {listed} WHERE id = :id AND {_FENCED}",
            id=held[0],
            fence=held[1],
            **{f"set_{name}": value for name, value in values.items()},
        )
    )


_FENCED = "fence = :fence AND state = 'claimed'"


def _known(table: str) -> None:
    if table not in TABLES:
        raise ValueError(f"{table!r} is no table of claimable work")


def _check_columns(table: str, columns: Iterable[str]) -> None:
    _known(table)
    allowed = set(metadata.tables[table].columns.keys()) - _LEASE_COLUMNS
    unknown = set(columns) - allowed
    if unknown:
        raise ValueError(f"{table} has no settable column {', '.join(sorted(unknown))}")
