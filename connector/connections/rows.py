"""Reading connections. Each read that serves anything checks the seal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from connector.connections.connection import TABLE, Connection, from_row, sealed_fields
from connector.model.errors import SealBroken
from connector.model.states import LIVE_STATES, ConnectionState
from connector.storage import Row, Transaction
from vault import DataKey, Owner, RowSealBroken, Vault

_log = structlog.get_logger()
_LIVE = ", ".join(f"'{state.value}'" for state in sorted(LIVE_STATES))


def read_row(tx: Transaction, vault: Vault, row: Mapping[str, Any]) -> Connection:
    """The value of a row whose seal holds. Raises SealBroken."""
    return checked(row, vault.key(tx, Owner(row["tenant_id"], "tenant", row["tenant_id"])))


def checked(row: Mapping[str, Any], tenant_key: DataKey) -> Connection:
    """The same with the tenant's key at hand: no query."""
    try:
        tenant_key.check_row(TABLE, sealed_fields(row), bytes(row["seal"]))
    except RowSealBroken as error:
        _log.error("vault.row_seal_broken", table=TABLE, row=row["id"])
        raise SealBroken(TABLE, row["id"]) from error
    return from_row(row)


def find(tx: Transaction, vault: Vault, tenant_id: str, connection_id: str) -> Connection | None:
    """The tenant's connection with this id, or None."""
    row = tx.one("SELECT * FROM connections WHERE id = :id AND tenant_id = :tenant", id=connection_id, tenant=tenant_id)
    return None if row is None else read_row(tx, vault, row)


def find_for_update(tx: Transaction, vault: Vault, connection_id: str) -> Connection | None:
    """The connection, locked until the transaction ends."""
    lock = "FOR UPDATE" if tx.dialect == "postgresql" else ""
    row = tx.one(f"SELECT * FROM connections WHERE id = :id {lock}", id=connection_id)
    return None if row is None else read_row(tx, vault, row)


def lock_rows(tx: Transaction, ids: Sequence[str]) -> list[Row]:
    """Those of the rows that nobody else holds, locked until the transaction ends, seals not yet checked."""
    if tx.dialect == "postgresql":
        return tx.all(
            "SELECT * FROM connections WHERE id = ANY(CAST(:ids AS text[])) FOR UPDATE SKIP LOCKED", ids=list(ids)
        )
    return tx.all("SELECT * FROM connections WHERE id IN (SELECT value FROM json_each(:ids))", ids=json.dumps(ids))


def of_user(tx: Transaction, vault: Vault, tenant_id: str, sub: str) -> list[Connection]:
    """Every connection of a person, oldest first, ended ones included."""
    rows = tx.all(
        "SELECT * FROM connections WHERE tenant_id = :tenant AND sub = :sub ORDER BY created_at, id",
        tenant=tenant_id,
        sub=sub,
    )
    return [read_row(tx, vault, row) for row in rows]


def of_identity(tx: Transaction, vault: Vault, identity_id: str) -> Connection | None:
    """The newest connection of an identity that has not ended, or None. At most one is live."""
    row = tx.one(
        f"SELECT * FROM connections WHERE identity_id = :identity AND state IN ({_LIVE}) "
        "ORDER BY created_at DESC, id DESC LIMIT 1",
        identity=identity_id,
    )
    return None if row is None else read_row(tx, vault, row)


def newest_of_identity(tx: Transaction, vault: Vault, identity_id: str) -> Connection | None:
    """The newest connection of an identity, ended or not."""
    row = tx.one(
        "SELECT * FROM connections WHERE identity_id = :identity ORDER BY created_at DESC, id DESC LIMIT 1",
        identity=identity_id,
    )
    return None if row is None else read_row(tx, vault, row)


