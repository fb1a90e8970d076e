"""What rotations ask of the vault's tables."""

from collections.abc import Sequence

from vault.tables import TENANT_KEY, Row, TenantKeyRow, Transaction, tenant_key_row
from vault.tenant_key import Rewrapped

_NEWER = (
    "EXISTS (SELECT 1 FROM tenant_keys n WHERE n.tenant_id = k.tenant_id AND n.purpose = k.purpose"
    " AND n.retired_at IS NULL"
    " AND (n.created_at > k.created_at OR (n.created_at = k.created_at AND n.id > k.id)))"
)
_IN_USE = "EXISTS (SELECT 1 FROM data_keys d WHERE d.tenant_key_id = k.id{held})"
_HELD = " AND d.wrapped IS NOT NULL"
_REPLACED = f"k.purpose = 'wrap' AND {_NEWER}"


def tenant_keys_not_under(tx: Transaction, kek_id: str, limit: int) -> list[TenantKeyRow]:
    """Tenant keys that another KEK wraps."""
    rows = tx.all(
        f"SELECT {TENANT_KEY} FROM tenant_keys WHERE kek_id <> :kek ORDER BY id LIMIT :limit", kek=kek_id, limit=limit
    )
    return [tenant_key_row(row) for row in rows]


def count_not_under(tx: Transaction, kek_id: str) -> int:
    """How many those are."""
    return _count(tx, "SELECT COUNT(*) AS many FROM tenant_keys WHERE kek_id <> :kek", kek=kek_id)


def exchange_tenant_key(tx: Transaction, row: TenantKeyRow, kek_id: str, wrapped: bytes) -> int:
    """Put another wrap in the place of the one that was read; 0 if it is not there any more."""
    return tx.run(
        "UPDATE tenant_keys SET kek_id = :kek, wrapped = :new WHERE id = :id AND wrapped = :old",
        id=row.id,
        kek=kek_id,
        new=wrapped,
        old=row.wrapped,
    )


def let_no_tenant_key_arrive(tx: Transaction) -> None:
    """Wait for whoever adds tenant keys now, and let nobody begin until the end of this transaction."""
    if _dialect(tx) == "postgresql":  # SQLite has one writer at a time
        # A mode that two cannot hold: each would wait for the other before it writes.
        tx.run("LOCK TABLE tenant_keys IN SHARE ROW EXCLUSIVE MODE")


def tenants_with_wrap_older_than(tx: Transaction, since: int) -> list[tuple[str, int]]:
    """Tenants whose newest wrapping key was made before `since` (ms), and when it was."""
    rows = tx.all(
        "SELECT tenant_id, MAX(created_at) AS newest FROM tenant_keys WHERE purpose = 'wrap' AND retired_at IS NULL"
        " GROUP BY tenant_id HAVING MAX(created_at) < :since ORDER BY tenant_id",
        since=since,
    )
    return [(row["tenant_id"], int(row["newest"])) for row in rows]


def replaced_tenant_keys(tx: Transaction) -> list[TenantKeyRow]:
    """Wrapping keys that are not the newest of their tenant, but for those that are retired and empty."""
    used = _IN_USE.format(held=_HELD)
    rows = tx.all(
        f"SELECT {TENANT_KEY} FROM tenant_keys k WHERE {_REPLACED} AND (k.retired_at IS NULL OR {used}) ORDER BY id"
    )
    return [tenant_key_row(row) for row in rows]


def count_under_replaced(tx: Transaction) -> int:
    """How many data keys lie under those."""
    return _count(
        tx,
        "SELECT COUNT(*) AS many FROM data_keys d JOIN tenant_keys k ON k.id = d.tenant_key_id"
        f" WHERE d.wrapped IS NOT NULL AND {_REPLACED}",
    )


def data_keys_under(tx: Transaction, row: TenantKeyRow, limit: int, lock: str) -> Sequence[Row]:
    """Data keys under a tenant key, in any order, each with the place where its row lies in the table."""
    place = "CAST(ctid AS text)" if _dialect(tx) == "postgresql" else "rowid"
    return tx.all(
        f"SELECT owner_kind, owner_id, epoch, wrapped, {place} AS place FROM data_keys"
        f" WHERE tenant_key_id = :id AND tenant_id = :tenant AND wrapped IS NOT NULL LIMIT :limit {lock}",
        id=row.id,
        tenant=row.tenant,
        limit=limit,
    )


