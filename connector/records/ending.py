"""What becomes of work and values when a connection ends."""

from __future__ import annotations

import json

from connector.records.changes import forget_person_changes
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


def void_restored(tx: Transaction, reason: str) -> tuple[int, int]:
    """Queued and running imports and deliveries of a database that came back come to nothing; how many of each.

    Nobody knows which of them were done after the backup was made.
    """
    ended = """state = 'void', fence = fence + 1, finished_at = :now, lease_owner = NULL, lease_until = NULL"""
    waiting = "state IN ('queued', 'claimed')"
    imports = tx.run(f"UPDATE imports SET {ended}, error = :reason WHERE {waiting}", now=tx.now(), reason=reason)
    outcome = json.dumps({"result": "void", "reason": reason})
    deliveries = tx.run(
        f"UPDATE deliveries SET {ended}, outcome = :outcome WHERE {waiting}", now=tx.now(), outcome=outcome
    )
    return imports, deliveries


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
    """Delete every value, card and cursor that hangs on a connection; how many values. Their key is the caller's.

    Notes on its contacts go with the cards that they are about: nobody could find them any more.
    """
    values = tx.run(
        "DELETE FROM records WHERE connection_id = :id OR card_id IN (SELECT id FROM cards WHERE connection_id = :id)",
        id=connection_id,
    )
    tx.run("DELETE FROM cards WHERE connection_id = :id", id=connection_id)
    tx.run("DELETE FROM import_cursors WHERE connection_id = :id", id=connection_id)
    return values


def forget_person(tx: Transaction, tenant_id: str, sub: str) -> int:
    """Delete everything that is kept of a person; how many cards. Keys are the caller's."""
    whose = {"tenant": tenant_id, "sub": sub}
    tx.run("DELETE FROM records WHERE tenant_id = :tenant AND sub = :sub", **whose)
    tx.run(
        """DELETE FROM import_cursors WHERE connection_id IN
             (SELECT id FROM connections WHERE tenant_id = :tenant AND sub = :sub)""",
        **whose,
    )
    tx.run(
        """DELETE FROM imports WHERE connection_id IN
             (SELECT id FROM connections WHERE tenant_id = :tenant AND sub = :sub)""",
        **whose,
    )
    tx.run("DELETE FROM deliveries WHERE tenant_id = :tenant AND sub = :sub", **whose)
    forget_person_changes(tx, sub)
    return tx.run("DELETE FROM cards WHERE tenant_id = :tenant AND sub = :sub", **whose)
