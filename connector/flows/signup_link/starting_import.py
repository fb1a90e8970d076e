"""The first import, queued in the transaction that made the connection."""

from __future__ import annotations

from connector.connections import Connection
from connector.model.ids import new_id
from connector.storage import Transaction


def queue_first_import(tx: Transaction, connection: Connection, imports: tuple[str, ...]) -> str | None:
    """Queue an import that the sign-in asks for; None where nothing may be imported, or one waits already."""
    if not imports:
        return None
    waiting = tx.one(
        "SELECT id FROM imports WHERE connection_id = :connection AND state = 'queued'", connection=connection.id
    )
    if waiting is not None:
        return None
    newest = tx.one("SELECT MAX(number) AS newest FROM imports WHERE connection_id = :id", id=connection.id)
    number = ((newest["newest"] if newest else None) or 0) + 1
    import_id = new_id("imp")
    tx.run(
        """INSERT INTO imports (id, tenant_id, connection_id, number, asked_by, state, next_at, created_at)
           VALUES (:id, :tenant, :connection, :number, 'sign_in', 'queued', :now, :now)""",
        id=import_id,
        tenant=connection.tenant_id,
        connection=connection.id,
        number=number,
        now=tx.now(),
    )
    return import_id