# By its place a row is found four times as fast as by its key, and changed only if it still holds what was read there:
# another may lie there by now.
_ONE_BY_ONE = "UPDATE data_keys SET wrapped = :new, tenant_key_id = :to WHERE rowid = :place AND wrapped = :old"
_ALL_AT_ONCE = (
    "UPDATE data_keys SET wrapped = fresh.new, tenant_key_id = :to FROM unnest(CAST(CAST(:places AS text[]) AS tid[]),"
    " CAST(:olds AS bytea[]), CAST(:news AS bytea[])) AS fresh (place, old, new)"
    " WHERE data_keys.ctid = fresh.place AND wrapped = fresh.old"
)


def exchange_data_keys(tx: Transaction, to: TenantKeyRow, keys: Sequence[Rewrapped]) -> int:
    """Put other wraps in the place of those that were read, where they still are; how many.

    PostgreSQL takes them in one round trip; SQLite has none to save, and is quickest with one prepared statement.
    """
    if not keys:
        return 0
    if _dialect(tx) == "postgresql":
        places, olds, news = (list(column) for column in zip(*keys, strict=True))
        return tx.run(_ALL_AT_ONCE, to=to.id, places=places, olds=olds, news=news)
    name = to.id
    return tx.many(_ONE_BY_ONE, [{"place": place, "old": old, "new": new, "to": name} for place, old, new in keys])


def data_keys_after(tx: Transaction, after: tuple[str, str, int] | None, limit: int) -> Sequence[Row]:
    """Data keys that can be opened, in the order of owner and epoch."""
    begin = "" if after is None else " AND (owner_kind, owner_id, epoch) > (:kind, :id, :epoch)"
    where = {} if after is None else {"kind": after[0], "id": after[1], "epoch": after[2]}
    return tx.all(
        "SELECT tenant_id, owner_kind, owner_id, epoch, tenant_key_id, wrapped FROM data_keys"
        f" WHERE wrapped IS NOT NULL{begin} ORDER BY owner_kind, owner_id, epoch LIMIT :limit",
        limit=limit,
        **where,
    )


def count_data_keys(tx: Transaction) -> int:
    """How many data keys can be opened."""
    return _count(tx, "SELECT COUNT(wrapped) AS many FROM data_keys")


def carry_destroyed(tx: Transaction, old: TenantKeyRow, new: TenantKeyRow) -> int:
    """Let rows of destroyed keys name the new tenant key."""
    return tx.run(
        "UPDATE data_keys SET tenant_key_id = :new WHERE tenant_key_id = :old AND wrapped IS NULL",
        new=new.id,
        old=old.id,
    )


def retire_empty_tenant_keys(tx: Transaction) -> int:
    """Retire wrapping keys that were replaced and wrap nothing; how many."""
    return tx.run(
        "UPDATE tenant_keys SET retired_at = :now WHERE id IN (SELECT k.id FROM tenant_keys k"
        f" WHERE {_REPLACED} AND k.retired_at IS NULL AND NOT {_IN_USE.format(held=_HELD)})",
        now=tx.now(),
    )


def drop_retired_tenant_keys(tx: Transaction, before: int) -> int:
    """Delete wrapping keys that were retired before (ms) and that no data key names; how many."""
    return tx.run(
        "DELETE FROM tenant_keys WHERE id IN (SELECT k.id FROM tenant_keys k"
        f" WHERE {_REPLACED} AND k.retired_at < :before AND NOT {_IN_USE.format(held='')})",
        before=before,
    )


def count_retired_tenant_keys(tx: Transaction) -> int:
    """How many wrapping keys are retired and named by no data key."""
    return _count(
        tx,
        f"SELECT COUNT(*) AS many FROM tenant_keys k WHERE {_REPLACED} AND k.retired_at IS NOT NULL"
        f" AND NOT {_IN_USE.format(held='')}",
    )


def _dialect(tx: Transaction) -> str:
    return str(getattr(tx, "dialect", "sqlite"))


def _count(tx: Transaction, sql: str, **parameters: str) -> int:
    row = tx.one(sql, **parameters)
    return 0 if row is None else int(row["many"])
