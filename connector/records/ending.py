"""What becomes of work and values when a connection ends."""

from __future__ import annotations

from connector.storage import Transaction


def void_work(tx: Transaction, connection_id: str) -> int:
    """Queued and running imports and deliveries of a connection come to nothing; how many."""
    voided = 0
    for table in ("imports", "deliveries"):
        voided += tx.run(
            f"""UPDATE {table} SET state = 'void', fence = fence + 1, finished_at = :now, lease_owner = NULL,
                  lease_until = NULL WHERE connection_id = :id AND state IN ('queued', 'claimed')""",
            now=tx.now(),
            id=connection_id,
        )
    return voided


def close_feed(tx: Transaction, tenant_id: str, sub: str, connection_id: str) -> None:
    """Tell the change feed that everything imported through a connection is closed from now on."""
    tx.run(
        """INSERT INTO changes (position, tenant_id, sub, card_id, pointer, connection_id, kind, category, at)
           SELECT NULL, :tenant, :sub, id, '', :connection, 'closed', '', :now FROM cards
           WHERE connection_id = :connection AND deleted_at IS NULL""",
        tenant=tenant_id,
        sub=sub,
        connection=connection_id,
        now=tx.now(),
    )


def forget_connection(tx: Transaction, connection_id: str) -> int:
    """Delete every imported value, card and cursor of a connection; how many values. Their key is the caller's."""
    values = tx.run("DELETE FROM records WHERE connection_id = :id", id=connection_id)
    tx.run("DELETE FROM cards WHERE connection_id = :id", id=connection_id)
    tx.run("DELETE FROM import_cursors WHERE connection_id = :id", id=connection_id)
    return values
