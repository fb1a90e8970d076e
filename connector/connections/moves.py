"""Writing connections: every change of state, in one place.

A write names the state and the fence it believes in. If somebody took over meanwhile, or the person revoked, it changes
nothing and says so: an answer that comes too late never overwrites what happened since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from connector.connections.connection import TABLE, Connection, NewConnection, from_row, sealed_fields
from connector.connections.handing_out import HANDING_OUT, end_handouts
from connector.connections.landing import Landed
from connector.model.errors import Conflict
from connector.model.states import ConnectionState, may_move
from connector.storage import Transaction
from vault import DataKey, Owner, Vault

_COLUMNS = tuple(Connection.__dataclass_fields__)  # the row and the value have the same names
# What no move changes is not written: an index over it is left alone, and a name that was forgotten stays forgotten.
_FIXED = frozenset(NewConnection.__dataclass_fields__) | {"created_at"}
# What the seal vouches for and moves may change: written with every seal, so that the two never part.
_SEALED = frozenset(
    {
        "state",
        "granted_scopes",
        "generation",
        "token_epoch",
        "data_epoch",
        "expires_at",
        "lifetime_s",
        "can_refresh",
        "reauth_by",
        "authorized_at",
        "revoked_at",
    }
)
_NO_LEASE = {"lease_owner": None, "lease_until": None, "intent_at": None}


class LostClaim(Conflict):
    """Somebody else holds the connection now, or it ended; nothing was changed."""

    def __init__(self, connection_id: str) -> None:
        super().__init__(
            "connection_moved_on",
            "The connection changed meanwhile; look at it again.",
            detail=f"{connection_id}: state or fence moved on",
        )


class IllegalMove(Conflict):
    """The table of moves does not lead there from where the connection is; nothing was changed."""

    def __init__(self, connection: Connection, state: ConnectionState) -> None:
        super().__init__(
            "illegal_move",
            "The connection is not in a state that allows this; look at it again.",
            detail=f"{connection.id}: {connection.state} to {state}",
        )


def establish(
    tx: Transaction,
    vault: Vault,
    new: NewConnection,
    landed: Landed,
    *,
    now: int,
    authorized_at: int | None = None,
) -> Connection:
    """A connection that was not there: both keys made, the row inserted and sealed, active, generation 1.

    The caller stores the tokens in the same transaction (`tokens.store`). `authorized_at` (ms): when the person granted
    it, where that was before now; signals of the provider that are newer act on it.
    """
    token_key = vault.create_key(tx, Owner(new.tenant_id, "connection_tokens", new.id))
    data_key = vault.create_key(tx, Owner(new.tenant_id, "connection_data", new.id))
    row: dict[str, Any] = {
        **asdict(new),
        **_of_landing(landed),
        **_NO_LEASE,
        "state": ConnectionState.ACTIVE.value,
        "state_since": now,
        "reason": None,
        "generation": 1,
        "token_epoch": token_key.epoch,
        "data_epoch": data_key.epoch,
        "fence": 0,
        "next_attempt_at": 0,
        "attempts": 0,
        "created_at": now,
        "authorized_at": now if authorized_at is None else authorized_at,
        "refreshed_at": None,
        "revoked_at": None,
        "ended_by": None,
        "import_at": None,
    }
    tx.run(
        f"INSERT INTO connections ({', '.join(_COLUMNS)}, seal) "
        f"VALUES ({', '.join(':' + column for column in _COLUMNS)}, :seal)",
        seal=_seal(tx, vault, row),
        **row,
    )
    return from_row(row)


def reland(
    tx: Transaction,
    vault: Vault,
    connection: Connection,
    landed: Landed,
    *,
    now: int,
    authorized: bool,
    fence: int | None = None,
) -> Connection:
    """New tokens for a connection that lives: next generation, active, lease given back.

    Args:
        authorized: whether the person was there (a repeated sign-in) rather than a refresh.
        fence: the refresh claim's fence; None for a repeated sign-in, which takes over from any refresh under way.

    Raises:
        LostClaim: the connection ended, or another holds the claim.
    """
    return move(
        tx,
        vault,
        connection,
        ConnectionState.ACTIVE,
        fence=fence,
        take_over=fence is None,
        columns={
            **_of_landing(landed),
            "reason": None,
            "generation": connection.generation + 1,
            "next_attempt_at": 0,
            "attempts": 0,
            "authorized_at": now if authorized else connection.authorized_at,
            "refreshed_at": connection.refreshed_at if authorized else now,
        },
    )


def move(
    tx: Transaction,
    vault: Vault,
    connection: Connection,
    state: ConnectionState,
    *,
    fence: int | None = None,
    take_over: bool = False,
    keep_lease: bool = False,
    columns: Mapping[str, str | int | None] | None = None,
) -> Connection:
    """Bring a connection to `state`, with other columns in the same statement, and seal the row again.

    Args:
        connection: as it was read in this transaction or before; its state and generation must still be there.
        fence: the fence the caller holds; None uses the one that was read.
        take_over: raise the fence, so that whatever is under way lands nowhere.
        keep_lease: keep the lease columns (a claim sets them itself).
        columns: further columns, by name.

    Raises:
        LostClaim: state, generation or fence moved on.
        IllegalMove: the move is not in the table of moves. The database holds the same table and would refuse as well.
        ValueError: a column is unknown, or one that no move changes.
    """
    if not may_move(connection.state, state):
        raise IllegalMove(connection, state)
    changes = columns or {}
    if unknown := set(changes) - set(_COLUMNS) | set(changes) & _FIXED:
        raise ValueError(f"no columns that a move writes: {sorted(unknown)}")
    if state not in HANDING_OUT:
        end_handouts(tx, connection.id)
    held = connection.fence if fence is None else fence
    before = _as_row(connection)
    row = {**before, **({} if keep_lease else _NO_LEASE), **changes, "state": state.value}
    row["fence"] = held + 1 if take_over else held
    if state is not connection.state:
        row["state_since"] = tx.now()
    # What is said beside the moves (when the next import is due) is left alone by a move that does not speak of it.
    written = [name for name in _COLUMNS if name in _SEALED or (name not in _FIXED and row[name] != before[name])]
    assignments = ", ".join(f"{name} = :{name}" for name in written)
    changed = tx.run(
        f"""UPDATE connections SET {assignments}, seal = :seal
            WHERE id = :id AND state = :was_state AND generation = :was_generation AND fence = :was_fence""",
        seal=_seal(tx, vault, row),
        was_state=connection.state.value,
        was_generation=connection.generation,
        was_fence=held,
        **row,
    )
    if changed != 1:
        raise LostClaim(connection.id)
    return from_row(row)


def claim_all(
    tx: Transaction,
    keys: Mapping[str, DataKey],
    connections: Sequence[Connection],
    *,
    worker: str,
    lease_until: int,
) -> list[Connection]:
    """Bring many connections to `refreshing` under one worker's lease, in one statement: as many single moves would.

    Args:
        keys: the tenants' keys, by tenant.
        connections: as they were read and locked in this transaction.
        worker: who holds them from now on, each with a fence of its own.
        lease_until: ms.

    Raises:
        IllegalMove: the table of moves does not lead there.
        LostClaim: one was not locked, and moved on.
    """
    now, claimed = tx.now(), []
    for connection in connections:
        if not may_move(connection.state, ConnectionState.REFRESHING):
            raise IllegalMove(connection, ConnectionState.REFRESHING)
        after = replace(
            connection,
            state=ConnectionState.REFRESHING,
            state_since=connection.state_since if connection.state is ConnectionState.REFRESHING else now,
            fence=connection.fence + 1,
            lease_owner=worker,
            lease_until=lease_until,
            intent_at=connection.intent_at or now,
            attempts=connection.attempts + 1,
        )
        claimed.append(after)
    seals = [keys[one.tenant_id].seal_row(TABLE, sealed_fields(_as_row(one))) for one in claimed]
    given: dict[str, str | int] = {"now": now, "worker": worker, "until": lease_until}
    if _write_claims(tx, [(one.id, one.generation, one.fence) for one in claimed], seals, given) != len(claimed):
        raise LostClaim("one of many")
    return claimed


_CLAIM = """UPDATE connections SET state = 'refreshing', fence = connections.fence + 1, seal = {seal},
  state_since = CASE WHEN state = 'refreshing' THEN state_since ELSE :now END, attempts = attempts + 1,
  lease_owner = :worker, lease_until = :until, intent_at = COALESCE(intent_at, :now)"""


def _write_claims(
    tx: Transaction, claimed: Sequence[tuple[str, int, int]], seals: Sequence[bytes], given: Mapping[str, str | int]
) -> int:
    if tx.dialect == "postgresql":  # one statement for all: each further one is a way to the server and a plan
        return tx.run(
            f"""{_CLAIM.format(seal="v.seal")}
                FROM unnest(CAST(:ids AS text[]), CAST(:generations AS bigint[]), CAST(:fences AS bigint[]),
                            CAST(:seals AS bytea[])) AS v (id, generation, fence, seal)
                WHERE connections.id = v.id AND connections.generation = v.generation
                  AND connections.fence = v.fence - 1""",
            ids=[one for one, _, _ in claimed],
            generations=[generation for _, generation, _ in claimed],
            fences=[fence for _, _, fence in claimed],
            seals=list(seals),
            **given,
        )
    return tx.many(
        f"{_CLAIM.format(seal=':seal')} WHERE id = :id AND generation = :generation AND fence = :fence - 1",
        [
            {"id": one, "generation": generation, "fence": fence, "seal": seal, **given}
            for (one, generation, fence), seal in zip(claimed, seals, strict=True)
        ],
    )


def _seal(tx: Transaction, vault: Vault, row: dict[str, Any]) -> bytes:
    tenant_key = vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"]))
    return tenant_key.seal_row(TABLE, sealed_fields(row))


def _of_landing(landed: Landed) -> dict[str, str | int | None]:
    return {
        "granted_scopes": json.dumps(landed.granted_scopes),
        "declined_scopes": json.dumps(landed.declined_scopes),
        "expires_at": landed.expires_at,
        "lifetime_s": landed.lifetime_s,
        "can_refresh": int(landed.can_refresh),
        "refresh_at": landed.refresh_at,
        "refresh_expires_at": landed.refresh_expires_at,
        "reauth_by": landed.reauth_by,
    }


def _as_row(connection: Connection) -> dict[str, Any]:
    row = {name: getattr(connection, name) for name in _COLUMNS}  # asdict would copy every value: ten times as slow
    row["state"] = connection.state.value
    row["can_refresh"] = int(connection.can_refresh)
    row["granted_scopes"] = json.dumps(connection.granted_scopes)
    row["declined_scopes"] = json.dumps(connection.declined_scopes)
    return row
