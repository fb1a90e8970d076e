"""Writing connections: every change of state, in one place.

A write names the state and the fence it believes in. If somebody took over meanwhile, or the person revoked, it changes
nothing and says so: an answer that comes too late never overwrites what happened since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from connector.connections.connection import TABLE, Connection, NewConnection, from_row, sealed_fields
from connector.connections.handing_out import HANDING_OUT, end_handouts
from connector.connections.landing import Landed
from connector.model.errors import Conflict
from connector.model.states import ConnectionState, may_move
from connector.storage import Transaction
from vault import Owner, Vault

_COLUMNS = tuple(Connection.__dataclass_fields__)  # the row and the value have the same names
_NO_LEASE = {"lease_owner": None, "lease_until": None, "intent_at": None}


class LostClaim(Conflict):
    """Somebody else holds the connection now, or it ended; nothing was changed."""

    def __init__(self, connection_id: str) -> None:
        super().__init__(
            "connection_moved_on",
            "The connection changed meanwhile; look at it again.",
            detail=f"{connection_id}: state or fence moved on",
        )


def establish(tx: Transaction, vault: Vault, new: NewConnection, landed: Landed, *, now: int) -> Connection:
    """A connection that was not there: both keys made, the row inserted and sealed, active, generation 1.

    The caller stores the tokens in the same transaction (`tokens.store`).
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
        "authorized_at": now,
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
        ValueError: the move is not in the table of moves, or a column is unknown.
    """
    if not may_move(connection.state, state):
        raise ValueError(f"a connection does not go from {connection.state} to {state}")
    changes = columns or {}
    if unknown := set(changes) - set(_COLUMNS):
        raise ValueError(f"unknown columns: {sorted(unknown)}")
    if state not in HANDING_OUT:
        end_handouts(tx, connection.id)
    held = connection.fence if fence is None else fence
    row = {**_as_row(connection), **({} if keep_lease else _NO_LEASE), **changes, "state": state.value}
    row["fence"] = held + 1 if take_over else held
    if state is not connection.state:
        row["state_since"] = tx.now()
    # When the next import is due is said beside the moves; a move that does not speak of it leaves it alone.
    kept = {"id"} if "import_at" in changes else {"id", "import_at"}
    assignments = ", ".join(f"{column} = :{column}" for column in _COLUMNS if column not in kept)
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
    row = asdict(connection)
    row["state"] = connection.state.value
    row["can_refresh"] = int(connection.can_refresh)
    row["granted_scopes"] = json.dumps(connection.granted_scopes)
    row["declined_scopes"] = json.dumps(connection.declined_scopes)
    return row
