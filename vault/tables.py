"""The vault's own SQL: tenant_keys, data_keys, vault_canaries and shred_ledger. No one else writes these tables.

What rotations ask of them is in `rotation_tables`; the table rekey_jobs is in `jobs`. Statements run on
SQLite and PostgreSQL alike. Times are milliseconds since the epoch, UTC, and come from the transaction's clock.
"""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vault.address import Owner
from vault.lp import lp

Row = Mapping[str, Any]

WRAP = "wrap"
INDEX = "index"


class Transaction(Protocol):
    """An open database transaction. Parameters are bound by name as :name."""

    def one(self, sql: str, /, **parameters: Any) -> Row | None:
        """The only row, or None."""
        ...

    def all(self, sql: str, /, **parameters: Any) -> Sequence[Row]:
        """All rows."""
        ...

    def run(self, sql: str, /, **parameters: Any) -> int:
        """The number of rows that the statement touched."""
        ...

    def many(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """The statement once for each row of parameters; the number of rows that it touched in all."""
        ...

    def now(self) -> int:
        """Milliseconds since the epoch, by the clock of the transaction."""
        ...


@dataclass(frozen=True, slots=True)
class TenantKeyRow:
    """A tenant key as it is stored: wrapped by the KEK that `kek_id` names."""

    id: str
    tenant: str
    purpose: str
    kek_id: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class DataKeyRow:
    """A data key as it is stored; `wrapped` is None once it was destroyed."""

    epoch: int
    tenant_key_id: str
    wrapped: bytes | None


def new_id(prefix: str) -> str:
    """The prefix, an underscore and 26 characters that carry 128 random bits."""
    return f"{prefix}_{base64.b32encode(os.urandom(16)).decode().rstrip('=').lower()}"


def tenant_key_context(row: TenantKeyRow) -> bytes:
    """What the wrap of a tenant key is bound to. The KEK is not part of it: it changes."""
    return lp(b"gw/tenant-key/v1", row.tenant.encode(), row.purpose.encode(), row.id.encode())


def add_tenant_key(tx: Transaction, row: TenantKeyRow, created_at: int | None = None) -> None:
    """Store a new tenant key. The newest is the one that is used; `created_at` is ms, absent: now."""
    tx.run(
        "INSERT INTO tenant_keys (id, tenant_id, purpose, kek_id, wrapped, created_at, retired_at)"
        " VALUES (:id, :tenant, :purpose, :kek_id, :wrapped, :now, NULL)",
        id=row.id,
        tenant=row.tenant,
        purpose=row.purpose,
        kek_id=row.kek_id,
        wrapped=row.wrapped,
        now=tx.now() if created_at is None else created_at,
    )


def tenant_key(tx: Transaction, tenant: str, key_id: str) -> TenantKeyRow | None:
    """A tenant's wrapping key by its id, retired or not."""
    return _tenant_key(
        tx.one(
            f"SELECT {TENANT_KEY} FROM tenant_keys WHERE id = :id AND tenant_id = :tenant AND purpose = 'wrap'",
            id=key_id,
            tenant=tenant,
        )
    )


def current_tenant_key(tx: Transaction, tenant: str, purpose: str) -> TenantKeyRow | None:
    """The newest tenant key of the purpose that is not retired."""
    return _tenant_key(
        tx.one(
            f"SELECT {TENANT_KEY} FROM tenant_keys"
            " WHERE tenant_id = :tenant AND purpose = :purpose AND retired_at IS NULL"
            " ORDER BY created_at DESC, id DESC LIMIT 1",
            tenant=tenant,
            purpose=purpose,
        )
    )


def all_tenant_keys(tx: Transaction) -> list[TenantKeyRow]:
    """Every tenant key, retired ones included: what is old may still be needed."""
    rows = tx.all(f"SELECT {TENANT_KEY} FROM tenant_keys ORDER BY tenant_id, purpose, id")
    return [tenant_key_row(row) for row in rows]


def one_tenant_key_per_kek(tx: Transaction) -> list[TenantKeyRow]:
    """One tenant key for each KEK in use, to try them by."""
    rows = tx.all(f"SELECT {TENANT_KEY} FROM tenant_keys WHERE id IN (SELECT MIN(id) FROM tenant_keys GROUP BY kek_id)")
    return [tenant_key_row(row) for row in rows]


def any_data_key(tx: Transaction) -> bool:
    """Whether any data key is left that something could be sealed under."""
    return tx.one("SELECT epoch FROM data_keys WHERE wrapped IS NOT NULL LIMIT 1") is not None


def add_data_key(tx: Transaction, owner: Owner, row: DataKeyRow) -> bool:
    """Store a new data key; False if the epoch was taken meanwhile."""
    added = tx.run(
        "INSERT INTO data_keys"
        " (tenant_id, owner_kind, owner_id, epoch, tenant_key_id, wrapped, created_at, destroyed_at)"
        " VALUES (:tenant, :kind, :id, :epoch, :tenant_key_id, :wrapped, :now, NULL)"
        " ON CONFLICT (owner_kind, owner_id, epoch) DO NOTHING",
        **_owner(owner),
        epoch=row.epoch,
        tenant_key_id=row.tenant_key_id,
        wrapped=row.wrapped,
        now=tx.now(),
    )
    return added == 1


def newest_epoch(tx: Transaction, owner: Owner) -> int:
    """The newest epoch of the owner's keys, destroyed or not; 0 if there never was one."""
    row = tx.one(
        "SELECT MAX(epoch) AS newest FROM data_keys WHERE owner_kind = :kind AND owner_id = :id",
        kind=owner.kind,
        id=owner.id,
    )
    return 0 if row is None or row["newest"] is None else int(row["newest"])


def data_key(tx: Transaction, owner: Owner, epoch: int | None) -> DataKeyRow | None:
    """The owner's data key of the epoch, or the newest."""
    which = "" if epoch is None else " AND epoch = :epoch"
    row = tx.one(
        "SELECT epoch, tenant_key_id, wrapped FROM data_keys"
        f" WHERE owner_kind = :kind AND owner_id = :id AND tenant_id = :tenant{which}"
        " ORDER BY epoch DESC LIMIT 1",
        **_owner(owner),
        **({} if epoch is None else {"epoch": epoch}),
    )
    if row is None:
        return None
    wrapped = row["wrapped"]
    return DataKeyRow(row["epoch"], row["tenant_key_id"], None if wrapped is None else bytes(wrapped))


def destroy_data_keys(tx: Transaction, owner: Owner) -> int:
    """Overwrite every wrapped key of the owner with NULL and write down that it was; returns how many."""
    now = tx.now()
    rows = tx.all(
        "UPDATE data_keys SET wrapped = NULL, destroyed_at = :now"
        " WHERE owner_kind = :kind AND owner_id = :id AND tenant_id = :tenant AND wrapped IS NOT NULL"
        " RETURNING epoch",
        **_owner(owner),
        now=now,
    )
    for row in rows:
        tx.run(
            "INSERT INTO shred_ledger (id, tenant_id, owner_kind, owner_id, epoch, destroyed_at)"
            " VALUES (:shred_id, :tenant, :kind, :id, :epoch, :now)",
            **_owner(owner),
            shred_id=new_id("shr"),
            epoch=row["epoch"],
            now=now,
        )
    return len(rows)


def put_canary(tx: Transaction, tenant: str, sealed: bytes, epoch: int) -> None:
    """Store the tenant's canary, in the place of an older one."""
    tx.run(
        "INSERT INTO vault_canaries (tenant_id, sealed, epoch) VALUES (:tenant, :sealed, :epoch)"
        " ON CONFLICT (tenant_id) DO UPDATE SET sealed = excluded.sealed, epoch = excluded.epoch",
        tenant=tenant,
        sealed=sealed,
        epoch=epoch,
    )


def canary(tx: Transaction, tenant: str) -> tuple[bytes, int] | None:
    """The tenant's canary and the epoch of the key it is sealed under."""
    row = tx.one("SELECT sealed, epoch FROM vault_canaries WHERE tenant_id = :tenant", tenant=tenant)
    return None if row is None else (bytes(row["sealed"]), row["epoch"])


TENANT_KEY = "id, tenant_id, purpose, kek_id, wrapped"


def _tenant_key(row: Row | None) -> TenantKeyRow | None:
    return None if row is None else tenant_key_row(row)


def tenant_key_row(row: Row) -> TenantKeyRow:
    """The value of a row that holds the columns of TENANT_KEY."""
    return TenantKeyRow(row["id"], row["tenant_id"], row["purpose"], row["kek_id"], bytes(row["wrapped"]))


def _owner(owner: Owner) -> dict[str, str]:
    return {"tenant": owner.tenant, "kind": owner.kind, "id": owner.id}
