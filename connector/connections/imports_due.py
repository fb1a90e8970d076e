"""When a connection's next scheduled import is due. No state, no seal: a wrong time asks too early or too late."""

from __future__ import annotations

from connector.model.states import LIVE_STATES
from connector.storage import Row, Transaction

_LIVE = ", ".join(f"'{state.value}'" for state in sorted(LIVE_STATES))


def due_imports(tx: Transaction, *, limit: int) -> list[Row]:
    """`id`, `tenant_id` and `integration_id` of live connections whose import is due, longest waiting first."""
    return tx.all(
        f"""SELECT id, tenant_id, integration_id FROM connections
            WHERE import_at <= :now AND state IN ({_LIVE}) ORDER BY import_at LIMIT :limit""",
        now=tx.now(),
        limit=limit,
    )


def schedule_import(tx: Transaction, connection_id: str, at: int | None) -> None:
    """Say when the next one is due (ms); None for never."""
    tx.run("UPDATE connections SET import_at = :at WHERE id = :id", at=at, id=connection_id)
