"""Where an import stands in a provider's list, sealed under the connection's data key: the provider's own words."""

from __future__ import annotations

from connector.storage import Transaction
from vault import Address, DataKey, VaultError

PAGE, SYNC = "page", "sync"


def keep_cursor(tx: Transaction, key: DataKey, kind: str, role: str, cursor: str | None) -> None:
    """Keep where to go on; None forgets it. `role`: page (within a run) or sync (between runs)."""
    if cursor is None:
        tx.run(
            "DELETE FROM import_cursors WHERE connection_id = :id AND kind = :kind AND role = :role",
            id=key.owner.id,
            kind=kind,
            role=role,
        )
        return
    row = tx.one(
        "SELECT generation FROM import_cursors WHERE connection_id = :id AND kind = :kind AND role = :role",
        id=key.owner.id,
        kind=kind,
        role=role,
    )
    generation = 1 if row is None else row["generation"] + 1
    tx.run(
        """INSERT INTO import_cursors (connection_id, kind, role, sealed, generation, updated_at)
           VALUES (:id, :kind, :role, :sealed, :generation, :now)
           ON CONFLICT (connection_id, kind, role) DO UPDATE SET sealed = excluded.sealed,
             generation = excluded.generation, updated_at = excluded.updated_at""",
        id=key.owner.id,
        kind=kind,
        role=role,
        sealed=key.seal(_address(key, kind, role), cursor.encode(), generation=generation),
        generation=generation,
        now=tx.now(),
    )


def open_cursor(tx: Transaction, key: DataKey, kind: str, role: str) -> str | None:
    """The cursor; None where there is none, or one that does not open (then the list is read from its beginning)."""
    row = tx.one(
        "SELECT sealed, generation FROM import_cursors WHERE connection_id = :id AND kind = :kind AND role = :role",
        id=key.owner.id,
        kind=kind,
        role=role,
    )
    if row is None:
        return None
    try:
        return key.open(_address(key, kind, role), bytes(row["sealed"]), generation=row["generation"]).decode()
    except VaultError:
        return None


def clear_cursors(tx: Transaction, connection_id: str, role: str) -> None:
    """Forget every cursor of a role."""
    tx.run("DELETE FROM import_cursors WHERE connection_id = :id AND role = :role", id=connection_id, role=role)


def _address(key: DataKey, kind: str, role: str) -> Address:
    return Address(key.owner.tenant, key.owner.kind, key.owner.id, "", f"import_cursors/{kind}/{role}")
