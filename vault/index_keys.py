"""Index keys in their table: who reads them, and how a newer one comes into use.

    index          the first of a tenant
    index_layer    every further one

The oldest that is not retired is in use, those before it are its inner layers, one after it is being brought in.
Whoever writes an index reads the keys in the same transaction and holds them until its end; whoever changes what is in
use waits for those. So no row is ever written by keys of yesterday.
"""

from dataclasses import dataclass

from vault import tables
from vault.tables import TENANT_KEY, TenantKeyRow, Transaction, tenant_key_row

FIRST = tables.INDEX
LAYER = "index_layer"
_PURPOSES = f"('{FIRST}', '{LAYER}')"
_LOCK = 4020217  # of the advisory locks, with the tenant's name


@dataclass(frozen=True, slots=True)
class IndexKeyRows:
    """Of one tenant: the inner layers and the one in use, oldest first, and the one that is being brought in."""

    layers: tuple[TenantKeyRow, ...]
    coming: TenantKeyRow | None

    @property
    def names(self) -> tuple[str, ...]:
        """Ids that tell one moment from another."""
        return tuple(row.id for row in self.layers) + (() if self.coming is None else (f"+{self.coming.id}",))


def hold(tx: Transaction, tenant: str, *, alone: bool = False) -> None:
    """Let the tenant's index keys stay as they are until the transaction ends; `alone`: and let nobody else use them.

    SQLite has one writer at a time. Outside a transaction this holds nothing.
    """
    if getattr(tx, "dialect", "sqlite") == "postgresql":
        shared = "" if alone else "_shared"
        tx.all(f"SELECT pg_advisory_xact_lock{shared}({_LOCK}, hashtext(:tenant))", tenant=tenant)


def index_keys(tx: Transaction, tenant: str) -> IndexKeyRows | None:
    """The tenant's index keys; None where it has none that is in use."""
    rows = tx.all(
        f"SELECT {TENANT_KEY}, retired_at FROM tenant_keys WHERE tenant_id = :tenant AND purpose IN {_PURPOSES}"
        " ORDER BY created_at, id",
        tenant=tenant,
    )
    inner = [tenant_key_row(row) for row in rows if row["retired_at"] is not None]
    usable = [tenant_key_row(row) for row in rows if row["retired_at"] is None]
    if not usable:
        return None
    return IndexKeyRows((*inner, usable[0]), usable[1] if len(usable) > 1 else None)


def newest_since(tx: Transaction, since: int) -> list[tuple[str, int]]:
    """Tenants whose newest index key was made before `since` (ms), and when it was."""
    rows = tx.all(
        f"SELECT tenant_id, MAX(created_at) AS newest FROM tenant_keys WHERE purpose IN {_PURPOSES}"
        " GROUP BY tenant_id HAVING MAX(created_at) < :since ORDER BY tenant_id",
        since=since,
    )
    return [(row["tenant_id"], int(row["newest"])) for row in rows]


def tenants_with_index(tx: Transaction) -> list[str]:
    """Every tenant that has index keys."""
    rows = tx.all(f"SELECT DISTINCT tenant_id FROM tenant_keys WHERE purpose IN {_PURPOSES} ORDER BY tenant_id")
    return [row["tenant_id"] for row in rows]


def retire(tx: Transaction, row: TenantKeyRow) -> int:
    """From now on the key is an inner layer, and the one after it is in use."""
    return tx.run(
        "UPDATE tenant_keys SET retired_at = :now WHERE id = :id AND retired_at IS NULL", id=row.id, now=tx.now()
    )
