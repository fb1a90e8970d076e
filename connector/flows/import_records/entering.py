"""What the ledger hears of an import before it asks anybody: that it begins, and what the policy refused of it."""

from __future__ import annotations

from typing import Any

from connector.connections import Connection
from connector.flows.import_records.planning import Plan
from connector.ledger import Entry, append
from connector.ledger import Kind as EntryKind
from connector.records import Import
from connector.storage import Transaction


def note_begun(tx: Transaction, row: Import, connection: Connection, planned: Plan, attempt: int) -> None:
    """This attempt asks the provider next. Its outcome is entered by whoever ends it."""
    facts: dict[str, Any] = {
        "connection": connection.id,
        "import": row.id,
        "number": row.number,
        "kinds": sorted(planned.kinds),
        "asked_by": row.asked_by,
        "attempt": attempt,
    }
    append(tx, Entry(EntryKind.IMPORT_STARTED, connection.tenant_id, connection.pseudonym, facts))


def note_refused(tx: Transaction, row: Import, connection: Connection, planned: Plan) -> None:
    """What will not even be asked for, and under which clause."""
    for category, decision in planned.refused:
        facts: dict[str, Any] = {
            "connection": connection.id,
            "import": row.id,
            "action": "collect",
            "categories": [category.value],
            "clause": decision.clause,
            "policy_version": decision.version or None,
        }
        append(tx, Entry(EntryKind.POLICY_REFUSED, connection.tenant_id, connection.pseudonym, facts))