def sharing_grant(tx: Transaction, vault: Vault, connection: Connection) -> list[Connection]:
    """Other live connections of the same account at the same registration: they share the provider's grant."""
    rows = tx.all(
        f"""SELECT c.* FROM connections c
            JOIN identities i ON i.id = c.identity_id
            JOIN identities mine ON mine.id = :identity
            WHERE c.integration_id = :integration AND c.id <> :id AND c.state IN ({_LIVE})
              AND (i.subject_index = mine.subject_index OR i.subject_index_next = mine.subject_index_next)
              AND i.integration_id = mine.integration_id""",
        identity=connection.identity_id,
        integration=connection.integration_id,
        id=connection.id,
    )
    return [read_row(tx, vault, row) for row in rows]


def in_tenant(
    tx: Transaction,
    vault: Vault,
    tenant_id: str,
    *,
    sub: str | None = None,
    provider: str | None = None,
    state: str | None = None,
    integrations: tuple[str, ...] = (),
    after: str = "",
    limit: int = 50,
) -> list[Connection]:
    """A page of the tenant's connections by id; `after` is the last id of the page before."""
    allowed = {f"i{number}": name for number, name in enumerate(integrations)}
    among = f"AND integration_id IN ({', '.join(':' + name for name in allowed)})" if allowed else ""
    rows: list[Row] = tx.all(
        f"""SELECT * FROM connections WHERE tenant_id = :tenant AND id > :after
              AND (:any_sub = 1 OR sub = :sub) AND (:any_provider = 1 OR provider = :provider)
              AND (:any_state = 1 OR state = :state) {among}
            ORDER BY id LIMIT :limit""",
        tenant=tenant_id,
        after=after,
        any_sub=int(sub is None),
        sub=sub or "",
        any_provider=int(provider is None),
        provider=provider or "",
        any_state=int(state is None),
        state=state or "",
        limit=limit,
        **allowed,
    )
    return [read_row(tx, vault, row) for row in rows]


def lying_in(
    tx: Transaction, vault: Vault, state: ConnectionState, *, since_before: int, limit: int
) -> list[Connection]:
    """Connections that came into a state before a time (ms) and are still there, oldest first, locked."""
    rows = tx.all(
        f"""SELECT * FROM connections WHERE state = :state AND state_since < :before
            ORDER BY state_since LIMIT :limit {tx.skip_locked}""",
        state=state.value,
        before=since_before,
        limit=limit,
    )
    return [read_row(tx, vault, row) for row in rows]


def run_out(tx: Transaction, vault: Vault, *, limit: int) -> list[Connection]:
    """Connections that only their person can bring back by now, locked.

    The token is over and nothing refreshes it, or the refresh token is over as well, or the provider's own date has
    passed. Three statements, because each has an index of its own.
    """
    found: dict[str, Row] = {}
    for condition in (
        "can_refresh = 0 AND expires_at <= :now",
        "refresh_expires_at <= :now AND expires_at <= :now",
        "reauth_by <= :now",
    ):
        rows = tx.all(
            f"""SELECT * FROM connections WHERE {condition} AND state IN ('active', 'expired')
                LIMIT :limit {tx.skip_locked}""",
            now=tx.now(),
            limit=limit,
        )
        found |= {row["id"]: row for row in rows}
    return [read_row(tx, vault, row) for row in found.values()]


def forget_person(tx: Transaction, tenant_id: str, sub: str) -> None:
    """The person is erased: nothing leads from a connection to the person's entries in the ledger any more."""
    tx.run(
        "UPDATE connections SET pseudonym = NULL WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub
    )
    tx.run("UPDATE revocations SET sub = '' WHERE tenant_id = :tenant AND sub = :sub", tenant=tenant_id, sub=sub)
    tx.run(
        """DELETE FROM adoptions WHERE connection_id IN
             (SELECT id FROM connections WHERE tenant_id = :tenant AND sub = :sub)""",
        tenant=tenant_id,
        sub=sub,
    )
    tx.run(
        "DELETE FROM connections WHERE tenant_id = :tenant AND sub = :sub AND state = 'shredded'",
        tenant=tenant_id,
        sub=sub,
    )


def forget(tx: Transaction, connection_id: str) -> None:
    """Delete the row of a connection whose person was erased."""
    tx.run("DELETE FROM connections WHERE id = :id AND pseudonym IS NULL", id=connection_id)
