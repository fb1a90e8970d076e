"""Which keys were destroyed, and destroying them again in a database that came back from a backup."""

from collections.abc import Iterable
from dataclasses import dataclass

from vault.address import Owner
from vault.tables import Transaction


@dataclass(frozen=True, slots=True)
class Shred:
    """One key that was destroyed. `destroyed_at`: ms since the epoch."""

    id: str
    owner: Owner
    epoch: int
    destroyed_at: int


def shreds_since(tx: Transaction, since: int) -> list[Shred]:
    """Keys destroyed since then (ms), oldest first."""
    rows = tx.all("SELECT * FROM shred_ledger WHERE destroyed_at >= :since ORDER BY destroyed_at, id", since=since)
    return [
        Shred(
            row["id"],
            Owner(row["tenant_id"], row["owner_kind"], row["owner_id"]),
            row["epoch"],
            row["destroyed_at"],
        )
        for row in rows
    ]


def shred_position(tx: Transaction) -> tuple[int, int]:
    """How many keys were destroyed so far, and when the last one was (ms; 0 where none was)."""
    row = tx.one("SELECT COUNT(*) AS many, COALESCE(MAX(destroyed_at), 0) AS last FROM shred_ledger")
    return (0, 0) if row is None else (int(row["many"]), int(row["last"]))


def replay(tx: Transaction, shreds: Iterable[Shred]) -> int:
    """Destroy these keys again, where they came back; how many had."""
    destroyed = 0
    for one in shreds:
        bound = {
            "tenant": one.owner.tenant,
            "kind": one.owner.kind,
            "owner": one.owner.id,
            "epoch": one.epoch,
            "at": one.destroyed_at,
        }
        destroyed += tx.run(
            "UPDATE data_keys SET wrapped = NULL, destroyed_at = :at WHERE owner_kind = :kind AND owner_id = :owner"
            " AND tenant_id = :tenant AND epoch = :epoch AND wrapped IS NOT NULL",
            **bound,
        )
        tx.run(
            "INSERT INTO shred_ledger (id, tenant_id, owner_kind, owner_id, epoch, destroyed_at)"
            " VALUES (:id, :tenant, :kind, :owner, :epoch, :at) ON CONFLICT (id) DO NOTHING",
            id=one.id,
            **bound,
        )
    return destroyed
